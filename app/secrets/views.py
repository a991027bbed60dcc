"""The endpoints of secrets: read the request, call one operation, render its result."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.context import settings, store
from app.secrets import operations
from app.secrets.schemas import PostBody, PutBody, deleted_secret_id, existing_secret_id, written_secret_id
from app.wire.endpoint import endpoint
from app.wire.rendering import json_response

blueprint = Blueprint("secrets", __name__, url_prefix="/_connector/_secret")


def _vault() -> operations.Vault:
    """Raises `ApiError` 501 where the settings name no key."""
    return operations.open_vault(store(), settings().secrets_keys)


@blueprint.post("")
@endpoint(action="secret/post", body=PostBody)
def create(body: dict[str, Any]) -> Response:
    """Store a secret with a generated id."""
    return json_response({"id": operations.create(_vault(), body["value"])})


@blueprint.put("/<segment:secret_id>")
@endpoint(action="secret/put", body=PutBody, validate_path=written_secret_id)
def put(secret_id: str, body: dict[str, Any]) -> Response:
    """Store a secret, in place of the one before."""
    result = operations.put(_vault(), secret_id, body["value"])
    return json_response({"result": result}, 201 if result == "created" else 200)


@blueprint.get("/<segment:secret_id>")
@endpoint(action="secret/get", validate_path=existing_secret_id)
def get(secret_id: str) -> Response:
    """Get a secret."""
    return json_response({"id": secret_id, "value": operations.get(_vault(), secret_id)})


@blueprint.delete("/<segment:secret_id>")
@endpoint(action="secret/delete", validate_path=deleted_secret_id)
def delete(secret_id: str) -> Response:
    """Delete a secret."""
    operations.delete(_vault(), secret_id)
    return json_response({"deleted": True})
