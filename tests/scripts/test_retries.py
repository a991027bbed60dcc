"""A transition whose response was lost is neither carried out twice nor refused when it is retried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.store.bulk import RETRY_ON_CONFLICT
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from app.store.scripts import Outcome, Verdict
from app.sync_jobs import endings, locks, updates
from app.sync_jobs.rescue import RESCUE
from app.sync_jobs.states import FINISHED, TRANSITIONS
from tests.scripts.conftest import ABSURDLY_EARLY, CONNECTOR, JOB

NOW = clock.now()
COMMON = {"transitions": TRANSITIONS, "now": NOW}
CLAIM = COMMON | {
    "worker_hostname": "worker-1",
    "sync_cursor": {"a": 1},
    "resend_window": 0,
    "restartable": [],
}
MANY = {"only": {"connector_id": None, "job_types": None, "statuses": ["pending"]}}
SILENT = {"idle_for": 0, "tolerance": 0, "threshold": "0s", "dry_run": False}
ORPHANED = SILENT | {"idle_for": None}
RELEASE = COMMON | {
    "counters": {"indexed_document_count": 5},
    "metadata": {"a": 1},
    "sync_cursor": {"b": 1},
    "worker_hostname": None,
}
SENT = [
    (updates.CANCEL, COMMON, "pending"),
    (updates.CANCEL, COMMON, "in_progress"),
    (updates.CLAIM, CLAIM, "pending"),
    (updates.CLAIM, CLAIM | {"restartable": FINISHED}, "completed"),
    (updates.CANCEL, COMMON | MANY, "pending"),
    (RESCUE, COMMON | SILENT | {"from": "in_progress"}, "in_progress"),
    (RESCUE, COMMON | SILENT | {"from": "canceling"}, "canceling"),
    (RESCUE, COMMON | ORPHANED | {"from": "pending"}, "pending"),
    (RESCUE, COMMON | ORPHANED | {"from": "suspended"}, "suspended"),
    (endings.FAIL, COMMON | {"error": "it broke"}, "in_progress"),
    (endings.COMPLETE, RELEASE | {"from": "in_progress", "to": "completed"}, "in_progress"),
    (endings.SUSPEND, RELEASE | {"from": "in_progress", "to": "suspended"}, "in_progress"),
    (endings.CONFIRM_CANCEL, RELEASE | {"from": "canceling", "to": "canceled"}, "canceling"),
]
HEARTBEAT = {"finished": FINISHED, "now": NOW}
STATS = HEARTBEAT | {
    "last_seen": NOW,
    "last_seen_stated": False,
    "counters": {"indexed_document_count": 2**40},
    "metadata": {"a": 1},
}
HEARTBEATS = [
    (updates.CHECK_IN, HEARTBEAT, "in_progress"),
    (updates.STATS, STATS, "in_progress"),
    (updates.STATS, STATS | {"metadata": None}, "pending"),
]


def send(
    store, elasticsearch, script, params, *, is_retry, index=SYNC_JOBS.alias, document_id=JOB
) -> Outcome:
    """Send a script as the store does, with an explicit `is_retry`."""
    response = elasticsearch.update(
        index=index,
        id=document_id,
        script={"source": script.source, "params": params | {"is_retry": is_retry}},
        source_includes=["verdict"],
        retry_on_conflict=RETRY_ON_CONFLICT,
    )
    return script.outcome(response["result"], response["get"].get("_source"))


@pytest.mark.parametrize(("script", "params", "start"), [*SENT, *HEARTBEATS])
def test_retry_of_a_request_that_took_effect_succeeds(
    store, elasticsearch, put_job, stored_job, script, params, start
) -> None:
    put_job({"status": start})
    assert send(store, elasticsearch, script, params, is_retry=False).verdict is Verdict.UPDATED
    before = stored_job()
    outcome = send(store, elasticsearch, script, params, is_retry=True)
    assert outcome.verdict is Verdict.DONE
    assert stored_job() == before


@pytest.mark.parametrize(("script", "params", "start"), SENT)
def test_second_request_that_is_no_retry_is_refused(
    store, elasticsearch, put_job, stored_job, script, params, start
) -> None:
    """Two requests may have the same timestamp; only a retry may take the effect of the first for its own."""
    put_job({"status": start})
    send(store, elasticsearch, script, params, is_retry=False)
    assert send(store, elasticsearch, script, params, is_retry=False).verdict is Verdict.REFUSED


@pytest.mark.parametrize(("script", "params", "start"), SENT)
def test_retry_after_the_effect_of_another_request_is_refused(
    store, elasticsearch, put_job, script, params, start
) -> None:
    put_job({"status": start})
    send(store, elasticsearch, script, params | {"now": "2024-01-01T00:00:00Z"}, is_retry=False)
    assert send(store, elasticsearch, script, params, is_retry=True).verdict is Verdict.REFUSED


def test_retry_succeeds_after_a_later_change_of_the_job(store, elasticsearch, put_job) -> None:
    """Between request and retry, the worker wrote `canceled`, or somebody canceled the claimed job."""
    put_job(
        {"status": "canceled", "cancelation_requested_at": NOW, "canceled_at": "2024-01-01T00:00:00+00:00"}
    )
    assert send(store, elasticsearch, updates.CANCEL, COMMON, is_retry=True).verdict is Verdict.DONE
    put_job({"status": "canceling", "claimed_at": NOW, "worker_hostname": "worker-1"})
    assert send(store, elasticsearch, updates.CLAIM, CLAIM, is_retry=True).verdict is Verdict.DONE


@pytest.mark.parametrize(
    ("script", "params", "start"), [each for each in SENT if each[1].keys() >= RELEASE.keys()]
)
def test_end_that_its_worker_repeats_is_a_duplicate(
    store, elasticsearch, put_job, stored_job, script, params, start
) -> None:
    """Whatever the times, and also where the service itself has sent the second request twice."""
    params = params | {"worker_hostname": "worker-1"}
    put_job({"status": start, "worker_hostname": "worker-1"})
    send(store, elasticsearch, script, params | {"now": "2024-01-01T00:00:00Z"}, is_retry=False)
    before = stored_job()
    for is_retry in (False, True):
        outcome = send(store, elasticsearch, script, params, is_retry=is_retry)
        assert outcome.verdict is Verdict.DUPLICATE
    outcome = send(store, elasticsearch, script, params | {"worker_hostname": "worker-2"}, is_retry=True)
    assert (outcome.verdict, outcome.details) == (Verdict.NOT_HELD, {"worker_hostname": "worker-1"})
    assert stored_job() == before


@pytest.mark.parametrize(
    ("script", "params", "start"),
    [each for each in (*SENT, *HEARTBEATS) if each[0] not in (updates.CANCEL, updates.CLAIM, RESCUE)],
)
def test_request_of_another_worker_is_refused_before_all_else(
    store, elasticsearch, put_job, stored_job, script, params, start
) -> None:
    """Whatever the status, and also where it looks like the effect of this request."""
    for status in (start, "completed", "resting"):
        before = {"status": status, "worker_hostname": "worker-1", "last_seen": NOW, "completed_at": NOW}
        put_job(before)
        for is_retry in (False, True):
            sent = params | {"worker_hostname": "worker-2"}
            outcome = send(store, elasticsearch, script, sent, is_retry=is_retry)
            assert outcome.verdict is Verdict.NOT_HELD
        assert stored_job() == before


FREEING = {
    "job_id": JOB,
    "kind": "content",
    "status_field": "last_sync_status",
    "result": {"last_synced": NOW, "last_sync_status": "completed"},
    "repeated": False,
    "ended_at": NOW,
}
LOCKED = {"last_sync_status": "in_progress", "last_synced": "2024-01-01T00:00:00Z"}


def free(store, elasticsearch, *, is_retry, **changes) -> Verdict:
    outcome = send(
        store,
        elasticsearch,
        locks.FREE,
        FREEING | changes,
        is_retry=is_retry,
        index=CONNECTORS.alias,
        document_id=CONNECTOR,
    )
    return outcome.verdict


def test_retry_of_a_freeing_that_took_effect_succeeds(
    store, elasticsearch, put_connector, stored_connector
) -> None:
    """Also where the connector was locked for the next job meanwhile."""
    put_connector(LOCKED)
    assert free(store, elasticsearch, is_retry=False) is Verdict.UPDATED
    freed = stored_connector()
    for connector in (freed, freed | {"last_sync_status": "in_progress"}):
        put_connector(connector)
        assert free(store, elasticsearch, is_retry=True) is Verdict.DONE
        assert stored_connector() == connector


@pytest.mark.parametrize("is_retry", [False, True])
def test_freeing_that_did_not_take_effect_does_so_later(
    store, elasticsearch, put_connector, stored_connector, is_retry
) -> None:
    put_connector(LOCKED)
    assert free(store, elasticsearch, is_retry=is_retry) is Verdict.UPDATED
    assert stored_connector() == FREEING["result"]


def test_first_freeing_does_not_depend_on_clocks(store, elasticsearch, put_connector) -> None:
    """Another program's clock may be ahead."""
    put_connector(LOCKED | {"last_synced": "2999-01-01T00:00:00Z"})
    assert free(store, elasticsearch, is_retry=False) is Verdict.UPDATED


