"""The locks of connectors: one job of a kind at a time.

Workers take the connector document as their lock: a status field of it, one for each kind, is `in_progress` while a job of the kind
runs. The public worker sets and clears it by direct writes. A claim through this API that sets it notes for which job it did
so, in `sync_locks` of the connector, which no response shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from app import clock
from app.errors import ApiError
from app.protocol import ConnectorStatus, SyncKind, SyncStatus
from app.store import Store
from app.store.bulk import Change
from app.store.scripts import load

log = structlog.get_logger(__name__)

FREE: Final = load(__package__, "free_connector")

ENDED_FIELDS: Final = (
    "connector.id",
    "deleted_document_count",
    "error",
    "indexed_document_count",
    "job_type",
    "status",
)
"""What `free_connectors` needs to know of a job."""


def free_connectors(
    store: Store, ended: Mapping[str, Mapping[str, Any]], sync_cursor: Mapping[str, Any] | None = None
) -> None:
    """Leave the results of jobs on their connectors, and unlock these. `ended` has the `ENDED_FIELDS` of each job, by its id.

    `sync_cursor` is where the next incremental job goes on, if the jobs' worker has said so.
    It raises nothing: the jobs have ended in any case. What it could not free is logged.
    """
    now = clock.now()
    changes = {
        job_id: change for job_id, job in ended.items() if (change := _freeing(job_id, job, now, sync_cursor))
    }
    try:
        outcomes = store.connectors.transition_all(list(changes.values()))
    except ApiError as error:
        outcomes = [error] * len(changes)
    for (job_id, change), outcome in zip(changes.items(), outcomes, strict=True):
        if isinstance(outcome, ApiError):
            log.warning(
                "connector_not_freed",
                connector_id=change.document_id,
                sync_job_id=job_id,
                reason=outcome.cause.reason,
            )


def _freeing(
    job_id: str, job: Mapping[str, Any], now: str, sync_cursor: Mapping[str, Any] | None
) -> Change | None:
    """None for a job that does not say whose it is."""
    connector = job.get("connector")
    connector_id = connector.get("id") if isinstance(connector, Mapping) else None
    if not isinstance(connector_id, str):
        return None
    kind = SyncKind.of(job.get("job_type"))
    params = {
        "job_id": job_id,
        "kind": kind,
        "status_field": kind.status_field,
        "result": _result(kind, job, now, sync_cursor),
    }
    return Change(connector_id, FREE, params)


def _result(
    kind: SyncKind, job: Mapping[str, Any], now: str, sync_cursor: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the connector keeps of the job: the fields that the public worker writes."""
    failed, error = job["status"] == SyncStatus.ERROR, job.get("error")
    result = {
        "last_synced": now,
        "status": ConnectorStatus.ERROR if failed else ConnectorStatus.CONNECTED,
        "error": error,
        kind.status_field: job["status"],
        kind.error_field: error,
    }
    if job["status"] != SyncStatus.SUSPENDED:
        counts = ("indexed_document_count", "deleted_document_count")
        result |= {f"last_{each}": job[each] for each in counts if job.get(each) is not None}
    if kind is SyncKind.CONTENT and job["status"] == SyncStatus.COMPLETED and sync_cursor is not None:
        result["sync_cursor"] = sync_cursor
    return result
