"""The endpoints of sync jobs: read the request, call one operation, render its result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from app.context import settings, store
from app.redaction import masked_sync_job
from app.sync_jobs import creating, endings, operations, updates
from app.sync_jobs.claiming import ClaimRequest, Claims
from app.sync_jobs.queries import ClaimFilter
from app.sync_jobs.schemas import (
    ClaimBody,
    ClaimNextBody,
    CreateBody,
    CreateParameters,
    CursorReportBody,
    ErrorBody,
    ListParameters,
    ReportBody,
    StatsBody,
    WorkerParameters,
    existing_sync_job_id,
    written_sync_job_id,
)
from app.wire.authorization import caller_name, may_manage
from app.wire.endpoint import endpoint
from app.wire.rendering import json_response
from app.wire.request_context import is_connected

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


@blueprint.post("/_claim")
@endpoint(action="sync_job/claim_next", body=ClaimNextBody)
def claim_next(body: dict[str, Any]) -> Response:
    """Claim the jobs that have waited longest; those of a caller who has gone are given back."""
    lists = {name: body.get(name) for name in ("connector_ids", "service_types", "job_types")}
    request = ClaimRequest(
        worker_hostname=body["worker_hostname"],
        wanted=ClaimFilter(**{name: tuple(texts) for name, texts in lists.items() if texts is not None}),
        limit=body["limit"],
        wait=body["wait"].total_seconds(),
        request_id=body.get("request_id"),
        resend_window=settings().claim_resend_window,
        is_connected=is_connected,
    )
    claims: Claims = current_app.extensions["claims"]
    return json_response({"results": claims.claim_next(request)})


@blueprint.get("/<sync_job:connector_sync_job_id>")
@endpoint(action="sync_job/get", validate_path=existing_sync_job_id)
def get(connector_sync_job_id: str) -> Response:
    """Get a job."""
    return json_response(_redacted(operations.get(store(), connector_sync_job_id)))


@blueprint.delete("/<sync_job:connector_sync_job_id>")
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
@endpoint(action="sync_job/check_in", query=WorkerParameters, validate_path=written_sync_job_id)
def check_in(connector_sync_job_id: str, query: dict[str, Any]) -> Response:
    """Record a heartbeat of the job's worker."""
    result = updates.check_in(store(), connector_sync_job_id, **query, compatibility=settings().compatibility)
    return json_response({"result": result})


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
        compatibility=settings().compatibility,
    )
    return json_response({"result": result})


@blueprint.put("/<segment:connector_sync_job_id>/_error")
@endpoint(
    action="sync_job/update_error", query=WorkerParameters, body=ErrorBody, validate_path=written_sync_job_id
)
def error(connector_sync_job_id: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """End a running job with an error."""
    return json_response({"result": endings.fail(store(), connector_sync_job_id, body["error"], **query)})


@blueprint.put("/<segment:connector_sync_job_id>/_stats")
@endpoint(
    action="sync_job/update_stats", query=WorkerParameters, body=StatsBody, validate_path=written_sync_job_id
)
def stats(connector_sync_job_id: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Store the counters of the job's worker."""
    last_seen = body.pop("last_seen", None)
    result = updates.report_stats(
        store(),
        connector_sync_job_id,
        _report(body),
        last_seen,
        **query,
        compatibility=settings().compatibility,
    )
    return json_response({"result": result})


@blueprint.put("/<segment:connector_sync_job_id>/_complete")
@endpoint(
    action="sync_job/complete",
    query=WorkerParameters,
    body=CursorReportBody,
    body_optional=True,
    validate_path=written_sync_job_id,
)
def complete(connector_sync_job_id: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """End a running job, its work done."""
    return json_response({"result": endings.complete(store(), connector_sync_job_id, _report(body), **query)})


@blueprint.put("/<segment:connector_sync_job_id>/_suspend")
@endpoint(
    action="sync_job/suspend",
    query=WorkerParameters,
    body=CursorReportBody,
    body_optional=True,
    validate_path=written_sync_job_id,
)
def suspend(connector_sync_job_id: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Leave a running job for a later claim."""
    return json_response({"result": endings.suspend(store(), connector_sync_job_id, _report(body), **query)})


@blueprint.put("/<segment:connector_sync_job_id>/_confirm_cancel")
@endpoint(
    action="sync_job/confirm_cancel",
    query=WorkerParameters,
    body=ReportBody,
    body_optional=True,
    validate_path=written_sync_job_id,
)
def confirm_cancel(connector_sync_job_id: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """End a job that is to be canceled, now that its worker has stopped."""
    return json_response(
        {"result": endings.confirm_cancel(store(), connector_sync_job_id, _report(body), **query)}
    )


def _report(body: dict[str, Any]) -> endings.Report:
    counters = {key: value for key, value in body.items() if key not in ("metadata", "sync_cursor")}
    return endings.Report(counters, body.get("metadata"), body.get("sync_cursor"))
