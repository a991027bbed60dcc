"""The endpoints of sync jobs in the API reference."""

from __future__ import annotations

from typing import Final

from app.api_reference.declarations import Example, Operation
from app.api_reference.example_values import CONNECTOR_ID, JOB_ID, MASKED, SYNC_JOB, UPDATED, WORKER, selected
from app.api_reference.responses import (
    Acknowledged,
    Id,
    Result,
    SyncJobs,
)
from app.api_reference.stored_documents import SyncJob

_COUNTERS: Final = {"indexed_document_count": 120, "deleted_document_count": 3, "indexed_document_volume": 8}
_FIND: Final = ("no_job",)
_REPORT: Final = ("no_job_to_report", "finished", "not_held")
_END: Final = ("no_job", "job_status", "not_held")


def _ending(examples: dict[str, Example], notes: str) -> Operation:
    return Operation(Result, examples, notes, _END, is_extension=True)


OPERATIONS: Final = {
    "sync_jobs.create": Operation(
        Id,
        {
            "created": Example(
                "A full sync", {"id": JOB_ID}, 201, body={"id": CONNECTOR_ID, "job_type": "full"}
            ),
            "once": Example(
                "A request that may be sent again",
                {"id": JOB_ID},
                201,
                body={"id": CONNECTOR_ID, "job_type": "incremental", "trigger_method": "scheduled"},
                headers={"Idempotency-Key": "nightly-2026-01-31"},
            ),
            "active": Example(
                "The active job, where there is one",
                {"id": JOB_ID},
                body={"id": CONNECTOR_ID, "job_type": "full"},
                query={"if_active": "return"},
            ),
        },
        "The job keeps a snapshot of its connector, which later changes of the connector do not reach.\n\n"
        "Difference: an `access_control` job needs an index, too; a soft-deleted connector is missing.",
        ("no_connector_to_sync", "active", "key_used"),
    ),
    "sync_jobs.list_": Operation(
        SyncJobs,
        {
            "filtered": Example(
                "Unfinished jobs of a connector, with some of their fields",
                {
                    "count": 1,
                    "results": [{"id": JOB_ID, "status": "in_progress", "worker_hostname": "worker-1"}],
                },
                query={
                    "connector_id": CONNECTOR_ID,
                    "status": ["pending", "in_progress"],
                    "filter_path": ["count", *selected("id", "status", "worker_hostname")],
                },
            ),
            "walk": Example(
                "The first page of a walk",
                {"count": 1, "results": [{"id": JOB_ID}], "search_after": "WzE3Njk4NTAwMDAsIk5ncmgiXQ"},
                query={
                    "search_after": "",
                    "size": 1,
                    "filter_path": ["count", "search_after", *selected("id")],
                },
            ),
        },
        "Oldest first; ties by id, jobs without `created_at` last. `from + size` reaches 100,000, `size` 10,000.\n\n"
        "Difference: the original lists the newest first, counts up to 10,000 and takes one `status`; with "
        "`COMPATIBILITY=elasticsearch`, order, counts and pages are the original's. " + MASKED,
    ),
    "sync_jobs.get": Operation(SyncJob, {"running": Example("A running job", SYNC_JOB)}, MASKED, _FIND),
    "sync_jobs.delete": Operation(
        Acknowledged, {"deleted": Example("Any job", {"acknowledged": True})}, errors=_FIND
    ),
    "sync_jobs.cancel": Operation(
        Result,
        {"canceled": Example("A job that waits or runs", UPDATED)},
        "A waiting job becomes `canceled`, a running one `canceling`.",
        ("no_job", "job_status"),
    ),
    "sync_jobs.check_in": Operation(
        Result,
        {"recorded": Example("A running job", UPDATED, query=WORKER)},
        "Difference: the original accepts heartbeats of finished jobs, as this service does with "
        "`COMPATIBILITY=elasticsearch`. `last_seen` never moves backwards.",
        _REPORT,
    ),
    "sync_jobs.claim": Operation(
        Result,
        {"claimed": Example("A job that waits", UPDATED, body={**WORKER, "sync_cursor": {"page": 9}})},
        "Within `CLAIM_RESEND_WINDOW` the winner may send its claim again: `noop`.\n\n"
        "Difference: the original lets any job be claimed, by several workers. Here a job has one winner; with "
        "`COMPATIBILITY=elasticsearch`, finished jobs start again. The cursor is replaced, not merged.",
        ("no_job", "claimed"),
    ),
    "sync_jobs.error": Operation(
        Result,
        {"failed": Example("A running job", UPDATED, body={"error": "The source is away"}, query=WORKER)},
        "Difference: sets `completed_at` and `last_seen`, too, and frees the connector. The text may be of any length.",
        _END,
    ),
    "sync_jobs.stats": Operation(
        Result,
        {
            "reported": Example(
                "Counters of the whole job so far",
                UPDATED,
                body={**_COUNTERS, "metadata": {"pages": 9}},
                query=WORKER,
            )
        },
        "Counters are totals, not increments; `metadata` is merged. It is a heartbeat, too.\n\n"
        "Difference: finished jobs refuse it, unless `COMPATIBILITY=elasticsearch` is set. No `last_seen` goes beyond now.",
        _REPORT,
    ),
    "sync_jobs.complete": _ending(
        {
            "completed": Example(
                "The last report, with the cursor for the next sync",
                UPDATED,
                body={**_COUNTERS, "sync_cursor": {"page": 9}},
                query=WORKER,
            )
        },
        "Sent again with `worker_hostname`, it changes nothing: `noop`. It frees the connector.",
    ),
    "sync_jobs.suspend": _ending(
        {
            "suspended": Example(
                "The cursor where the next worker goes on",
                UPDATED,
                body={**_COUNTERS, "sync_cursor": {"page": 4}},
                query=WORKER,
            )
        },
        "The job waits for its next claim, and keeps `started_at`, its counters and its cursor.",
    ),
    "sync_jobs.confirm_cancel": _ending(
        {"canceled": Example("A job that is `canceling`", UPDATED, body=_COUNTERS, query=WORKER)},
        "Sent again with `worker_hostname`, it changes nothing: `noop`. It frees the connector.",
    ),
}
