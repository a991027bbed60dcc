"""`POST /_connector/_sync_job/_rescue`: ends jobs that no worker will end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock, settings
from app.compatibility import DOCUMENTED
from app.errors import ApiError, status_error, unavailable
from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from app.sync_jobs import rescue as operation
from app.sync_jobs import updates, walks
from app.sync_jobs.rescue import rescue
from tests.cases import named
from tests.documents import Stored, a_connector, a_job, a_running_job, empty, only_changes
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, nth, to
from tests.responses import error_body, invalid, is_now
from tests.service import Http

RESCUE = f"{JOBS}/_rescue"
RUNNING, WAITING = ("in_progress", "canceling"), ("pending", "suspended")
NONE_FOUND = {"rescued": [], "truncated": False}


def ago(**duration: float) -> str:
    return clock.iso(datetime.now(UTC) - timedelta(**duration))


def rescued(http: Http, **body: Any) -> list[str]:
    """The ids of all jobs that a request rescues."""
    response = http.post(RESCUE, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["truncated"] is False
    return [job["id"] for job in response.json()["rescued"]]


def shown(job_id: str, job: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": job_id,
        "connector_id": job["connector"]["id"],
        "worker_hostname": job.get("worker_hostname"),
        "status": job["status"],
        "last_seen": job["last_seen"],
    }


@pytest.fixture(autouse=True)
def a_living_connector(connectors: Stored) -> None:
    connectors.put("c1", a_connector())


# --- Silent workers ---


def test_job_whose_worker_is_silent_ends_with_an_error(http: Http, jobs: Stored) -> None:
    before = jobs.put("a", a_running_job(last_seen=ago(minutes=11)))
    since = datetime.now(UTC)
    response = http.post(RESCUE, json={})
    assert (response.status_code, response.json()) == (
        200,
        {"rescued": [shown("a", before)], "truncated": False},
    )
    assert list(response.json()) == ["rescued", "truncated"]
    changes = only_changes(before, jobs.source("a"))
    now = changes["completed_at"]
    assert is_now(now, since)
    assert changes == {
        "status": "error",
        "error": "No heartbeat from worker [worker-1] for more than [10m]; "
        f"the last one was at [{before['last_seen']}].",
        "completed_at": now,
        "last_seen": now,
    }


def test_job_that_is_to_be_canceled_and_whose_worker_is_silent_is_canceled(http: Http, jobs: Stored) -> None:
    before = jobs.put("a", a_running_job("canceling", last_seen=ago(minutes=11)))
    since = datetime.now(UTC)
    assert http.post(RESCUE).json() == {"rescued": [shown("a", before)], "truncated": False}
    changes = only_changes(before, jobs.source("a"))
    now = changes["completed_at"]
    assert is_now(now, since)
    assert changes == {"status": "canceled", "canceled_at": now, "completed_at": now, "last_seen": now}


@pytest.mark.parametrize(
    "status", ["pending", "suspended", "completed", "canceled", "error", "resting", None]
)
def test_job_in_any_other_status_is_left_alone(http: Http, jobs: Stored, status: Any) -> None:
    jobs.put("a", a_running_job(status))
    before = jobs.version("a")
    assert http.post(RESCUE, json={"idle_for": "0s"}).json() == NONE_FOUND
    assert jobs.version("a") == before


OLD, RECENT, FUTURE = timedelta(minutes=-11), timedelta(minutes=-9), timedelta(hours=1)
A_MOMENT_AHEAD, MINUTES_AHEAD = timedelta(seconds=5), timedelta(minutes=9)
LIST = "a list"
# last_seen, started_at and created_at, relative to now; whether the job counts as idle for ten minutes.
AGES = [
    ("old", OLD, OLD, OLD, True),
    ("old, started just now", OLD, RECENT, OLD, True),
    ("recent", RECENT, OLD, OLD, False),
    ("a clock that is a little ahead", A_MOMENT_AHEAD, OLD, OLD, False),
    ("a clock that is ahead by less than the threshold", MINUTES_AHEAD, OLD, OLD, False),
    ("never seen, started long ago", None, OLD, RECENT, True),
    ("never seen, started just now", None, RECENT, OLD, False),
    ("a future heartbeat, started long ago", FUTURE, OLD, RECENT, True),
    ("a future heartbeat, started just now", FUTURE, RECENT, OLD, False),
    ("an unreadable heartbeat, started long ago", LIST, OLD, RECENT, True),
    ("only created, long ago", None, None, OLD, True),
    ("only created, just now", None, None, RECENT, False),
    ("the future, created long ago", FUTURE, FUTURE, OLD, True),
    ("the future, created just now", FUTURE, FUTURE, RECENT, False),
    ("nothing known", None, None, None, True),
    ("nothing but the future", FUTURE, FUTURE, FUTURE, True),
]


def stored_at(offset: timedelta | str | None) -> Any:
    if isinstance(offset, timedelta):
        return clock.iso(datetime.now(UTC) + offset)
    return ["2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"] if offset == LIST else None


@pytest.mark.parametrize("status", RUNNING)
@pytest.mark.parametrize(("seen", "started", "created", "idle"), named(AGES))
def test_age_counts_from_the_first_of_three_timestamps_that_can_be(
    http: Http, jobs: Stored, seen: Any, started: Any, created: Any, idle: bool, status: str
) -> None:
    times = {"last_seen": seen, "started_at": started, "created_at": created}
    jobs.put("a", a_running_job(status, **{key: stored_at(value) for key, value in times.items()}))
    assert rescued(http, dry_run=True) == ["a"] * idle
    assert rescued(http) == ["a"] * idle
    assert (jobs.source("a")["status"] == status) is not idle


@pytest.mark.parametrize("notation", ["iso", "offset", "no zone", "epoch", "epoch text"])
def test_timestamps_are_read_in_any_notation(http: Http, jobs: Stored, notation: str) -> None:
    def write(at: datetime) -> Any:
        milliseconds = int(at.timestamp() * 1000)
        return {
            "iso": clock.iso(at),
            "offset": at.astimezone(tz=None).isoformat(),
            "no zone": at.replace(tzinfo=None).isoformat(),
            "epoch": milliseconds,
            "epoch text": str(milliseconds),
        }[notation]

    now = datetime.now(UTC)
    jobs.put("old", a_running_job(last_seen=write(now + OLD)))
    jobs.put("recent", a_running_job(last_seen=write(now + RECENT)))
    assert rescued(http) == ["old"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"idle_for": "1h"}, ["day"]),
        ({"idle_for": "30m"}, ["day", "hour"]),
        ({"idle_for": "1800000ms"}, ["day", "hour"]),
        ({"idle_for": "0s"}, ["day", "hour", "now"]),
        ({"idle_for": "25h"}, []),
        ({"idle_for": "99999999999d"}, []),
    ],
    ids=str,
)
def test_threshold_is_the_callers(http: Http, jobs: Stored, body: Any, found: list[str]) -> None:
    jobs.put("now", a_running_job(last_seen=ago(seconds=1)))
    jobs.put("hour", a_running_job(last_seen=ago(minutes=59)))
    jobs.put("day", a_running_job(last_seen=ago(hours=24)))
    assert rescued(http, **body) == found


@pytest.mark.parametrize(
    ("worker", "seen", "text"),
    [
        (None, "2024-01-01T00:00:00Z", "any worker for more than [2h]; the last one was at [2024-01-01T00:00:00Z]."),
        ("w", None, "worker [w] for more than [2h]; there was none before."),
        (["w"], 1704067200000, "any worker for more than [2h]; the last one was at [1704067200000]."),
    ],
    ids=["no worker", "no heartbeat", "odd values"],
)  # fmt: skip
def test_error_names_what_is_known(http: Http, jobs: Stored, worker: Any, seen: Any, text: str) -> None:
    jobs.put("a", a_running_job(worker_hostname=worker, last_seen=seen))
    assert rescued(http, idle_for="120m") == ["a"]
    assert jobs.source("a")["error"] == f"No heartbeat from {text}"


def test_jobs_with_hardly_any_fields_are_rescued(http: Http, jobs: Stored) -> None:
    jobs.put_all({"a": {"status": "in_progress"}, "b": {"status": "canceling", "connector": None}})
    response = http.post(RESCUE)
    nothing = dict.fromkeys(["connector_id", "worker_hostname", "last_seen"])
    found = sorted(response.json()["rescued"], key=lambda job: job["id"])
    assert found == [
        {"id": "a", "status": "in_progress"} | nothing,
        {"id": "b", "status": "canceling"} | nothing,
    ]
    assert (jobs.source("a")["status"], jobs.source("b")["status"]) == ("error", "canceled")


def test_dry_run_says_the_same_and_writes_nothing(
    http: Http, jobs: Stored, connectors: Stored, writes: Callable[[], int]
) -> None:
    locked = a_connector(last_sync_status="in_progress")
    connectors.put("c1", locked)
    jobs.put("a", a_running_job(last_seen=ago(hours=3)))
    jobs.put("b", a_running_job("canceling", last_seen=ago(hours=2)))
    jobs.put("c", a_running_job(last_seen=ago(minutes=1)))
    jobs.put("d", a_job("pending", connector={"id": "gone"}))
    before = writes()
    dry = http.post(RESCUE, json={"dry_run": True})
    assert dry.status_code == 200
    assert [job["id"] for job in dry.json()["rescued"]] == ["a", "b", "d"]
    assert writes() == before
    assert http.post(RESCUE, json={"dry_run": False}).json() == dry.json()
    assert writes() > before


# --- The connector of a rescued job ---


@pytest.mark.parametrize(
    ("job_type", "field", "other"),
    [
        ("full", "last_sync_status", "last_access_control_sync_status"),
        ("incremental", "last_sync_status", "last_access_control_sync_status"),
        ("access_control", "last_access_control_sync_status", "last_sync_status"),
    ],
)
@pytest.mark.parametrize(("status", "then"), [("in_progress", "error"), ("canceling", "canceled")])
def test_connector_of_a_job_that_ran_is_freed(
    http: Http,
    jobs: Stored,
    connectors: Stored,
    job_type: str,
    field: str,
    other: str,
    status: str,
    then: str,
) -> None:
    connectors.put("c1", a_connector(**{field: "in_progress", other: "in_progress"}))
    jobs.put("a", a_running_job(status, job_type=job_type))
    assert rescued(http) == ["a"]
    connector = connectors.source("c1")
    assert (connector[field], connector[other]) == (then, "in_progress")
    assert connector["error"] == jobs.source("a").get("error")


def test_connectors_of_other_jobs_stay_locked(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put("c2", a_connector(last_sync_status="in_progress"))
    before = connectors.version("c1"), connectors.version("c2")
    jobs.put("a", a_running_job(last_seen=ago(minutes=1), connector={"id": "c2"}))
    jobs.put("b", a_job("pending", connector={"id": "gone"}))
    assert rescued(http) == ["b"]
    assert (connectors.version("c1"), connectors.version("c2")) == before


# --- Jobs whose connector is gone ---


def orphan(status: str, connector: str = "gone", **other: Any) -> dict[str, Any]:
    return a_running_job(status, connector={"id": connector}, **{"last_seen": ago(minutes=1)} | other)


@pytest.mark.parametrize("status", WAITING)
def test_waiting_job_of_a_missing_connector_is_canceled_whatever_its_age(
    http: Http, jobs: Stored, status: str
) -> None:
    before = jobs.put("a", orphan(status))
    since = datetime.now(UTC)
    assert http.post(RESCUE).json() == {"rescued": [shown("a", before)], "truncated": False}
    changes = only_changes(before, jobs.source("a"))
    now = changes["completed_at"]
    assert is_now(now, since)
    assert changes == {"status": "canceled", "canceled_at": now, "completed_at": now}


@pytest.mark.parametrize(
    ("connector", "gone"),
    [
        (None, True),
        (a_connector(deleted=True), True),
        (a_connector(deleted="true"), True),
        (a_connector(deleted=False), False),
        (a_connector(), False),
    ],
    ids=["missing", "soft-deleted", "soft-deleted with a text", "not deleted", "living"],
)
@pytest.mark.parametrize("status", [*WAITING, *RUNNING, "completed", "canceled", "error"])
def test_jobs_by_their_connector(
    http: Http, jobs: Stored, connectors: Stored, connector: Any, gone: bool, status: str
) -> None:
    if connector is not None:
        connectors.put("c2", connector)
    jobs.put("recent", orphan(status, "c2"))
    jobs.put("old", orphan(status, "c2", last_seen=ago(hours=1), created_at=ago(hours=2)))
    expected = {"old"} if status in RUNNING else {"old", "recent"} if status in WAITING and gone else set()
    assert set(rescued(http)) == expected


@pytest.mark.parametrize("connector", [None, {}, {"id": None}, {"id": 7}, {"id": ["gone"]}, []], ids=str)
def test_waiting_job_that_names_no_connector_is_left_alone(http: Http, jobs: Stored, connector: Any) -> None:
    jobs.put("a", a_job("pending", connector=connector))
    assert rescued(http, idle_for="0s") == []


@pytest.mark.parametrize("connector_id", ["", "x" * 513, "a/b", "€"])
def test_connector_of_an_odd_name_is_gone(http: Http, jobs: Stored, connector_id: str) -> None:
    jobs.put("a", orphan("pending", connector_id))
    jobs.put("b", orphan("pending", "c1"))
    assert rescued(http) == ["a"]


def test_without_an_index_of_connectors_none_is_gone(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    """It may be about to be restored."""
    jobs.put("a", orphan("pending"))
    jobs.put("b", a_running_job())
    elasticsearch.indices.delete(index=CONNECTORS.name)
    assert rescued(http) == ["b"]
    assert jobs.source("a")["status"] == "pending"


def test_without_an_index_of_jobs_there_are_none(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert http.post(RESCUE).json() == NONE_FOUND
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


# --- Many ---


def test_limit_is_reached_with_those_that_have_been_silent_for_longest(http: Http, jobs: Stored) -> None:
    jobs.put_all({f"j{hours}": a_running_job(last_seen=ago(hours=hours)) for hours in range(1, 6)})
    response = http.post(RESCUE, json={"limit": 2}).json()
    assert ([job["id"] for job in response["rescued"]], response["truncated"]) == (["j5", "j4"], True)
    response = http.post(RESCUE, json={"limit": 3}).json()
    assert ([job["id"] for job in response["rescued"]], response["truncated"]) == (["j3", "j2", "j1"], False)


def test_all_of_thousands_of_jobs_are_rescued_in_repeated_requests(
    http: Http, put_jobs: Callable[..., list[str]], elasticsearch: Elasticsearch
) -> None:
    """More than a page, most with equal timestamps. 20 of them are alive: they neither hold anything up nor end it."""
    silent = put_jobs(1_300, "in_progress", last_seen=ago(hours=1))
    silent += put_jobs(600, "canceling", connector_id="c2")  # never seen
    silent += put_jobs(700, "pending", connector_id="c3")
    alive = put_jobs(20, "in_progress", connector_id="c4", last_seen=ago(minutes=1))
    found: list[str] = []
    sizes = []
    while True:
        response = http.post(RESCUE, json={"limit": 1_000}).json()
        found += [job["id"] for job in response["rescued"]]
        sizes.append(len(response["rescued"]))
        if not response["truncated"]:
            break
    assert sizes == [1_000, 1_000, 600]
    assert sorted(found) == sorted(silent)
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    left = elasticsearch.search(
        index=SYNC_JOBS.alias,
        query={"terms": {"status": ["in_progress", "canceling", "pending"]}},
        size=100,
        source=False,
    )
    assert sorted(hit["_id"] for hit in left["hits"]["hits"]) == sorted(alive)


def test_one_request_takes_the_largest_limit(http: Http, put_jobs: Callable[..., list[str]]) -> None:
    put_jobs(2_200, "in_progress", last_seen=ago(hours=1))
    response = http.post(RESCUE, json={"limit": 10_000}).json()
    assert (len(response["rescued"]), response["truncated"]) == (2_200, False)


# --- Bodies ---

LIMIT = "[limit] must be between 1 and 10000."


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2**31 - 1])
def test_limit_out_of_range_is_refused(http: Http, jobs: Stored, limit: int) -> None:
    jobs.put("a", a_running_job())
    before = jobs.version("a")
    assert error_body(http.post(RESCUE, json={"limit": limit})) == invalid(LIMIT)
    assert jobs.version("a") == before


BAD = [
    ("no unit", "10", "failed to parse setting [idle_for] with value [10] as a time value: unit is missing or unrecognized"),
    ("no such unit", "10w", "failed to parse setting [idle_for] with value [10w] as a time value: unit is missing or unrecognized"),
    ("a fraction", "1.5h", "failed to parse [1.5h], fractional time values are not supported"),
    ("negative", "-10m", "failed to parse setting [idle_for] with value [-10m] as a time value: negative durations are not supported"),
    ("minus one", "-1", "failed to parse value [-1] for setting [idle_for], must be >= [0s]"),
]  # fmt: skip


@pytest.mark.parametrize(("idle_for", "reason"), named(BAD))
def test_invalid_duration_is_refused(http: Http, jobs: Stored, idle_for: str, reason: str) -> None:
    jobs.put("a", a_running_job())
    before = jobs.version("a")
    error = error_body(http.post(RESCUE, json={"idle_for": idle_for}))["error"]
    assert error["reason"] == "[l:c] [connector_sync_job_rescue] failed to parse field [idle_for]"
    assert (error["caused_by"]["type"], error["caused_by"]["reason"]) == (
        "illegal_argument_exception",
        reason,
    )
    assert jobs.version("a") == before


@pytest.mark.parametrize(
    "body", [{"idle_for": 10}, {"idle_for": None}, {"dry_run": "maybe"}, {"limit": "x"}, {"connector_id": "c1"}, []], ids=str
)  # fmt: skip
def test_unreadable_body_is_refused(http: Http, jobs: Stored, body: Any) -> None:
    jobs.put("a", a_running_job())
    before = jobs.version("a")
    assert error_body(http.post(RESCUE, json=body))["status"] == 400
    assert jobs.version("a") == before


# --- With a store in this process ---


@pytest.fixture
def proxied(proxy: FaultProxy, elasticsearch: Elasticsearch, store: Store) -> Iterator[Store]:
    """A store behind the proxy; there is nothing but the connector c1, which is locked."""
    store.indices.ensure()
    empty(elasticsearch)
    Stored(elasticsearch, CONNECTORS).put("c1", a_connector(last_sync_status="in_progress"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        yield Store(settings.load())


@pytest.fixture
def stored(proxied: Store, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, SYNC_JOBS)


TEN_MINUTES = timedelta(minutes=10)


def run(store: Store, limit: int = 1_000) -> list[str]:
    return [job["id"] for job in rescue(store, TEN_MINUTES, dry_run=False, limit=limit).jobs]


def meanwhile(monkeypatch: pytest.MonkeyPatch, store: Store, act: Callable[[], Any]) -> None:
    """Let something happen after a rescue has found its jobs, and before it ends them."""
    send = store.sync_jobs.transition_all

    def act_first(changes: Any) -> Any:
        act()
        return send(changes)

    monkeypatch.setattr(store.sync_jobs, "transition_all", act_first)


@pytest.mark.parametrize("slow", [timedelta(0), timedelta(seconds=30)], ids=["same clock", "slow clock"])
@pytest.mark.parametrize("status", RUNNING)
def test_heartbeat_that_comes_first_wins(
    proxied: Store,
    stored: Stored,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    slow: timedelta,
) -> None:
    """Also one that is later than the time at which the rescue began, or comes from a service whose clock is ahead."""
    stored.put("a", a_running_job(status))
    real = clock.now

    def heartbeat() -> None:
        monkeypatch.setattr(clock, "now", real)
        assert updates.check_in(store, "a", compatibility=DOCUMENTED) == "updated"

    monkeypatch.setattr(clock, "now", lambda: clock.iso(datetime.fromisoformat(real()) - slow))
    meanwhile(monkeypatch, proxied, heartbeat)
    assert run(proxied) == []
    assert stored.source("a")["status"] == status


@pytest.mark.parametrize("status", ["completed", "canceled", "error", "suspended", "pending"])
def test_job_that_left_its_status_first_keeps_the_new_one(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    stored.put("a", a_running_job())
    document = a_running_job(status)
    meanwhile(monkeypatch, proxied, lambda: stored.put("a", document))
    assert run(proxied) == []
    assert stored.source("a") == document


def test_job_that_is_to_be_canceled_by_now_is_left_for_the_next_time(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its former status would be wrong."""
    stored.put("a", a_running_job())
    with monkeypatch.context() as patch:
        meanwhile(patch, proxied, lambda: stored.put("a", a_running_job("canceling")))
        assert run(proxied) == []
    assert run(proxied) == ["a"]
    assert stored.source("a")["status"] == "canceled"


