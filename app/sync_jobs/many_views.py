"""The endpoints for many sync jobs at once. Their names are never ids of jobs, see `app.wire.routing`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.context import store
from app.sync_jobs import many, rescue, retention, summary
from app.sync_jobs.schemas.many import (
    CancelManyBody,
    CheckInManyBody,
    PruneBody,
    RescueBody,
    SummaryParameters,
)
from app.wire.endpoint import endpoint
from app.wire.rendering import error_object, json_response

blueprint = Blueprint("many_sync_jobs", __name__, url_prefix="/_connector/_sync_job")


@blueprint.post("/_check_in")
@endpoint(action="sync_job/check_in_many", body=CheckInManyBody)
def check_in(body: dict[str, Any]) -> Response:
    """Record the heartbeats of a worker for its jobs."""
    heartbeats = many.check_in_all(store(), body["worker_hostname"], body["ids"])
    return json_response({"items": [_item(heartbeat) for heartbeat in heartbeats]})


def _item(heartbeat: many.Heartbeat) -> dict[str, Any]:
    if heartbeat.error is None:
        return {"id": heartbeat.sync_job_id, "result": "updated", "status": heartbeat.status}
    error = heartbeat.error
    return {"id": heartbeat.sync_job_id, "error": error_object(error), "status_code": error.status}


@blueprint.post("/_cancel")
@endpoint(action="sync_job/cancel_many", body=CancelManyBody)
def cancel(body: dict[str, Any]) -> Response:
    """Cancel all jobs that match."""
    return json_response(many.cancel_all(store(), **body))


@blueprint.post("/_rescue")
@endpoint(action="sync_job/rescue", body=RescueBody, body_optional=True)
def end_abandoned(body: dict[str, Any]) -> Response:
    """End the jobs that no worker will end."""
    rescued = rescue.rescue(store(), **body)
    return json_response({"rescued": rescued.jobs, "truncated": rescued.truncated})


@blueprint.post("/_prune")
@endpoint(action="sync_job/prune", body=PruneBody, body_optional=True)
def prune(body: dict[str, Any]) -> Response:
    """Delete jobs that ended long ago."""
    count = retention.prune(store(), **body)
    return json_response({"would_delete" if body["dry_run"] else "deleted": count})


@blueprint.get("/_summary")
@endpoint(action="sync_job/summary", query=SummaryParameters)
def show_summary(query: dict[str, Any]) -> Response:
    """Show how the jobs are doing."""
    return json_response(summary.summary(store(), **query))
