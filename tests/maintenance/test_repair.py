"""Connectors whose locks and jobs disagree are repaired, and others are left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.store import Store
from app.sync_jobs import repair
from app.sync_jobs.repair import Repair
from tests.documents import ID, Stored, a_connector, a_job

pytestmark = pytest.mark.usefixtures("service")

STATUS = {"full": "last_sync_status", "access_control": "last_access_control_sync_status"}


def ago(seconds: float) -> str:
    return clock.iso(datetime.now(UTC) - timedelta(seconds=seconds))


def ended(status: str = "completed", seconds: float = 120, **other: Any) -> dict[str, Any]:
    """A job that ran, and ended so long ago."""
    return a_job(status, started_at=ago(9999), last_seen=ago(seconds), completed_at=ago(seconds), **other)


def always() -> bool:
    return True


def never_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been seen for long enough."""
    monkeypatch.setattr(repair, "SEEN_LOCKED_SECONDS", 1e9)
    monkeypatch.setattr(repair, "SEEN_RUNNING_SECONDS", 1e9)


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "SEEN_LOCKED_SECONDS", 0)
    monkeypatch.setattr(repair, "SEEN_RUNNING_SECONDS", 0)


@pytest.mark.parametrize("job_type", STATUS)
@pytest.mark.parametrize("status", ["completed", "error", "suspended", "canceled"])
def test_lock_of_a_job_that_ended_is_freed_with_its_result(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch, job_type: str, status: str
) -> None:
    never_yet(monkeypatch)
    field = STATUS[job_type]
    connectors.put(ID, a_connector(**{field: "in_progress", "last_synced": ago(7200)}))
    jobs.put("older", ended("error", seconds=300, job_type=job_type, error="old"))
    jobs.put("latest", ended(status, job_type=job_type, error="it broke" if status == "error" else None))
    assert Repair(store).run(always) == 1
    found = connectors.source(ID)
    assert found[field] == status
    assert found["error"] == ("it broke" if status == "error" else None)
    assert found["last_synced"] > ago(60)
    assert Repair(store).run(always) == 0


@pytest.mark.parametrize(
    ("synced", "seconds", "job"),
    [
        pytest.param(7200, 30, {}, id="its worker may be about to free it"),
        pytest.param(10, 120, {}, id="freed since, and locked again"),
        pytest.param(7200, 120, {"job_type": "access_control"}, id="a job of the other kind"),
        pytest.param(7200, 120, {"status": "canceled", "started_at": None}, id="the job never ran"),
        pytest.param(7200, 9999, {"status": "in_progress"}, id="the job runs"),
    ],
)
def test_lock_that_may_be_in_use_is_left_alone(
    store: Store, connectors: Stored, jobs: Stored, writes, monkeypatch, synced: int, seconds: int, job: Any
) -> None:
    never_yet(monkeypatch)
    connectors.put(ID, a_connector(last_sync_status="in_progress", last_synced=ago(synced)))
    jobs.put("j1", ended(seconds=seconds) | {"job_type": "full"} | job)
    before = writes()
    assert Repair(store).run(always) == 0
    assert writes() == before


def test_lock_of_a_deleted_connector_is_left_alone(
    store: Store, connectors: Stored, jobs: Stored, writes, monkeypatch
) -> None:
    at_once(monkeypatch)
    connectors.put(ID, a_connector(last_sync_status="in_progress", last_synced=ago(7200), deleted=True))
    jobs.put("j1", ended())
    before = writes()
    assert Repair(store).run(always) == 0
    assert writes() == before


