"""The endpoints for many sync jobs in the API reference."""

from __future__ import annotations

from typing import Final

from app.api_reference.declarations import Example, Operation
from app.api_reference.example_values import CLAIMED_AT, CONNECTOR_ID, JOB_ID, WORKER, selected
from app.api_reference.responses import (
    CanceledJobs,
    ClaimedJobs,
    Heartbeats,
    PrunedJobs,
    RescuedJobs,
    Summary,
)
from app.sync_jobs.states import TRANSITIONS

_NO_JOBS: Final = dict.fromkeys(TRANSITIONS, 0)

OPERATIONS: Final = {
    "sync_jobs.claim_next": Operation(
        ClaimedJobs,
        {
            "claimed": Example(
                "The next job of some service types; waits for one",
                {"results": [{"id": JOB_ID, "connector": {"id": CONNECTOR_ID}, "status": "in_progress"}]},
                body={
                    "worker_hostname": "worker-1",
                    "service_types": ["postgresql"],
                    "wait": "20s",
                    "request_id": "7f0c",
                },
                query={"filter_path": selected("id", "connector.id", "status")},
            )
        },
        "At most one job of a connector and kind runs: full and incremental jobs are one kind, `access_control` is the "
        "other. An empty list says that there is no job. The client must wait for longer than `wait`.",
        is_extension=True,
    ),
    "many_sync_jobs.check_in": Operation(
        Heartbeats,
        {
            "recorded": Example(
                "One job is to be canceled, another is gone",
                {
                    "items": [
                        {"id": JOB_ID, "result": "updated", "status": "canceling"},
                        {
                            "id": "another",
                            "error": {
                                "type": "resource_not_found_exception",
                                "reason": "connector sync job [another] not found",
                            },
                            "status_code": 404,
                        },
                    ]
                },
                body={**WORKER, "ids": [JOB_ID, "another"]},
            )
        },
        "The error of one job has no effect on the others.",
        is_extension=True,
    ),
    "many_sync_jobs.cancel": Operation(
        CanceledJobs,
        {
            "canceled": Example(
                "What waits of a connector",
                {"canceled": 1, "canceling": 0, "conflicts": 0},
                body={"connector_id": CONNECTOR_ID, "statuses": ["pending", "suspended"]},
            )
        },
        "At least one filter is needed. Where it takes longer than a minute, the response is 503; sent again, it goes on.",
        ("no_filter",),
        is_extension=True,
    ),
    "many_sync_jobs.end_abandoned": Operation(
        RescuedJobs,
        {
            "rescued": Example(
                "Jobs whose workers have been silent for ten minutes",
                {
                    "rescued": [
                        {
                            "id": JOB_ID,
                            "connector_id": CONNECTOR_ID,
                            "worker_hostname": "worker-1",
                            "status": "in_progress",
                            "last_seen": CLAIMED_AT,
                        }
                    ],
                    "truncated": False,
                },
                body={"idle_for": "10m", "limit": 100},
            )
        },
        "Running jobs with silent workers become `error` or `canceled`; waiting ones whose connector is gone, `canceled`.",
        is_extension=True,
    ),
    "many_sync_jobs.prune": Operation(
        PrunedJobs,
        {
            "counted": Example("How many would be deleted", {"would_delete": 1}, body={"keep_last": 0}),
            "deleted": Example(
                "All jobs that ended 30 days ago",
                {"deleted": 1},
                body={"finished_for": "30d", "keep_last": 0, "dry_run": False},
            ),
        },
        "`dry_run` is true unless sent.",
        is_extension=True,
    ),
    "many_sync_jobs.show_summary": Operation(
        Summary,
        {
            "one_running": Example(
                "One running job",
                {
                    "by_status": {**_NO_JOBS, "in_progress": 1},
                    "by_connector": [
                        {"connector_id": CONNECTOR_ID, "by_status": {**_NO_JOBS, "in_progress": 1}}
                    ],
                    "oldest_pending": None,
                    "longest_idle": {"id": JOB_ID, **WORKER, "last_seen": CLAIMED_AT},
                    "unclaimed": 0,
                    "idle": 0,
                    "locked_without_job": 0,
                    "leader": None,
                },
                query={"unclaimed_for": "5m", "idle_for": "10m"},
            )
        },
        is_extension=True,
    ),
}
