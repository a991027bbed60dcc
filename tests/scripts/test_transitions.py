"""Every script against every status of a job and against invalid ones; the table of transitions says what is legal."""

from __future__ import annotations

from typing import Any

import pytest

from app.compatibility import DOCUMENTED, ELASTICSEARCH
from app.errors import ApiError
from app.protocol import SyncKind
from app.store import Store
from app.sync_jobs import endings, updates
from app.sync_jobs.locks import free_connectors
from app.sync_jobs.states import FINISHED, TRANSITIONS
from tests.scripts.conftest import ABSURDLY_EARLY, CONNECTOR, JOB

# Invalid values that other programs may leave in the field `status`.
INVALID_STATUSES: dict[str, dict[str, Any]] = {
    "absent": {},
    "null": {"status": None},
    "unknown": {"status": "resting"},
    "upper case": {"status": "PENDING"},
    "a number": {"status": 7},
    "a list": {"status": ["pending"]},
}


REPORT = endings.Report({"indexed_document_count": 5}, {"new": 1})


def cancel(store: Store) -> str:
    return updates.cancel(store, JOB)


def claim(store: Store) -> str:
    return updates.claim(store, JOB, "worker-1", {"cursor": 1}, 60, compatibility=DOCUMENTED)


def fail(store: Store) -> str:
    return endings.fail(store, JOB, "it broke")


def complete(store: Store) -> str:
    return endings.complete(store, JOB, endings.Report())


def suspend(store: Store) -> str:
    return endings.suspend(store, JOB, endings.Report())


def confirm_cancel(store: Store) -> str:
    return endings.confirm_cancel(store, JOB, endings.Report())


def check_in(store: Store) -> str:
    return updates.check_in(store, JOB, compatibility=DOCUMENTED)


def stats(store: Store) -> str:
    return updates.report_stats(store, JOB, REPORT, compatibility=DOCUMENTED)


# For each operation: its target, the statuses from which it is legal, and the status code of a refusal.
MOVES = [
    (cancel, "canceled", [s for s, to in TRANSITIONS.items() if "canceled" in to and s != "canceling"], 400),
    (cancel, "canceling", [s for s, to in TRANSITIONS.items() if "canceling" in to], 400),
    (claim, "in_progress", [s for s, to in TRANSITIONS.items() if "in_progress" in to], 409),
    (fail, "error", [s for s, to in TRANSITIONS.items() if "error" in to], 400),
    (complete, "completed", [s for s, to in TRANSITIONS.items() if "completed" in to], 400),
    (suspend, "suspended", [s for s, to in TRANSITIONS.items() if "suspended" in to], 400),
    # Jobs that no worker runs are canceled without one.
    (
        confirm_cancel,
        "canceled",
        [s for s, to in TRANSITIONS.items() if "canceled" in to and "error" in to],
        400,
    ),
]
LEGAL = [(act, start, target) for act, target, starts, _ in MOVES for start in starts]
REFUSED = [
    (act, start, status)
    for act, status in dict.fromkeys((act, status) for act, _, _, status in MOVES)
    for start in TRANSITIONS
    if (act, start) not in {(a, s) for a, s, _ in LEGAL}
]


def test_cases_cover_every_operation_and_status() -> None:
    assert len(LEGAL) + len(REFUSED) == 6 * len(TRANSITIONS) == 42


@pytest.mark.parametrize(("act", "start", "target"), LEGAL, ids=lambda v: getattr(v, "__name__", v))
def test_legal_transition(store, put_job, stored_job, act, start, target) -> None:
    put_job({"status": start, "kept": [1, {"a": None}], "metadata": {"kept": True}})
    assert act(store) == "updated"
    job = stored_job()
    assert job["status"] == target
    assert job["kept"] == [1, {"a": None}]
    assert job["metadata"] == {"kept": True}
    assert "verdict" not in job


@pytest.mark.parametrize(("act", "start", "status"), REFUSED, ids=lambda v: getattr(v, "__name__", v))
def test_illegal_transition_changes_nothing(store, put_job, stored_job, act, start, status) -> None:
    before = {"status": start, "kept": 1}
    put_job(before)
    with pytest.raises(ApiError) as refused:
        act(store)
    assert refused.value.status == status
    assert refused.value.cause.type == "status_exception"
    assert f"Invalid transition attempt from [{start}] to [" in (refused.value.cause.reason or "")
    assert stored_job() == before


