"""The errors of sync jobs. `job` is what a script says of the stored job: its status and, of a claim, who holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import ApiError, Cause, illegal_argument, not_found, status_error
from app.protocol import SyncStatus
from app.sync_jobs.states import TRANSITIONS

_INVALID_TRANSITION = "connector_sync_job_invalid_status_transition_exception"


def missing_error(sync_job_id: str) -> ApiError:
    """404 in a sentence: there is no such job, or no index of jobs at all."""
    return not_found(f"connector sync job [{sync_job_id}] not found")


def transition_error(target: SyncStatus, job: Mapping[str, Any]) -> ApiError:
    """400: the job's status does not lead to `target`, or is none."""
    status = job["status"]
    if status not in TRANSITIONS:
        return illegal_argument(f"Unknown ConnectorSyncStatus [{'null' if status is None else status}].")
    reason = _refusal(status, target)
    return status_error(400, reason, Cause(_INVALID_TRANSITION, reason))


def claim_error(sync_job_id: str, job: Mapping[str, Any]) -> ApiError:
    """409: the job cannot be claimed; the holder is named, if there is one."""
    status, holder, claimed = job["status"], job["worker_hostname"], job["claimed_at"]
    reason = _refusal("null" if status is None else status, SyncStatus.IN_PROGRESS)
    cause = Cause(_INVALID_TRANSITION, reason)
    if holder is not None and status in (SyncStatus.IN_PROGRESS, SyncStatus.CANCELING):
        when = "" if claimed is None else f" at [{claimed}]"
        reason += f" Sync job [{sync_job_id}] was claimed by [{holder}]{when}."
    return status_error(409, reason, cause)


def active_error(connector_id: str, sync_job_id: str, job_type: str, status: str) -> ApiError:
    """409: the connector has an active job of that type, this one."""
    return status_error(
        409,
        f"Connector [{connector_id}] already has an active sync job [{sync_job_id}] "
        f"of type [{job_type}] with status [{status}].",
    )


def finished_error(sync_job_id: str, job: Mapping[str, Any]) -> ApiError:
    """409: the job takes no more heartbeats."""
    return status_error(
        409,
        f"Sync job [{sync_job_id}] is finished with status [{job['status']}] "
        "and takes no more heartbeats or stats.",
    )


def not_held_error(sync_job_id: str, worker_hostname: Any, job: Mapping[str, Any]) -> ApiError:
    """409: the request is for the worker that holds the job, and that is another one, or none."""
    holder = "no worker" if job["worker_hostname"] is None else f"[{job['worker_hostname']}]"
    return status_error(409, f"Sync job [{sync_job_id}] is held by {holder}, not by [{worker_hostname}].")


def _refusal(current: str, target: str) -> str:
    return (
        f"Invalid transition attempt from [{current}] to [{target}]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )
