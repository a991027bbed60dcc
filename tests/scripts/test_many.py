"""The scripts for many jobs at once against every status of a job and against invalid ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.store import Store
from app.store.scripts import Outcome, Verdict
from app.sync_jobs import many, updates
from app.sync_jobs.rescue import RESCUE
from app.sync_jobs.states import FINISHED, TRANSITIONS
from tests.scripts.conftest import ABSURDLY_EARLY, JOB
from tests.scripts.test_transitions import INVALID_STATUSES

NOW = clock.now()
LONG_AGO = "2024-01-01T00:00:00.000001Z"
ALL = {"connector_id": None, "job_types": None, "statuses": None}


def rescue(
    store: Store, current: str, idle_for: timedelta | None = timedelta(minutes=10), **changes: Any
) -> Outcome:
    """Send the script for a job that a search saw in the status `current`."""
    params = {
        "transitions": TRANSITIONS,
        "now": clock.now(),
        "from": current,
        "idle_for": None if idle_for is None else idle_for // timedelta(milliseconds=1),
        "threshold": "10m",
        "tolerance": 60_000,
        "dry_run": False,
    }
    outcome = store.sync_jobs.transition(JOB, RESCUE, params | changes)
    assert outcome is not None
    return outcome


def cancel(store: Store, **only: Any) -> Outcome:
    params = {"transitions": TRANSITIONS, "now": NOW, "only": ALL | only}
    outcome = store.sync_jobs.transition(JOB, updates.CANCEL, params)
    assert outcome is not None
    return outcome


def ends_as(current: str) -> str:
    """The status that a rescue leads to."""
    return "error" if current == "in_progress" else "canceled"


# What a search saw, and what the job is when the script meets it. Only equal ones that the table lets end are legal.
PAIRS = [(seen, stored) for seen in TRANSITIONS for stored in TRANSITIONS]
LEGAL = [(seen, stored) for seen, stored in PAIRS if seen == stored and ends_as(seen) in TRANSITIONS[stored]]


def test_every_unfinished_status_can_be_rescued() -> None:
    assert [seen for seen, _ in LEGAL] == [status for status in TRANSITIONS if status not in FINISHED]


@pytest.mark.parametrize("idle_for", [timedelta(minutes=10), None], ids=["silent", "orphaned"])
@pytest.mark.parametrize(("seen", "stored"), PAIRS)
def test_rescue_from_every_status(store, put_job, stored_job, seen, stored, idle_for) -> None:
    before = {"status": stored, "last_seen": LONG_AGO, "kept": [1, {"a": None}], "metadata": {"kept": True}}
    put_job(before)
    outcome = rescue(store, seen, idle_for)
    job = stored_job()
    if (seen, stored) not in LEGAL:
        assert (outcome.verdict, job) == (Verdict.REFUSED, before)
        return
    assert outcome.verdict is Verdict.UPDATED
    ran = seen in ("in_progress", "canceling")
    sets = {"status", "completed_at", "error" if ends_as(seen) == "error" else "canceled_at"}
    assert {key for key in job if job[key] != before.get(key)} == sets | ({"last_seen"} if ran else set())
    assert job["status"] == ends_as(seen)


@pytest.mark.parametrize("seen", TRANSITIONS)
@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
def test_rescue_from_an_invalid_status_is_refused(store, put_job, stored_job, document, seen) -> None:
    put_job(document)
    assert rescue(store, seen).verdict is Verdict.REFUSED
    assert stored_job() == document


@pytest.mark.parametrize("seen", [None, "resting", "PENDING", 7, ["in_progress"]], ids=str)
@pytest.mark.parametrize("stored", [*TRANSITIONS, None, "resting", 7])
def test_rescue_of_a_job_that_was_seen_in_an_invalid_status_is_refused(
    store, put_job, stored_job, seen, stored
) -> None:
    before = {"status": stored}
    put_job(before)
    assert rescue(store, seen).verdict is Verdict.REFUSED
    assert stored_job() == before


@pytest.mark.parametrize("status", TRANSITIONS)
def test_dry_run_changes_nothing_in_any_status(store, put_job, stored_job, status) -> None:
    before = {"status": status, "last_seen": LONG_AGO}
    put_job(before)
    expected = Verdict.REFUSED if status in FINISHED else Verdict.DRY_RUN
    assert rescue(store, status, dry_run=True).verdict is expected
    assert stored_job() == before


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
@pytest.mark.parametrize("ahead", [0, 1, 59, 61, 3600])
def test_later_of_both_clocks_counts(store, put_job, stored_job, status, ahead) -> None:
    """A service whose clock is slow does not take a recent heartbeat for one from the future; a minute is forgiven."""
    seen = datetime.now(UTC) + timedelta(seconds=ahead)
    put_job({"status": status, "last_seen": clock.iso(seen), "started_at": LONG_AGO})
    for slow in (timedelta(0), timedelta(minutes=30)):
        outcome = rescue(store, status, now=clock.iso(datetime.now(UTC) - slow), dry_run=True)
        assert outcome.verdict is (Verdict.REFUSED if ahead < 60 else Verdict.DRY_RUN)
    fast = clock.iso(datetime.now(UTC) + timedelta(hours=2))
    assert rescue(store, status, now=fast, dry_run=True).verdict is Verdict.DRY_RUN


@pytest.mark.parametrize(
    "stored", [*ABSURDLY_EARLY, 2**63 - 1, str(2**63 - 1), ["2024-01-01"], "2024-01-01T10"], ids=str
)
def test_rescue_of_a_job_with_absurd_timestamps(store, put_job, stored_job, stored) -> None:
    put_job({"status": "in_progress", "last_seen": stored, "started_at": stored, "created_at": stored})
    for idle_for in (timedelta.max, timedelta(0)):
        assert rescue(store, "in_progress", idle_for, dry_run=True).verdict is Verdict.DRY_RUN
    assert rescue(store, "in_progress").verdict is Verdict.UPDATED


# --- Cancel ---


@pytest.mark.parametrize("status", TRANSITIONS)
def test_cancel_of_matching_jobs_is_that_of_one(store, put_job, stored_job, status) -> None:
    before = {"status": status, "kept": 1}
    put_job(before)
    outcome = cancel(store, statuses=[status])
    job = stored_job()
    if status in ("pending", "suspended"):
        assert (outcome.verdict, job["status"]) == (Verdict.UPDATED, "canceled")
    elif status == "in_progress":
        assert (outcome.verdict, job["status"]) == (Verdict.UPDATED, "canceling")
    else:
        assert (outcome.verdict, job) == (Verdict.REFUSED, before)


@pytest.mark.parametrize("wanted", TRANSITIONS)
@pytest.mark.parametrize("status", TRANSITIONS)
def test_cancel_of_a_job_in_another_status_is_refused(store, put_job, stored_job, status, wanted) -> None:
    before = {"status": status}
    put_job(before)
    refused = cancel(store, statuses=[wanted]).verdict is Verdict.REFUSED
    assert refused == (stored_job() == before)
    assert refused or status == wanted


JOB_OF = {"status": "pending", "connector": {"id": "c1"}, "job_type": "full"}


@pytest.mark.parametrize(
    ("document", "only", "meant"),
    [
        (JOB_OF, {}, True),
        (JOB_OF, {"connector_id": "c1", "job_types": ["incremental", "full"], "statuses": ["pending"]}, True),
        (JOB_OF, {"connector_id": "c2"}, False),
        (JOB_OF, {"job_types": ["incremental"]}, False),
        (JOB_OF, {"statuses": ["suspended"]}, False),
        (JOB_OF | {"connector": {"id": 7}}, {"connector_id": "7"}, True),
        (JOB_OF | {"connector": [{"id": "c1"}]}, {"connector_id": "c1"}, True),
        (JOB_OF | {"connector": None}, {"connector_id": "c1"}, False),
        (JOB_OF | {"connector": []}, {"connector_id": "c1"}, False),
        (JOB_OF | {"connector": {}}, {"connector_id": "c1"}, False),
        ({"status": "pending"}, {"job_types": ["full"]}, False),
        ({"status": "pending"}, {"statuses": ["pending"]}, True),
    ],
    ids=str,
)
def test_cancel_looks_at_the_filter_again(store, put_job, stored_job, document, only, meant) -> None:
    put_job(document)
    assert cancel(store, **only).verdict is (Verdict.UPDATED if meant else Verdict.REFUSED)
    assert (stored_job() == document) is not meant


@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
def test_cancel_of_an_invalid_status_is_refused(store, put_job, stored_job, document) -> None:
    put_job(document)
    assert cancel(store).verdict is Verdict.REFUSED
    assert stored_job() == document


# --- Heartbeats ---


@pytest.mark.parametrize("holder", ["worker-1", "worker-2", None])
@pytest.mark.parametrize("status", [*TRANSITIONS, None, "resting"])
def test_heartbeats_of_many_from_every_status(store, put_job, stored_job, status, holder) -> None:
    before = {"status": status, "last_seen": LONG_AGO, "worker_hostname": holder}
    put_job(before)
    [heartbeat] = many.check_in_all(store, "worker-1", [JOB])
    if holder == "worker-1" and status not in FINISHED:
        assert (heartbeat.error, heartbeat.status) == (None, status)
        assert stored_job() | {"last_seen": LONG_AGO} == before
        assert stored_job()["last_seen"] > NOW
    else:
        assert heartbeat.error is not None
        assert heartbeat.error.status == 409
        assert stored_job() == before


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_heartbeat_after_a_later_one_shows_the_status(
    store, put_job, stored_job, monkeypatch, status
) -> None:
    """Nothing is written then."""
    before = {"status": status, "last_seen": NOW, "worker_hostname": "w"}
    put_job(before)
    monkeypatch.setattr(clock, "now", lambda: LONG_AGO)
    [heartbeat] = many.check_in_all(store, "w", [JOB])
    assert (heartbeat.error, heartbeat.status) == (None, status)
    assert stored_job() == before
