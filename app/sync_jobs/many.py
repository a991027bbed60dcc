"""Changes of many jobs at once: each is decided and made on its own, and all are sent in as few requests as possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from app import clock
from app.errors import ApiError
from app.protocol import SyncStatus
from app.store import Store
from app.store.bulk import Change
from app.store.scripts import Outcome, Responses, Verdict
from app.sync_jobs.errors import finished_error, missing_error
from app.sync_jobs.queries import JobFilter, list_search
from app.sync_jobs.states import FINISHED, TRANSITIONS
from app.sync_jobs.transitions import respond
from app.sync_jobs.updates import CANCEL, CHECK_IN
from app.sync_jobs.walks import walk

log = structlog.get_logger(__name__)

_CANCELABLE = (SyncStatus.PENDING, SyncStatus.SUSPENDED, SyncStatus.IN_PROGRESS)
_CANCEL_RESPONSES: Responses = {
    Verdict.UPDATED: "canceled",
    Verdict.DONE: "canceled",
    Verdict.REFUSED: "conflict",
}


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What became of a heartbeat: the job's status after it, unless there is an `error`."""

    sync_job_id: str
    status: Any = None
    error: ApiError | None = None


def check_in_all(store: Store, worker_hostname: str, sync_job_ids: Sequence[str]) -> list[Heartbeat]:
    """Note that the worker of these jobs is alive; what became of each, in their order.

    Raises `ApiError` where Elasticsearch takes none of them.
    """
    params = {"now": clock.now(), "finished": FINISHED, "worker_hostname": worker_hostname}
    changes = [Change(each, CHECK_IN, params, ["status"]) for each in sync_job_ids]
    outcomes = store.sync_jobs.transition_all(changes)
    errors = [outcome for outcome in outcomes if isinstance(outcome, ApiError) and passes(outcome)]
    if errors and len(errors) == len(outcomes):
        raise errors[0]
    return [_heartbeat(each, outcome, params) for each, outcome in zip(sync_job_ids, outcomes, strict=True)]


def _heartbeat(sync_job_id: str, outcome: Outcome | ApiError | None, params: Mapping[str, Any]) -> Heartbeat:
    if outcome is None:
        return Heartbeat(sync_job_id, error=missing_error(sync_job_id))
    if isinstance(outcome, ApiError):
        return Heartbeat(sync_job_id, error=outcome)
    try:
        respond(outcome, sync_job_id, params, {Verdict.FINISHED: partial(finished_error, sync_job_id)})
    except ApiError as error:
        return Heartbeat(sync_job_id, error=error)
    return Heartbeat(sync_job_id, outcome.details.get("status"))


def cancel_all(
    store: Store,
    *,
    connector_id: str | None = None,
    job_types: Sequence[str] | None = None,
    statuses: Sequence[str] | None = None,
) -> dict[str, int]:
    """Cancel all jobs that meet all filters, as `updates.cancel` does; None filters nothing.

    How many became `canceled` and `canceling`, and how many (`conflicts`) had changed when it was their turn, or cannot be
    written at all. Raises `ApiError` 503 where not all was done; sent again, it goes on.
    """
    only = {"connector_id": connector_id, "job_types": job_types, "statuses": statuses}
    wanted = [each for each in _CANCELABLE if statuses is None or each in statuses]
    search = list_search(JobFilter(connector_id, wanted, job_types or ()))
    pages = walk(store.sync_jobs, search, fields=[]) if wanted else ()
    return _cancel(store, ([hit["_id"] for hit in hits] for hits in pages), only)


def cancel_these(store: Store, sync_job_ids: Sequence[str]) -> dict[str, int]:
    """Cancel these jobs, as `cancel_all` does those that match; `conflicts` are also those that are missing."""
    return _cancel(store, [sync_job_ids], dict.fromkeys(("connector_id", "job_types", "statuses")))


def _cancel(store: Store, pages: Iterable[Sequence[str]], only: Mapping[str, Any]) -> dict[str, int]:
    counts = {"canceled": 0, "canceling": 0, "conflicts": 0}
    failure = None
    for sync_job_ids in pages:
        params = {"transitions": TRANSITIONS, "now": clock.now(), "only": only}
        changes = [Change(each, CANCEL, params, ["status"]) for each in sync_job_ids]
        for change, outcome in zip(changes, store.sync_jobs.transition_all(changes), strict=True):
            if isinstance(outcome, ApiError) and passes(outcome):
                failure = outcome
            elif isinstance(outcome, Outcome) and outcome.respond(_CANCEL_RESPONSES) == "canceled":
                counts[outcome.details["status"]] += 1
            else:
                counts["conflicts"] += 1
                log_refused(change, outcome)
    if failure is not None:
        raise failure
    return counts


def passes(error: ApiError) -> bool:
    """Whether the error of a change is about now, not about the job: the change may succeed when it is sent again."""
    return error.status >= 500 or error.status == 429


def log_refused(change: Change, outcome: Outcome | ApiError | None) -> None:
    """Log a job that Elasticsearch does not write, since no response says which one it is."""
    if isinstance(outcome, ApiError):
        log.warning("sync_job_not_written", sync_job_id=change.document_id, reason=outcome.cause.reason)