@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
@pytest.mark.parametrize(
    ("act", "status"),
    [(cancel, 400), (claim, 409), (fail, 400), (complete, 400), (suspend, 400), (confirm_cancel, 400)],
)
def test_transition_from_an_invalid_status_is_refused(
    store, put_job, stored_job, act, status, document
) -> None:
    put_job(document)
    with pytest.raises(ApiError) as refused:
        act(store)
    assert refused.value.status == status
    assert stored_job() == document


@pytest.mark.parametrize("act", [check_in, stats])
@pytest.mark.parametrize("start", TRANSITIONS)
def test_heartbeats_are_accepted_until_the_job_is_finished(store, put_job, stored_job, act, start) -> None:
    before = {"status": start, "last_seen": "2024-01-01T00:00:00+00:00"}
    put_job(before)
    if start in FINISHED:
        with pytest.raises(ApiError) as refused:
            act(store)
        assert refused.value.status == 409
        assert refused.value.cause.reason == (
            f"Sync job [{JOB}] is finished with status [{start}] and takes no more heartbeats or stats."
        )
        assert stored_job() == before
    else:
        assert act(store) == "updated"
        assert stored_job()["status"] == start
        assert stored_job()["last_seen"].endswith("Z")


def claim_as_elasticsearch(store: Store) -> str:
    return updates.claim(store, JOB, "worker-1", {"cursor": 1}, 60, compatibility=ELASTICSEARCH)


def check_in_as_elasticsearch(store: Store) -> str:
    return updates.check_in(store, JOB, compatibility=ELASTICSEARCH)


def stats_as_elasticsearch(store: Store) -> str:
    return updates.report_stats(store, JOB, REPORT, compatibility=ELASTICSEARCH)


# What says how a job ended, and what stays of it when it starts again.
ENDED = dict.fromkeys(["canceled_at", "cancelation_requested_at", "completed_at"], "2024-01-01T00:00:00Z")


@pytest.mark.parametrize("start", TRANSITIONS)
def test_decision_47_claims_of_all_but_held_jobs(store, put_job, stored_job, start) -> None:
    before = {"status": start, "kept": 1, "error": "it broke", **ENDED}
    put_job(before)
    if start in ("in_progress", "canceling"):
        with pytest.raises(ApiError) as refused:
            claim_as_elasticsearch(store)
        assert refused.value.status == 409
        assert stored_job() == before
    else:
        assert claim_as_elasticsearch(store) == "updated"
        job = stored_job()
        assert (job["status"], job["worker_hostname"], job["kept"]) == ("in_progress", "worker-1", 1)
        assert job["connector"] == {"sync_cursor": {"cursor": 1}}
        ends = {"error", *ENDED}
        assert job.keys() & ends == (set() if start in FINISHED else ends)


@pytest.mark.parametrize("act", [check_in_as_elasticsearch, stats_as_elasticsearch])
@pytest.mark.parametrize("start", TRANSITIONS)
def test_decision_47_heartbeats_of_every_job(store, put_job, stored_job, act, start) -> None:
    before = {"status": start, "last_seen": "2024-01-01T00:00:00+00:00", "error": "it broke", **ENDED}
    put_job(before)
    assert act(store) == "updated"
    job = stored_job()
    assert job["last_seen"].endswith("Z")
    assert {key: job[key] for key in before if key != "last_seen"} == {
        key: value for key, value in before.items() if key != "last_seen"
    }


@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
def test_decision_47_job_with_an_invalid_status_is_not_claimed(store, put_job, stored_job, document) -> None:
    put_job(document)
    with pytest.raises(ApiError) as refused:
        claim_as_elasticsearch(store)
    assert refused.value.status == 409
    assert stored_job() == document


@pytest.mark.parametrize("act", [check_in, stats])
@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
def test_heartbeats_of_a_job_with_an_invalid_status_are_accepted(
    store, put_job, stored_job, act, document
) -> None:
    put_job(document)
    assert act(store) == "updated"
    assert stored_job()["last_seen"].endswith("Z")


@pytest.mark.parametrize(
    "document",
    [{}, {"connector": None}, {"connector": []}, {"connector": {"id": "c", "sync_cursor": {"old": 1}}}],
    ids=["absent", "null", "empty list", "with a cursor"],
)
def test_claim_sets_a_cursor_on_any_document(store, put_job, stored_job, document) -> None:
    put_job({"status": "pending"} | document)
    assert claim(store) == "updated"
    assert stored_job()["connector"]["sync_cursor"] == {"cursor": 1}


