"""The endpoints of connectors: read the request, call one operation, render its result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from app.connectors import operations
from app.connectors.schemas import GetParameters, PutBody, existing_connector_id, written_connector_id
from app.store import Store
from app.wire.endpoint import endpoint
from app.wire.rendering import answer

blueprint = Blueprint("connectors", __name__, url_prefix="/_connector")


def _store() -> Store:
    store: Store = current_app.extensions["store"]
    return store


@blueprint.post("")
@endpoint(body=PutBody, body_optional=True)
def create(body: dict[str, Any]) -> Response:
    """Make a connector under an id of ours."""
    connector_id = operations.create(_store(), body)
    return answer({"id": connector_id, "result": "created"}, 201)


@blueprint.put("")
@endpoint(body=PutBody, body_optional=True)
def put_without_id(body: dict[str, Any]) -> Response:
    """Make a connector under an id of ours, as `POST` does."""
    connector_id = operations.create(_store(), body)
    return answer({"id": connector_id, "result": "created"}, 201)


@blueprint.put("/<connector:connector_id>")
@endpoint(body=PutBody, body_optional=True, validate_path=written_connector_id)
def put(connector_id: str, body: dict[str, Any]) -> Response:
    """Make a connector, or change the fields of one that were sent."""
    result = operations.put(_store(), connector_id, body)
    return answer({"id": connector_id, "result": result}, 201 if result == "created" else 200)


@blueprint.get("/<connector:connector_id>")
@endpoint(query=GetParameters, validate_path=existing_connector_id)
def get(connector_id: str, query: dict[str, Any]) -> Response:
    """Show a connector."""
    return answer(operations.get(_store(), connector_id, include_deleted=query["include_deleted"]))