@pytest.mark.parametrize(
    ("synced", "verdict"),
    [
        ("2024-01-01T00:00:00.000001+00:00", Verdict.UPDATED),
        ("2024-01-01T00:00:00.000002Z", Verdict.UNCHANGED),
        ("2024-01-01T02:00:00.000002+02:00", Verdict.UNCHANGED),
        ("2024-01-01T00:00:00.000003Z", Verdict.UNCHANGED),
        (None, Verdict.UPDATED),
        (["2024-01-02"], Verdict.UPDATED),
    ],
)
def test_repeated_freeing_takes_effect_unless_the_connector_was_freed_since(
    store, elasticsearch, put_connector, synced, verdict
) -> None:
    """`ended_at` is the end of the job. Where it cannot be read, the lock is taken for the job's."""
    ended = {"repeated": True, "ended_at": "2024-01-01T00:00:00.000002Z"}
    put_connector(LOCKED | {"last_synced": synced})
    assert free(store, elasticsearch, is_retry=False, **ended) is verdict
    put_connector(LOCKED | {"last_synced": synced})
    assert free(store, elasticsearch, is_retry=False, repeated=True, ended_at=None) is Verdict.UPDATED


def test_deleted_connector_is_missing(store, elasticsearch, put_connector) -> None:
    for is_retry in (False, True):
        put_connector(LOCKED | {"deleted": True})
        assert free(store, elasticsearch, is_retry=is_retry) is Verdict.MISSING


