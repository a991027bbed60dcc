"""The endpoints of sync jobs: read the request, call one operation, render its result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.context import settings, store
from app.redaction import masked_sync_job
from app.sync_jobs import creating, operations, updates
from app.sync_jobs.schemas import (
    ClaimBody,
    CreateBody,
    CreateParameters,
    ErrorBody,
    ListParameters,
    StatsBody,
    existing_sync_job_id,
    written_sync_job_id,
)
from app.wire.authorization import caller_name, may_manage
from app.wire.endpoint import endpoint
from app.wire.rendering import json_response

blueprint = Blueprint("sync_jobs", __name__, url_prefix="/_connector/_sync_job")


def _redacted(sync_job: dict[str, Any]) -> dict[str, Any]:
    """The job as the caller may see it."""
    return sync_job if may_manage() else masked_sync_job(sync_job)


@blueprint.post("")
@endpoint(action="sync_job/post", body=CreateBody, query=CreateParameters, takes_idempotency_key=True)
def create(body: dict[str, Any], query: dict[str, Any], idempotency_key: str | None) -> Response:
    """Create a job for a connector."""
    request = creating.JobRequest(body["id"], body["job_type"], body["trigger_method"], query["if_active"])
    if idempotency_key is None:
        made = creating.create(store(), request)
    else:
        made = creating.create_once(store(), request, caller_name(), idempotency_key)
    return json_response({"id": made.id}, made.status)


@blueprint.get("")
@endpoint(action="sync_job/list", query=ListParameters)
def list_(query: dict[str, Any]) -> Response:
    """List jobs by their creation, a page at a time."""
    page = operations.list_(store(), **query, compatibility=settings().compatibility)
    shown: dict[str, Any] = {"count": page.count, "results": [_redacted(job) for job in page.results]}
    if page.search_after is not None:
        shown["search_after"] = page.search_after
    return json_response(shown)


@blueprint.get("/<segment:connector_sync_job_id>")
@endpoint(action="sync_job/get", validate_path=existing_sync_job_id)
def get(connector_sync_job_id: str) -> Response:
    """Get a job."""
    return json_response(_redacted(operations.get(store(), connector_sync_job_id)))


@blueprint.delete("/<segment:connector_sync_job_id>")
@endpoint(action="sync_job/delete", validate_path=written_sync_job_id)
def delete(connector_sync_job_id: str) -> Response:
    """Delete a job."""
    operations.delete(store(), connector_sync_job_id)
    return json_response({"acknowledged": True})


@blueprint.put("/<segment:connector_sync_job_id>/_cancel")
@endpoint(action="sync_job/cancel", validate_path=written_sync_job_id)
def cancel(connector_sync_job_id: str) -> Response:
    """Cancel a waiting job at once, or ask the worker of a running one to stop."""
    return json_response({"result": updates.cancel(store(), connector_sync_job_id)})


@blueprint.put("/<segment:connector_sync_job_id>/_check_in")
@endpoint(action="sync_job/check_in", validate_path=written_sync_job_id)
def check_in(connector_sync_job_id: str) -> Response:
    """Record a heartbeat of the job's worker."""
    return json_response(
        {"result": updates.check_in(store(), connector_sync_job_id, settings().compatibility)}
    )


@blueprint.put("/<segment:connector_sync_job_id>/_claim")
@endpoint(action="sync_job/claim", body=ClaimBody, validate_path=written_sync_job_id)
def claim(connector_sync_job_id: str, body: dict[str, Any]) -> Response:
    """Claim a waiting job for a worker."""
    result = updates.claim(
        store(),
        connector_sync_job_id,
        body["worker_hostname"],
        body.get("sync_cursor"),
        settings().claim_resend_window,
        settings().compatibility,
    )
    return json_response({"result": result})


@blueprint.put("/<segment:connector_sync_job_id>/_error")
@endpoint(action="sync_job/update_error", body=ErrorBody, validate_path=written_sync_job_id)
def error(connector_sync_job_id: str, body: dict[str, Any]) -> Response:
    """End a running job with an error."""
    return json_response({"result": updates.fail(store(), connector_sync_job_id, body["error"])})


@blueprint.put("/<segment:connector_sync_job_id>/_stats")
@endpoint(action="sync_job/update_stats", body=StatsBody, validate_path=written_sync_job_id)
def stats(connector_sync_job_id: str, body: dict[str, Any]) -> Response:
    """Store the counters of the job's worker."""
    counters = {key: value for key, value in body.items() if key not in ("last_seen", "metadata")}
    result = updates.report_stats(
        store(),
        connector_sync_job_id,
        counters,
        body.get("last_seen"),
        body.get("metadata"),
        settings().compatibility,
    )
    return json_response({"result": result})
