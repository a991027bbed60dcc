"""Jobs that schedules ask for are created once each, whoever dies or creates them meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from structlog.testing import capture_logs

from app import clock, timestamps
from app.errors import ApiError, unavailable
from app.protocol import JobType
from app.store import Store
from app.store.index_definitions import CONNECTORS
from app.store.scripts import Verdict
from app.sync_jobs import scheduling
from app.sync_jobs.scheduling import Scheduling, latest_time
from tests.documents import ID, Stored, a_connector, a_job, only_changes

pytestmark = pytest.mark.usefixtures("service")

HOUR = timedelta(hours=1)
HOURLY = "0 0 * * * ?"
FIELDS = {
    "full": "last_sync_scheduled_at",
    "incremental": "last_incremental_sync_scheduled_at",
    "access_control": "last_access_control_sync_scheduled_at",
}


def ago(duration: timedelta) -> str:
    return clock.iso(datetime.now(UTC) - duration)


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def scheduled(job_type: str = "full", interval: Any = HOURLY, **other: Any) -> dict[str, Any]:
    """A connector whose schedule was followed last two hours ago."""
    schedule = {job_type: {"enabled": True, "interval": interval}}
    return a_connector(**{"scheduling": schedule, FIELDS[job_type]: ago(2 * HOUR), **other})


def always() -> bool:
    return True


@pytest.mark.parametrize("job_type", FIELDS)
def test_job_that_is_due_is_created_once(
    store: Store, connectors: Stored, jobs: Stored, job_type: str
) -> None:
    before = connectors.put(ID, scheduled(job_type))
    assert Scheduling(store).run(always) == 1
    (job_id,) = jobs.ids()
    job = jobs.source(job_id)
    expected = {"status": "pending", "job_type": job_type, "trigger_method": "scheduled"}
    assert {key: job[key] for key in expected} == expected
    assert job["connector"]["id"] == ID
    changes = only_changes(before, connectors.source(ID))
    assert changes.keys() == {FIELDS[job_type]}
    assert timestamps.read(changes[FIELDS[job_type]]) == this_hour()
    assert Scheduling(store).run(always) == 0
    assert jobs.ids() == {job_id}


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduling": {"full": {"enabled": False, "interval": HOURLY}}},
        {"scheduling": None},
        {"scheduling": {"full": {"interval": HOURLY}}},
        {"scheduling": {"full": {"enabled": True, "interval": "0 0 0 1 1 ? 2001"}}},
        {"deleted": True},
    ],
    ids=["disabled", "none", "not said", "past", "deleted"],
)
def test_nothing_is_created_where_nothing_is_due(
    store: Store, connectors: Stored, jobs: Stored, writes, changes: Any
) -> None:
    connectors.put(ID, scheduled() | changes)
    before = writes()
    assert Scheduling(store).run(always) == 0
    assert writes() == before


def test_nothing_is_created_before_its_time(store: Store, connectors: Stored, jobs: Stored, writes) -> None:
    connectors.put(ID, scheduled() | {FIELDS["full"]: clock.iso(this_hour() + HOUR)})
    before = writes()
    assert Scheduling(store).run(always) == 0
    assert writes() == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "created"}, "its status is [created]"),
        ({"status": "needs_configuration"}, "its status is [needs_configuration]"),
        ({"index_name": None}, "it has no [index_name]"),
        ({"service_type": None}, "it has no [service_type]"),
        (
            {"scheduling": {"full": {"enabled": True, "interval": "61 0 0 * * ?"}}},
            "Minute and Second values must be between 0 and 59",
        ),
    ],
)
def test_connector_that_cannot_be_synced_is_passed_over_and_reported_once(
    store: Store, connectors: Stored, jobs: Stored, writes, changes: Any, reason: str
) -> None:
    connectors.put(ID, scheduled() | changes)
    before = writes()
    with capture_logs() as logs:
        follower = Scheduling(store)
        assert [follower.run(always) for _ in range(3)] == [0, 0, 0]
    assert writes() == before
    reports = [entry for entry in logs if entry["event"] == "schedule_not_followed"]
    assert [(each["connector_id"], each["reason"]) for each in reports] == [(ID, reason)]


def test_missed_slots_run_once(store: Store, connectors: Stored, jobs: Stored) -> None:
    connectors.put(ID, scheduled(interval="0 0/15 * * * ?") | {FIELDS["full"]: ago(100 * HOUR)})
    follower = Scheduling(store)
    assert [follower.run(always) for _ in range(2)] in ([1, 0], [1, 1])  # a quarter may begin in between
    followed = timestamps.read(connectors.source(ID)[FIELDS["full"]])
    assert followed is not None
    assert datetime.now(UTC) - followed < timedelta(minutes=16)


def test_connector_that_was_never_scheduled_has_no_missed_slots(
    store: Store, connectors: Stored, jobs: Stored
) -> None:
    never = scheduled(interval="0 0 0 1 1 ?") | {FIELDS["full"]: None}
    connectors.put(ID, never)
    assert Scheduling(store).run(always) == 0
    connectors.put(ID, never | {"scheduling": {"full": {"enabled": True, "interval": "7 * * * * ?"}}})
    assert Scheduling(store).run(always) == 1


def test_active_job_is_enough(store: Store, connectors: Stored, jobs: Stored) -> None:
    connectors.put(ID, scheduled())
    jobs.put("active", a_job("in_progress", job_type="full"))
    follower = Scheduling(store)
    assert [follower.run(always) for _ in range(2)] == [0, 0]
    assert jobs.ids() == {"active"}
    after = connectors.source(ID)
    assert timestamps.read(after[FIELDS["full"]]) == this_hour()
    assert "scheduled_jobs" not in after


@pytest.mark.parametrize("enabled", [True, False])
def test_slot_of_a_leader_that_died_is_finished(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch, enabled: bool
) -> None:
    connectors.put(ID, scheduled())
    with monkeypatch.context() as dying:
        dying.setattr(scheduling, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Scheduling(store).run(always)
    noted = connectors.source(ID)["scheduled_jobs"]
    connectors.update(ID, {"scheduling": {"full": {"enabled": enabled}}})
    assert jobs.ids() == set()
    assert Scheduling(store).run(always) == 1
    assert jobs.ids() == {noted["full"]}
    assert "scheduled_jobs" not in connectors.source(ID)


def interrupted(*_args: Any, **_options: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("status", ["pending", "completed"])
def test_slot_of_a_leader_that_died_after_creating_the_job_makes_no_second_one(
    store: Store, connectors: Stored, jobs: Stored, status: str
) -> None:
    connectors.put(ID, scheduled(scheduled_jobs={"full": "noted"}) | {FIELDS["full"]: clock.iso(this_hour())})
    jobs.put("noted", a_job(status, job_type="full"))
    Scheduling(store).run(always)
    assert jobs.ids() == {"noted"}
    assert jobs.source("noted")["status"] == status
    assert "scheduled_jobs" not in connectors.source(ID)


def test_job_that_cannot_be_created_now_is_created_in_the_next_round(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    connectors.put(ID, scheduled())

    def away(*_args: Any, **_options: Any) -> Any:
        raise unavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(scheduling, "create", away)
        with pytest.raises(ApiError):
            Scheduling(store).run(always)
    assert Scheduling(store).run(always) == 1
    assert len(jobs.ids()) == 1


def test_leaders_at_the_same_time_create_one_job(store: Store, connectors: Stored, jobs: Stored) -> None:
    connectors.put_all({f"c{number}": scheduled() for number in range(10)})
    together = Barrier(4)

    def follow(_number: int) -> int:
        together.wait(60)
        return Scheduling(store).run(always)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(follow, range(4)))
    of = sorted(jobs.source(each)["connector"]["id"] for each in jobs.ids())
    assert of == sorted(f"c{number}" for number in range(10))


def test_slot_that_a_worker_took_is_not_taken_again(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    connectors.put(ID, scheduled())
    real = scheduling._take

    def taken_meanwhile(*args: Any) -> bool:
        connectors.update(ID, {FIELDS["full"]: clock.iso(this_hour())})
        return real(*args)

    monkeypatch.setattr(scheduling, "_take", taken_meanwhile)
    assert Scheduling(store).run(always) == 0
    assert jobs.ids() == set()


def test_slot_is_not_taken_before_the_job_of_an_earlier_one_is_created(
    store: Store, connectors: Stored
) -> None:
    connectors.put(ID, scheduled(scheduled_jobs={"full": "noted"}))
    slot = scheduling._Slot(ID, JobType.FULL, HOURLY, this_hour())
    assert not scheduling._take(store, slot, "another")
    assert connectors.source(ID)["scheduled_jobs"] == {"full": "noted"}


@pytest.mark.parametrize(
    "change",
    [{"enabled": False}, {"interval": "0 0 0 1 1 ? 2030"}],
    ids=["switched off", "another interval"],
)
def test_schedule_that_changed_since_it_was_read_is_not_followed(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch, change: Any
) -> None:
    connectors.put(ID, scheduled())
    real = scheduling._take

    def changed_meanwhile(*args: Any) -> bool:
        connectors.update(ID, {"scheduling": {"full": change}})
        return real(*args)

    monkeypatch.setattr(scheduling, "_take", changed_meanwhile)
    assert Scheduling(store).run(always) == 0
    assert jobs.ids() == set()


def test_process_that_no_longer_leads_creates_nothing(
    store: Store, connectors: Stored, jobs: Stored, writes
) -> None:
    connectors.put(ID, scheduled())
    before = writes()
    assert Scheduling(store).run(lambda: False) == 0
    assert writes() == before


def test_note_of_a_slot_is_never_shown(http, connectors: Stored) -> None:
    connectors.put(ID, scheduled(scheduled_jobs={"full": "noted"}))
    assert "scheduled_jobs" not in http.get(f"/_connector/{ID}").text
    assert "scheduled_jobs" not in http.get("/_connector").text


def test_scripts_take_their_own_effect_for_success(
    store: Store, elasticsearch: Elasticsearch, connectors: Stored
) -> None:
    connectors.put(ID, scheduled())
    take = {
        "job_type": JobType.FULL,
        "field": FIELDS["full"],
        "interval": HOURLY,
        "slot": clock.iso(this_hour()),
        "job_id": "j",
    }
    note = {"job_type": JobType.FULL, "job_id": "j"}
    for script, params in ((scheduling.SCHEDULE, take), (scheduling.SCHEDULED, note)):
        assert store.connectors.transition(ID, script, params).verdict is Verdict.UPDATED
        before = connectors.source(ID)
        request = script.request(params, is_retry=True)
        again = elasticsearch.update(
            index=CONNECTORS.alias, id=ID, script=request, source_includes=["verdict"]
        )
        assert script.outcome(again["result"], again["get"]["_source"]).verdict is Verdict.DONE
        assert connectors.source(ID) == before


@pytest.mark.parametrize(
    ("after", "now", "expected"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00:59:59Z", None),
        ("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z", "2024-01-01T01:00:00Z"),
        ("2023-01-01T00:30:00Z", "2024-01-01T01:59:00Z", "2024-01-01T01:00:00Z"),
        ("2024-01-01T00:59:59.999Z", "2024-01-01T01:00:00.001Z", "2024-01-01T01:00:00Z"),
        ("2024-01-01T02:00:00Z", "2024-01-01T01:00:00Z", None),
    ],
)
def test_latest_slot(after: str, now: str, expected: str | None) -> None:
    found = latest_time(HOURLY, datetime.fromisoformat(after), datetime.fromisoformat(now))
    assert found == (expected and datetime.fromisoformat(expected))
