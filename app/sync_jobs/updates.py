"""Changes of a sync job that goes on, and its cancellation: one function per endpoint.

Each returns its result, and raises an `ApiError` where it is refused. How a worker ends its job stands in `endings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from app import clock
from app.compatibility import Compatibility
from app.protocol import SyncStatus
from app.store import Store
from app.store.scripts import Responses, Script, Verdict, load
from app.sync_jobs.endings import Report
from app.sync_jobs.errors import claim_error, finished_error, missing_error, transition_error
from app.sync_jobs.states import FINISHED, TRANSITIONS
from app.sync_jobs.transitions import transition

CANCEL = load(__package__, "cancel")
CLAIM = load(__package__, "claim")
CHECK_IN = load(__package__, "check_in")
STATS = load(__package__, "stats")


def cancel(store: Store, sync_job_id: str) -> str:
    """End a job that nobody runs, ask the worker of a running one to stop; the result, `updated`."""
    params = {"transitions": TRANSITIONS, "now": clock.now()}
    responses = {Verdict.REFUSED: partial(transition_error, SyncStatus.CANCELING)}
    return transition(store, sync_job_id, CANCEL, params, responses)


def check_in(
    store: Store,
    sync_job_id: str,
    worker_hostname: str | None = None,
    *,
    compatibility: Compatibility,
) -> str:
    """Note that the job's worker is alive; the result, `updated`."""
    params = {"now": clock.now(), "worker_hostname": worker_hostname}
    return _heartbeat(store, sync_job_id, CHECK_IN, params, {}, compatibility)


def claim(
    store: Store,
    sync_job_id: str,
    worker_hostname: str,
    sync_cursor: Mapping[str, Any] | None,
    resend_window: float,
    *,
    compatibility: Compatibility,
) -> str:
    """Take a waiting job for a worker: one winner. The result, `updated`, or `noop` for the winner's claim sent again.

    A winner may send its claim again for `resend_window` seconds, as long as nothing has touched the job since. Where finished
    is not final, a finished job starts again.
    """
    params = claim_params(worker_hostname, sync_cursor, resend_window, compatibility=compatibility)
    responses: Responses = {
        Verdict.DUPLICATE: "noop",
        Verdict.REFUSED: partial(claim_error, sync_job_id),
    }
    return transition(store, sync_job_id, CLAIM, params, responses)


def claim_params(
    worker_hostname: str,
    sync_cursor: Mapping[str, Any] | None,
    resend_window: float,
    *,
    compatibility: Compatibility,
) -> dict[str, Any]:
    """The parameters of the claim script, as of now."""
    return {
        "transitions": TRANSITIONS,
        "restartable": [] if compatibility.finished_is_final else FINISHED,
        "now": clock.now(),
        "worker_hostname": worker_hostname,
        "sync_cursor": sync_cursor,
        "resend_window": int(resend_window * 1000),
        "token": None,
        "expires_at": None,
    }


def report_stats(
    store: Store,
    sync_job_id: str,
    report: Report,
    last_seen: str | None = None,
    worker_hostname: str | None = None,
    *,
    compatibility: Compatibility,
) -> str:
    """Overwrite the job's counters, and note that its worker is alive; the result.

    That is `noop` where nothing changed though the report says when the worker was alive, else `updated`.
    """
    now = clock.now()
    params = {
        "now": now,
        "counters": report.counters,
        "last_seen": last_seen or now,
        "last_seen_stated": last_seen is not None,
        "metadata": report.metadata,
        "worker_hostname": worker_hostname,
    }
    responses = {Verdict.UNCHANGED: "updated" if last_seen is None else "noop"}
    return _heartbeat(store, sync_job_id, STATS, params, responses, compatibility)


def _heartbeat(
    store: Store,
    sync_job_id: str,
    script: Script,
    params: Mapping[str, Any],
    responses: Responses,
    compatibility: Compatibility,
) -> str:
    params = {"finished": FINISHED if compatibility.finished_is_final else [], **params}
    responses = {Verdict.FINISHED: partial(finished_error, sync_job_id), **responses}
    return transition(store, sync_job_id, script, params, responses, missing=missing_error)