def test_lock_noted_for_another_job_is_not_freed_by_one_that_ended(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    never_yet(monkeypatch)
    synced = ago(7200)
    owner = {"job": "another", "token": "t", "at": 1, "former": None, "synced": synced}
    connectors.put(
        ID, a_connector(last_sync_status="in_progress", last_synced=synced, sync_locks={"content": owner})
    )
    jobs.put("j1", ended())
    assert Repair(store).run(always) == 0
    assert connectors.source(ID)["last_sync_status"] == "in_progress"


@pytest.mark.parametrize("former", ["completed", None])
def test_lock_that_nobody_uses_is_given_up_after_a_while(
    store: Store, connectors: Stored, monkeypatch, former: str | None
) -> None:
    owner = {"job": "never claimed", "token": "t", "at": 1, "former": former, "synced": None}
    connectors.put(ID, a_connector(last_sync_status="in_progress", sync_locks={"content": owner}))
    never_yet(monkeypatch)
    repairs = Repair(store)
    assert repairs.run(always) == 0
    monkeypatch.setattr(repair, "SEEN_LOCKED_SECONDS", 0)
    assert repairs.run(lambda: False) == 0
    assert repairs.run(always) == 1
    found = connectors.source(ID)
    assert found.get("last_sync_status") == former
    assert "sync_locks" not in found


def test_lock_that_was_freed_and_taken_again_counts_anew(
    store: Store, connectors: Stored, monkeypatch
) -> None:
    locked = a_connector(last_sync_status="in_progress")
    connectors.put(ID, locked | {"last_synced": ago(7200)})
    monkeypatch.setattr(repair, "SEEN_LOCKED_SECONDS", 50)
    repairs = Repair(store)
    now = [1000.0]
    monkeypatch.setattr(repair.time, "monotonic", lambda: now[0])
    repairs.run(always)
    now[0] += 49
    connectors.put(ID, locked | {"last_synced": ago(5)})
    assert repairs.run(always) == 0
    now[0] += 49
    assert repairs.run(always) == 0
    now[0] += 2
    assert repairs.run(always) == 1


def test_lock_that_changed_since_it_was_seen_stays(store: Store, connectors: Stored, monkeypatch) -> None:
    """A worker takes the lock between the look of the leader and its write."""
    at_once(monkeypatch)
    connectors.put(ID, a_connector(last_sync_status="in_progress", last_synced=ago(7200)))
    real = repair._latest

    def taken_meanwhile(*args: Any) -> Any:
        connectors.put(ID, a_connector(last_sync_status="in_progress", last_synced=ago(1)))
        return real(*args)

    monkeypatch.setattr(repair, "_latest", taken_meanwhile)
    assert Repair(store).run(always) == 0
    assert connectors.source(ID)["last_sync_status"] == "in_progress"


@pytest.mark.parametrize("job_type", STATUS)
def test_connector_of_a_running_job_is_locked_after_a_while(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch, job_type: str
) -> None:
    field = STATUS[job_type]
    connectors.put(ID, a_connector(**{field: "completed", "last_synced": ago(7200)}))
    jobs.put("j1", a_job("in_progress", job_type=job_type))
    never_yet(monkeypatch)
    repairs = Repair(store)
    assert repairs.run(always) == 0
    assert connectors.source(ID)[field] == "completed"
    monkeypatch.setattr(repair, "SEEN_RUNNING_SECONDS", 0)
    assert repairs.run(always) == 1
    assert connectors.source(ID)[field] == "in_progress"
    assert repairs.run(always) == 0


def test_lock_for_a_job_that_ended_meanwhile_is_taken_back(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    at_once(monkeypatch)
    connectors.put(ID, a_connector(last_sync_status="error"))
    jobs.put("j1", a_job("in_progress", job_type="full"))
    real = repair.lock_connectors

    def ended_meanwhile(*args: Any) -> Any:
        jobs.put("j1", ended())
        return real(*args)

    monkeypatch.setattr(repair, "lock_connectors", ended_meanwhile)
    assert Repair(store).run(always) == 0
    assert connectors.source(ID)["last_sync_status"] == "error"


def test_running_jobs_of_connectors_that_are_gone_lock_nothing(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    at_once(monkeypatch)
    connectors.put("deleted", a_connector(deleted=True, last_sync_status="completed"))
    for name in ("deleted", "missing"):
        jobs.put(name, a_job("in_progress", connector={"id": name}))
    assert Repair(store).run(always) == 0
    assert connectors.source("deleted")["last_sync_status"] == "completed"


def test_many_connectors_are_repaired_in_one_run(
    store: Store, connectors: Stored, jobs: Stored, monkeypatch
) -> None:
    never_yet(monkeypatch)
    monkeypatch.setattr(repair, "_CHUNK", 7)
    ids = [f"c{number}" for number in range(30)]
    locked = a_connector(last_sync_status="in_progress", last_synced=ago(7200))
    connectors.put_all(dict.fromkeys(ids, locked))
    jobs.put_all({f"job of {each}": ended(connector={"id": each}) for each in ids})
    assert Repair(store).run(always) == 30
    assert {connectors.source(each)["last_sync_status"] for each in ids} == {"completed"}
