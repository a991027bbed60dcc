"""What can be done with sync jobs: one function per use case, plain values in and out, else an `ApiError`.

A missing job is worded in two ways, as the original does: `_check_in` and `_stats` in a sentence, the others with just the
id, unless the index itself is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app import clock
from app.compatibility import Compatibility
from app.connectors.document import is_deleted
from app.errors import ApiError, index_not_found, not_found, status_error
from app.protocol import SyncStatus
from app.store import Store
from app.store.documents import new_id, with_id
from app.store.failures import IndexMissing
from app.store.index_definitions import CONNECTORS
from app.store.scripts import Responses, Script, Verdict, load
from app.store.search import WINDOW
from app.sync_jobs import paging
from app.sync_jobs.document import new_sync_job
from app.sync_jobs.errors import claim_error, finished_error, missing_error, transition_error
from app.sync_jobs.queries import list_search
from app.sync_jobs.states import FINISHED, TRANSITIONS

CANCEL = load(__package__, "cancel")
CLAIM = load(__package__, "claim")
FAIL = load(__package__, "error")
CHECK_IN = load(__package__, "check_in")
STATS = load(__package__, "stats")


@dataclass(frozen=True, slots=True)
class SyncJobList:
    """A page of jobs: `count` of all that meet the filters, the page's documents with their ids, and where it ends.

    `search_after` continues the walk that asked for it; None at its end, and in lists that are no walk.
    """

    count: int
    results: list[dict[str, Any]]
    search_after: str | None


def create(store: Store, connector_id: str, job_type: str, trigger_method: str) -> str:
    """Create a job for a connector, with a snapshot of the connector in it; the id of the new job."""
    try:
        connector = store.connectors.get(connector_id)
    except IndexMissing:
        raise index_not_found(CONNECTORS.name) from None
    if connector is None or is_deleted(connector):
        raise not_found(f"Connector with id '{connector_id}' does not exist.")
    # A connector that cannot be read is refused as such, whatever else it lacks.
    document = new_sync_job(connector_id, connector, job_type, trigger_method, clock.now())
    if not connector.get("index_name"):
        raise status_error(
            400,
            f"Cannot start a sync for connector [{connector_id}] with no index attached. "
            "Set the [index_name] property for the connector to enable syncing data.",
        )
    if not connector.get("service_type"):
        raise status_error(
            400,
            f"Cannot start a sync for connector [{connector_id}] with [service_type] not defined. "
            "Set the service type of your connector before starting the sync.",
        )
    sync_job_id = new_id()
    store.sync_jobs.create(sync_job_id, document)
    return sync_job_id


def get(store: Store, sync_job_id: str) -> dict[str, Any]:
    """The job's document as it is stored, its id first."""
    try:
        job = store.sync_jobs.get(sync_job_id)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if job is None:
        raise not_found(sync_job_id)
    return with_id(sync_job_id, job)


def list_(
    store: Store,
    *,
    compatibility: Compatibility,
    offset: int = 0,
    size: int = 100,
    connector_id: str | None = None,
    statuses: Sequence[str] = (),
    job_types: Sequence[str] = (),
    order: str | None = None,
    search_after: str | None = None,
) -> SyncJobList:
    """The jobs that meet all filters, by `created_at` (`order` is `asc` or `desc`, None for the mode's), those without one last.

    `search_after` walks the list page by page: an empty text starts, the token of a page continues. A walk meets each job
    exactly once, whatever is updated meanwhile, since what it sorts by never changes.
    """
    order = order or compatibility.job_order
    after = paging.position(order, search_after) if search_after else None
    search = list_search(
        connector_id,
        statuses,
        job_types,
        order=order,
        offset=offset,
        size=size,
        after=after,
        # A step of the caller's walk is one search.
        limit=compatibility.page_limit if search_after is None else WINDOW,
        count_limit=compatibility.count_limit,
    )
    page = store.sync_jobs.search(search)
    goes_on = search_after is not None and page.hits and len(page.hits) == size
    return SyncJobList(
        count=page.total,
        results=[with_id(hit.id, hit.source) for hit in page.hits],
        search_after=paging.token(order, page.hits[-1].sort_values) if goes_on else None,
    )


def delete(store: Store, sync_job_id: str) -> None:
    """Delete the job, whatever its status."""
    try:
        deleted = store.sync_jobs.delete(sync_job_id)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if not deleted:
        raise not_found(sync_job_id)


def cancel(store: Store, sync_job_id: str) -> str:
    """End a job that nobody runs, ask the worker of a running one to stop; the result, `updated`."""
    params = {"transitions": TRANSITIONS, "now": clock.now()}
    responses = {Verdict.REFUSED: partial(transition_error, SyncStatus.CANCELING)}
    return _transition(store, sync_job_id, CANCEL, params, responses)


def check_in(store: Store, sync_job_id: str, *, compatibility: Compatibility) -> str:
    """Note that the job's worker is alive; the result, `updated`."""
    return _heartbeat(store, sync_job_id, CHECK_IN, {"now": clock.now()}, {}, compatibility)


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
    responses: Responses = {Verdict.DUPLICATE: "noop", Verdict.REFUSED: partial(claim_error, sync_job_id)}
    return _transition(store, sync_job_id, CLAIM, params, responses)


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
    *,
    compatibility: Compatibility,
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