@pytest.mark.parametrize("is_retry", [False, True])
def test_lock_of_another_job_holds_also_on_a_retry(store, elasticsearch, put_connector, is_retry) -> None:
    put_connector(
        LOCKED | {"sync_locks": {"content": {"job": "other", "at": 2**41, "synced": LOCKED["last_synced"]}}}
    )
    assert free(store, elasticsearch, is_retry=is_retry) is Verdict.HELD


# A job right after worker-1 claimed it with a cursor, with timestamps as another program writes them.
HELD = {
    "status": "in_progress",
    "worker_hostname": "worker-1",
    "connector": {"sync_cursor": {"a": 1.0, "b": [{}, None]}},
}


ABSURD = [*ABSURDLY_EARLY, 2**63 - 1]


def hold(started: datetime, seen: datetime | None = None, **other) -> dict:
    return HELD | {"started_at": started.isoformat(), "last_seen": clock.iso(seen or started)} | other


def claim(store, **changes) -> str:
    values = {
        "worker_hostname": "worker-1",
        "sync_cursor": {"b": [{}, None], "a": 1.0},
        "resend_window": 60.0,
        "compatibility": DOCUMENTED,
    }
    return updates.claim(store, JOB, **(values | changes))


def test_claim_sent_again_by_its_worker_is_a_noop(store, put_job, stored_job) -> None:
    document = hold(datetime.now(UTC) - timedelta(seconds=50))
    put_job(document)
    assert claim(store) == "noop"
    assert stored_job() == document


@pytest.mark.parametrize(
    ("document", "changes"),
    [
        (hold(datetime.now(UTC)), {"worker_hostname": "worker-2"}),
        (hold(datetime.now(UTC)), {"sync_cursor": {"a": 1.0}}),
        (hold(datetime.now(UTC)), {"sync_cursor": None}),
        (hold(datetime.now(UTC), connector={}), {}),
        (hold(datetime.now(UTC)), {"resend_window": 0.0}),
        (hold(datetime.now(UTC) - timedelta(seconds=61)), {}),
        (hold(datetime.now(UTC) - timedelta(seconds=9), datetime.now(UTC)), {}),
        (hold(datetime.now(UTC), worker_hostname=""), {"worker_hostname": ""}),
        (hold(datetime.now(UTC), status="canceling"), {}),
        (hold(datetime.now(UTC), started_at="soon", last_seen=None), {}),
        *((hold(datetime.now(UTC), started_at=never, last_seen=never), {}) for never in ABSURD),
    ],
    ids=[
        "another worker",
        "another cursor",
        "no cursor",
        "cursor that is not stored",
        "no window",
        "too late",
        "after a heartbeat",
        "no name",
        "canceling",
        "unreadable timestamp",
        *map(str, ABSURD),
    ],
)
def test_claim_that_is_no_duplicate_is_refused(store, put_job, stored_job, document, changes) -> None:
    put_job({key: value for key, value in document.items() if value != "soon"})
    with pytest.raises(ApiError) as refused:
        claim(store, **changes)
    assert refused.value.status == 409


def test_refused_claim_omits_an_unknown_start(store, put_job) -> None:
    put_job({"status": "in_progress", "worker_hostname": "worker-1"})
    with pytest.raises(ApiError) as refused:
        claim(store)
    assert (refused.value.cause.reason or "").endswith(". Sync job [job] was claimed by [worker-1].")


def test_refused_claim_names_the_holder(store, put_job) -> None:
    put_job(hold(datetime(2024, 1, 1, tzinfo=UTC)))
    with pytest.raises(ApiError) as refused:
        claim(store, worker_hostname="worker-2")
    assert refused.value.cause.type == "status_exception"
    assert refused.value.cause.reason == (
        "Invalid transition attempt from [in_progress] to [in_progress]. Such a ConnectorSyncStatus transition is not "
        "supported by the Connector Protocol. Sync job [job] was claimed by [worker-1] at [2024-01-01T00:00:00+00:00]."
    )