# --- The connector of a job that ends ---

# The statuses in which a worker leaves its job.
LEFT = sorted({to for start in ("in_progress", "canceling") for to in TRANSITIONS[start]} - {"canceling"})
KINDS = {"full": SyncKind.CONTENT, "incremental": SyncKind.CONTENT, "access_control": SyncKind.ACCESS_CONTROL}


def end(store: Store, status: str = "completed", job_type: str = "full") -> None:
    job = {
        "connector": {"id": CONNECTOR},
        "job_type": job_type,
        "status": status,
        "indexed_document_count": 5,
    }
    free_connectors(store, {JOB: job | ({"error": "it broke"} if status == "error" else {})})


def test_cases_cover_every_status_that_ends_a_run() -> None:
    assert LEFT == ["canceled", "completed", "error", "suspended"]


@pytest.mark.parametrize("job_type", KINDS)
@pytest.mark.parametrize("status", LEFT)
def test_locked_connector_gets_the_status_of_its_job(
    store, put_connector, stored_connector, status, job_type
) -> None:
    """In the fields of the job's kind, whatever the other kind does."""
    mine, other = KINDS[job_type], next(kind for kind in SyncKind if kind is not KINDS[job_type])
    before = {mine.status_field: "in_progress", other.status_field: "in_progress", "kept": [1, {"a": None}]}
    put_connector(before)
    end(store, status, job_type)
    error = "it broke" if status == "error" else None
    after = stored_connector()
    assert after == before | {
        mine.status_field: status,
        mine.error_field: error,
        "error": error,
        "status": "error" if status == "error" else "connected",
        "last_synced": after["last_synced"],
        **({} if status == "suspended" else {"last_indexed_document_count": 5}),
    }


@pytest.mark.parametrize("job_type", KINDS)
@pytest.mark.parametrize(
    "stored",
    [
        *(each for each in TRANSITIONS if each != "in_progress"),
        None,
        "resting",
        "IN_PROGRESS",
        7,
        ["in_progress"],
    ],
    ids=str,
)
def test_connector_that_is_not_locked_stays(store, put_connector, stored_connector, stored, job_type) -> None:
    mine, other = KINDS[job_type], next(kind for kind in SyncKind if kind is not KINDS[job_type])
    before = {mine.status_field: stored, other.status_field: "in_progress", "kept": 1}
    put_connector(before)
    end(store, job_type=job_type)
    assert stored_connector() == before


OWNERS = {
    "this job": ({"job": JOB, "at": 1_000, "synced": 900}, True),
    "another job": ({"job": "other", "at": 1_000, "synced": 900}, False),
    "another job, freed since": ({"job": "other", "at": 500, "synced": 400}, True),
    "another job, freed for the first time since": ({"job": "other", "at": 500}, True),
    "this job, freed since": ({"job": JOB, "at": 500, "synced": 400}, True),
    "no time": ({"job": "other"}, True),
    "no object": (["other"], True),
    "nothing": (None, True),
}


@pytest.mark.parametrize("kind", SyncKind)
@pytest.mark.parametrize(("owner", "freed"), OWNERS.values(), ids=OWNERS.keys())
def test_lock_that_a_claim_noted_is_for_its_job(
    store, put_connector, stored_connector, kind, owner, freed
) -> None:
    """Unless the connector was freed since: what the claim noted is history then."""
    job_type = next(each for each, its_kind in KINDS.items() if its_kind is kind)
    before = {kind.status_field: "in_progress", "last_synced": 900, "sync_locks": {kind: owner, "other": {}}}
    put_connector(before)
    end(store, job_type=job_type)
    after = stored_connector()
    if freed:
        assert (after[kind.status_field], after["sync_locks"]) == ("completed", {"other": {}})
    else:
        assert after == before


@pytest.mark.parametrize(
    "synced", [None, [], 0, "900", "1970-01-01T00:00:00.9+00:00", *ABSURDLY_EARLY], ids=str
)
def test_lock_of_another_job_holds_however_the_last_sync_is_written(
    store, put_connector, stored_connector, synced
) -> None:
    before = {
        "last_sync_status": "in_progress",
        "last_synced": synced,
        "sync_locks": {"content": {"job": "other", "at": 1_000, "synced": synced}},
    }
    put_connector(before)
    end(store)
    assert stored_connector() == before
