"""The endpoints of connectors: read the request, call one operation, render its result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.connectors import drafts, operations, updates
from app.connectors.schemas import configuration, filtering, properties, scheduling, syncing
from app.connectors.schemas.ids import deleted_connector_id, existing_connector_id, written_connector_id
from app.connectors.schemas.queries import DeleteParameters, GetParameters, ListParameters
from app.context import settings, store
from app.redaction import masked_connector
from app.wire.authorization import may_manage
from app.wire.endpoint import endpoint
from app.wire.rendering import json_response

blueprint = Blueprint("connectors", __name__, url_prefix="/_connector")


def _redacted(connector: dict[str, Any]) -> dict[str, Any]:
    """The connector as the caller may see it."""
    return connector if may_manage() else masked_connector(connector)


@blueprint.post("")
@endpoint(action="post", body=properties.PutBody, body_optional=True)
def create(body: dict[str, Any]) -> Response:
    """Create a connector with a generated id."""
    connector_id = operations.create(store(), body)
    return json_response({"id": connector_id, "result": "created"}, 201)


@blueprint.put("")
@endpoint(action="put", body=properties.PutBody, body_optional=True)
def put_without_id(body: dict[str, Any]) -> Response:
    """Create a connector with a generated id, as `POST` does."""
    connector_id = operations.create(store(), body)
    return json_response({"id": connector_id, "result": "created"}, 201)


@blueprint.get("")
@endpoint(action="list", query=ListParameters)
def list_(query: dict[str, Any]) -> Response:
    """List connectors by their index, a page at a time."""
    page = operations.list_(store(), **query, compatibility=settings().compatibility)
    return json_response(
        {"count": page.count, "results": [_redacted(connector) for connector in page.results]}
    )


@blueprint.put("/<connector:connector_id>")
@endpoint(action="put", body=properties.PutBody, body_optional=True, validate_path=written_connector_id)
def put(connector_id: str, body: dict[str, Any]) -> Response:
    """Create a connector, or change the fields of an existing one that were sent."""
    result = operations.put(store(), connector_id, body)
    return json_response({"id": connector_id, "result": result}, 201 if result == "created" else 200)


@blueprint.get("/<connector:connector_id>")
@endpoint(action="get", query=GetParameters, validate_path=existing_connector_id)
def get(connector_id: str, query: dict[str, Any]) -> Response:
    """Get a connector."""
    connector = operations.get(store(), connector_id, include_deleted=query["include_deleted"])
    return json_response(_redacted(connector))


@blueprint.delete("/<connector:connector_id>")
@endpoint(action="delete", query=DeleteParameters, validate_path=deleted_connector_id)
def delete(connector_id: str, query: dict[str, Any]) -> Response:
    """Delete a connector, or mark it as deleted."""
    operations.delete(store(), connector_id, **query)
    return json_response({"acknowledged": True})


@blueprint.put("/<connector:connector_id>/_check_in")
@endpoint(action="update_last_seen", validate_path=written_connector_id)
def check_in(connector_id: str) -> Response:
    """Record a heartbeat of the connector's service."""
    return json_response({"result": updates.check_in(store(), connector_id)})


