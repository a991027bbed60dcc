"""Changes of a sync job: one function per endpoint; each returns its result and raises an `ApiError` where it is refused.

A missing job is worded in two ways, as the original does: `_check_in` and `_stats` in a sentence, the others with just the
id, unless the index itself is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app import clock
from app.compatibility import DOCUMENTED, Compatibility
from app.errors import ApiError, not_found
from app.protocol import SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.store.scripts import Responses, Script, Verdict, load
from app.sync_jobs.errors import claim_error, finished_error, missing_error, transition_error
from app.sync_jobs.states import FINISHED, TRANSITIONS

CANCEL = load(__package__, "cancel")
CLAIM = load(__package__, "claim")
FAIL = load(__package__, "error")
CHECK_IN = load(__package__, "check_in")
STATS = load(__package__, "stats")


def cancel(store: Store, sync_job_id: str) -> str:
    """End a job that nobody runs, ask the worker of a running one to stop; the result, `updated`."""
    params = {"transitions": TRANSITIONS, "now": clock.now()}
    responses = {Verdict.REFUSED: partial(transition_error, SyncStatus.CANCELING)}
    return _transition(store, sync_job_id, CANCEL, params, responses)


def check_in(store: Store, sync_job_id: str, compatibility: Compatibility = DOCUMENTED) -> str:
    """Note that the job's worker is alive; the result, `updated`."""
    return _heartbeat(store, sync_job_id, CHECK_IN, {"now": clock.now()}, {}, compatibility)


def claim(
    store: Store,
    sync_job_id: str,
    worker_hostname: str,
    sync_cursor: Mapping[str, Any] | None,
    resend_window: float,
    compatibility: Compatibility = DOCUMENTED,
) -> str:
    """Take a waiting job for a worker: one winner. The result, `updated`, or `noop` for the winner's claim sent again.

    A winner may send its claim again for `resend_window` seconds, as long as nothing has touched the job since. Where finished
    is not final, a finished job starts again.
    """
    params = claim_params(worker_hostname, sync_cursor, resend_window, compatibility)
    responses: Responses = {
        Verdict.DUPLICATE: "noop",
        Verdict.REFUSED: partial(claim_error, sync_job_id),
    }
    return _transition(store, sync_job_id, CLAIM, params, responses)


def claim_params(
    worker_hostname: str,
    sync_cursor: Mapping[str, Any] | None,
    resend_window: float,
    compatibility: Compatibility = DOCUMENTED,
) -> dict[str, Any]:
    """The parameters of the claim script, as of now."""
    return {
        "transitions": TRANSITIONS,
        "restartable": [] if compatibility.finished_is_final else FINISHED,
        "now": clock.now(),
        "worker_hostname": worker_hostname,
        "sync_cursor": sync_cursor,
        "resend_window": int(resend_window * 1000),
    }


def fail(store: Store, sync_job_id: str, error: str) -> str:
    """End a running job with an error; the result, `updated`."""
    params = {"transitions": TRANSITIONS, "now": clock.now(), "error": error}
    responses = {Verdict.REFUSED: partial(transition_error, SyncStatus.ERROR)}
    return _transition(store, sync_job_id, FAIL, params, responses)


def report_stats(
    store: Store,
    sync_job_id: str,
    counters: Mapping[str, int],
    last_seen: str | None,
    metadata: Mapping[str, Any] | None,
    compatibility: Compatibility = DOCUMENTED,
) -> str:
    """Overwrite the job's counters, and note that its worker is alive; the result.

    That is `noop` where nothing changed though the report says when the worker was alive, else `updated`.
    """
    now = clock.now()
    params = {
        "now": now,
        "counters": counters,
        "last_seen": last_seen or now,
        "last_seen_stated": last_seen is not None,
        "metadata": metadata,
    }
    responses = {Verdict.UNCHANGED: "updated" if last_seen is None else "noop"}
    return _heartbeat(store, sync_job_id, STATS, params, responses, compatibility)


def _transition(
    store: Store,
    sync_job_id: str,
    script: Script,
    params: Mapping[str, Any],
    responses: Responses,
    *,
    missing: Callable[[str], ApiError] = not_found,
) -> str:
    """The result of a script: `updated` where it did its work, else what `responses` say; `missing` makes the 404."""
    try:
        outcome = store.sync_jobs.transition(sync_job_id, script, params)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if outcome is None:
        raise missing(sync_job_id)
    return outcome.respond({Verdict.UPDATED: "updated", Verdict.DONE: "updated", **responses})


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
    return _transition(store, sync_job_id, script, params, responses, missing=missing_error)