def test_job_that_is_deleted_first_is_not_listed(
    proxied: Store, stored: Stored, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put("a", a_running_job())
    meanwhile(monkeypatch, proxied, lambda: store.sync_jobs.delete("a"))
    assert run(proxied) == []


def test_waiting_job_that_is_claimed_first_goes_on(
    proxied: Store, stored: Stored, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put("a", orphan("pending"))
    meanwhile(
        monkeypatch, proxied, lambda: updates.claim(store, "a", "w", None, 60, compatibility=DOCUMENTED)
    )
    assert run(proxied) == []
    assert stored.source("a")["status"] == "in_progress"


def test_job_of_a_connector_that_is_made_meanwhile_is_left_alone(
    proxied: Store, stored: Stored, connectors: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is found only after its connector was looked for: it is looked for again."""
    stored.put("old", orphan("pending", "c2"))
    look = proxied.connectors.get_all
    looks = 0

    def make_after_the_first(*args: Any) -> Any:
        nonlocal looks
        found = look(*args)
        looks += 1
        if looks == 1:
            connectors.put("c2", a_connector())
            stored.put("new", orphan("pending", "c2"))
        return found

    monkeypatch.setattr(proxied.connectors, "get_all", make_after_the_first)
    assert run(proxied) == []
    assert looks == 2


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_jobs_of_a_lost_request_are_listed_and_free_their_connector(
    proxied: Store, stored: Stored, connectors: Stored, proxy: FaultProxy, responses: bool
) -> None:
    stored.put_all({"a": a_running_job(), "b": a_running_job("canceling"), "c": orphan("pending")})
    to_jobs = to(f"/{SYNC_JOBS.alias}/_bulk")
    with proxy.losing(nth(1, to_jobs), responses=responses), proxy.recording() as recorded:
        assert sorted(run(proxied)) == ["a", "b", "c"]
    assert {each: stored.source(each)["status"] for each in "abc"} == {
        "a": "error", "b": "canceled", "c": "canceled"
    }  # fmt: skip
    assert connectors.source("c1")["last_sync_status"] in ("error", "canceled")
    assert len([request for request in recorded if to_jobs(request)]) == 3  # one of them for the third job


def test_lost_request_for_the_third_job_is_listed_too(
    proxied: Store, stored: Stored, proxy: FaultProxy
) -> None:
    stored.put("c", orphan("pending"))
    with proxy.losing(nth(1, to("/_bulk")), responses=True):
        assert run(proxied) == ["c"]


def fail_for(monkeypatch: pytest.MonkeyPatch, store: Store, errors: dict[str, ApiError]) -> None:
    """Let Elasticsearch refuse some of the jobs."""
    send = store.sync_jobs.transition_all

    def send_others(changes: Any) -> Any:
        sent = iter(send([each for each in changes if each.document_id not in errors]))
        return [errors[each.document_id] if each.document_id in errors else next(sent) for each in changes]

    monkeypatch.setattr(store.sync_jobs, "transition_all", send_others)


def test_job_that_cannot_be_written_holds_no_other_up(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "PAGE", 2)
    stored.put_all({each: a_running_job(last_seen=ago(hours=9)) for each in "abcde"})
    fail_for(
        monkeypatch, proxied, {"a": status_error(400, "not written"), "c": status_error(400, "nor this")}
    )
    result = rescue(proxied, TEN_MINUTES, dry_run=False, limit=1_000)
    assert ([job["id"] for job in result.jobs], result.truncated) == (["b", "d", "e"], False)
    assert rescue(proxied, TEN_MINUTES, dry_run=False, limit=1).jobs == []


def test_error_that_may_pass_means_that_there_are_more(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put_all({each: a_running_job(last_seen=ago(hours=9)) for each in "abc"})
    with monkeypatch.context() as patch:
        fail_for(patch, proxied, {"b": unavailable("busy")})
        result = rescue(proxied, TEN_MINUTES, dry_run=False, limit=1_000)
        assert ([job["id"] for job in result.jobs], result.truncated) == (["a", "c"], True)
        with pytest.raises(ApiError) as refused:
            rescue(proxied, TEN_MINUTES, dry_run=False, limit=1_000)
        assert refused.value.status == 503
    assert run(proxied) == ["b"]


def test_connectors_that_cannot_be_looked_for_are_not_gone(
    proxied: Store, stored: Stored, proxy: FaultProxy
) -> None:
    stored.put("a", orphan("pending", "c1"))
    answer = '{"docs": [{"_id": "c1", "error": {"type": "no_shard_available_action_exception", "reason": "away"}}]}'
    with proxy.responding(to("/_mget"), 200, answer), pytest.raises(ApiError) as refused:
        run(proxied)
    assert refused.value.status == 503
    assert stored.source("a")["status"] == "pending"


def test_orphans_of_many_connectors_are_found(
    proxied: Store, stored: Stored, connectors: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More connectors than are looked for at once, and more jobs than a page."""
    monkeypatch.setattr(operation, "CONNECTORS", 3)
    monkeypatch.setattr(walks, "PAGE", 4)
    connectors.put_all({f"x{number}": a_connector() for number in range(0, 10, 3)})
    stored.put_all({f"j{number}": orphan("suspended", f"x{number % 10}") for number in range(40)})
    gone = sorted(f"j{number}" for number in range(40) if number % 10 % 3)
    assert sorted(run(proxied)) == gone
