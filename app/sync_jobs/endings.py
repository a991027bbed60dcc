"""How a worker ends its job or leaves it for later: one function per endpoint; each frees the connector, too.

Each returns its result, and raises an `ApiError` where it is refused. With `worker_hostname`, only the worker that holds the job
may do so, and doing so once more is a `noop`, since the first response may have been lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app import clock
from app.protocol import SyncStatus
from app.store import Store
from app.store.scripts import Script, Verdict, load
from app.sync_jobs.errors import transition_error
from app.sync_jobs.locks import ENDED_FIELDS, free_connectors
from app.sync_jobs.states import TRANSITIONS
from app.sync_jobs.transitions import respond, send

FAIL = load(__package__, "error")
COMPLETE = load(__package__, "release", name="complete")
SUSPEND = load(__package__, "release", name="suspend")
CONFIRM_CANCEL = load(__package__, "release", name="confirm_cancel")


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker tells of its job: absolute counters, metadata to be merged, and where the next sync goes on."""

    counters: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    sync_cursor: Mapping[str, Any] | None = None


def fail(store: Store, sync_job_id: str, error: str, worker_hostname: str | None = None) -> str:
    """End a running job with an error, and free its connector; the result, `updated`."""
    params = {"error": error, "worker_hostname": worker_hostname}
    return _end(store, sync_job_id, FAIL, SyncStatus.ERROR, params)


def complete(store: Store, sync_job_id: str, report: Report, worker_hostname: str | None = None) -> str:
    """End a running job, its work done, and free its connector; the result."""
    change = COMPLETE, SyncStatus.IN_PROGRESS, SyncStatus.COMPLETED
    return _release(store, sync_job_id, change, report, worker_hostname)


def suspend(store: Store, sync_job_id: str, report: Report, worker_hostname: str | None = None) -> str:
    """Leave a running job for a later claim, and free its connector; the result."""
    change = SUSPEND, SyncStatus.IN_PROGRESS, SyncStatus.SUSPENDED
    return _release(store, sync_job_id, change, report, worker_hostname)


def confirm_cancel(store: Store, sync_job_id: str, report: Report, worker_hostname: str | None = None) -> str:
    """End a job that is to be canceled, now that its worker has stopped, and free its connector; the result."""
    change = CONFIRM_CANCEL, SyncStatus.CANCELING, SyncStatus.CANCELED
    return _release(store, sync_job_id, change, report, worker_hostname)


def _release(
    store: Store,
    sync_job_id: str,
    change: tuple[Script, SyncStatus, SyncStatus],
    report: Report,
    worker_hostname: str | None,
) -> str:
    script, current, target = change
    params = {
        "from": current,
        "to": target,
        "counters": report.counters,
        "metadata": report.metadata,
        "sync_cursor": report.sync_cursor,
        "worker_hostname": worker_hostname,
    }
    return _end(store, sync_job_id, script, target, params, report.sync_cursor)


def _end(
    store: Store,
    sync_job_id: str,
    script: Script,
    target: SyncStatus,
    params: Mapping[str, Any],
    sync_cursor: Mapping[str, Any] | None = None,
) -> str:
    """Let `script` take the job from its worker, and free the connector, which is a document of its own."""
    params = {"transitions": TRANSITIONS, "now": clock.now(), **params}
    outcome = send(store, sync_job_id, script, params, returns=ENDED_FIELDS)
    result = respond(
        outcome,
        sync_job_id,
        params,
        {Verdict.DUPLICATE: "noop", Verdict.REFUSED: partial(transition_error, target)},
    )
    # Also for a repeated request: the first one may not have come as far as the connector.
    repeated = outcome.verdict is Verdict.DUPLICATE
    free_connectors(store, {sync_job_id: outcome.details}, sync_cursor, repeated=repeated)
    return result