@blueprint.put("/<connector:connector_id>/_api_key_id")
@endpoint(action="update_api_key_id", body=properties.ApiKeyIdBody, validate_path=written_connector_id)
def api_key_id(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the ids of the connector's API key and of the secret that holds it."""
    return json_response({"result": updates.merge(store(), connector_id, _without_nulls(body))})


@blueprint.put("/<connector:connector_id>/_configuration")
@endpoint(
    action="update_configuration", body=configuration.ConfigurationBody, validate_path=written_connector_id
)
def configure(connector_id: str, body: dict[str, Any]) -> Response:
    """Replace the configuration, or set values in it."""
    if "configuration" in body:
        result = updates.configure(store(), connector_id, body["configuration"])
    else:
        result = updates.set_values(store(), connector_id, body["values"] or {})
    return json_response({"result": result})


@blueprint.put("/<connector:connector_id>/_error")
@endpoint(action="update_error", body=properties.ErrorBody, validate_path=written_connector_id)
def error(connector_id: str, body: dict[str, Any]) -> Response:
    """Set or clear the connector's error."""
    return json_response({"result": updates.set_error(store(), connector_id, body["error"])})


@blueprint.put("/<connector:connector_id>/_features")
@endpoint(action="update_features", body=syncing.FeaturesBody, validate_path=written_connector_id)
def features(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the connector's features."""
    return json_response({"result": updates.merge(store(), connector_id, body)})


@blueprint.put("/<connector:connector_id>/_filtering")
@endpoint(action="update_filtering", body=filtering.FilteringBody, validate_path=written_connector_id)
def filter_(connector_id: str, body: dict[str, Any]) -> Response:
    """Replace the filtering, or edit its draft."""
    if "filtering" in body:
        result = drafts.replace(store(), connector_id, body["filtering"])
    else:
        result = drafts.edit(store(), connector_id, body.get("rules"), body.get("advanced_snippet"))
    return json_response({"result": result})


@blueprint.put("/<connector:connector_id>/_filtering/_validation")
@endpoint(
    action="update_filtering/draft_validation",
    body=filtering.FilteringValidationBody,
    validate_path=written_connector_id,
)
def validate_filtering(connector_id: str, body: dict[str, Any]) -> Response:
    """Store a connector service's validation of the draft."""
    return json_response({"result": drafts.set_validation(store(), connector_id, body["validation"])})


@blueprint.put("/<connector:connector_id>/_filtering/_activate")
@endpoint(action="update_filtering/activate", validate_path=written_connector_id)
def activate_filtering(connector_id: str) -> Response:
    """Make the draft the active state."""
    return json_response({"result": drafts.activate(store(), connector_id)})


@blueprint.put("/<connector:connector_id>/_index_name")
@endpoint(action="update_index_name", body=properties.IndexNameBody, validate_path=written_connector_id)
def index_name(connector_id: str, body: dict[str, Any]) -> Response:
    """Attach an index, or detach it."""
    return json_response({"result": operations.set_index_name(store(), connector_id, body["index_name"])})


@blueprint.put("/<connector:connector_id>/_last_sync")
@endpoint(action="update_last_sync_stats", body=syncing.LastSyncBody, validate_path=written_connector_id)
def last_sync(connector_id: str, body: dict[str, Any]) -> Response:
    """Store the results of the last syncs."""
    return json_response({"result": updates.set_last_sync(store(), connector_id, body)})


@blueprint.put("/<connector:connector_id>/_name")
@endpoint(action="update_name", body=properties.NameBody, validate_path=written_connector_id)
def name(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the name, the description, or both."""
    return json_response({"result": updates.merge(store(), connector_id, _without_nulls(body))})


@blueprint.put("/<connector:connector_id>/_native")
@endpoint(action="update_native", body=properties.NativeBody, validate_path=written_connector_id)
def native(connector_id: str, body: dict[str, Any]) -> Response:
    """Set whether Elastic manages the connector."""
    return json_response({"result": operations.set_native(store(), connector_id, body["is_native"])})


@blueprint.put("/<connector:connector_id>/_pipeline")
@endpoint(action="update_pipeline", body=syncing.PipelineBody, validate_path=written_connector_id)
def pipeline(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the ingest pipeline."""
    return json_response({"result": updates.merge(store(), connector_id, body)})


@blueprint.put("/<connector:connector_id>/_scheduling")
@endpoint(action="update_scheduling", body=scheduling.SchedulingBody, validate_path=written_connector_id)
def schedule(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the schedules that were sent."""
    return json_response({"result": updates.merge(store(), connector_id, body)})


@blueprint.put("/<connector:connector_id>/_service_type")
@endpoint(action="update_service_type", body=properties.ServiceTypeBody, validate_path=written_connector_id)
def service_type(connector_id: str, body: dict[str, Any]) -> Response:
    """Set the service type: what the connector connects to."""
    return json_response({"result": operations.set_service_type(store(), connector_id, body["service_type"])})


@blueprint.put("/<connector:connector_id>/_status")
@endpoint(action="update_status", body=properties.StatusBody, validate_path=written_connector_id)
def status(connector_id: str, body: dict[str, Any]) -> Response:
    """Move the connector to another status."""
    return json_response({"result": updates.set_status(store(), connector_id, body["status"])})


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that are null: null changes nothing here."""
    return {key: value for key, value in body.items() if value is not None}
