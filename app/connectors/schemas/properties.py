"""Bodies that make a connector, or set its plain properties."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import validate

from app.connectors.index_names import INDEX_NAME, MANAGED_PREFIX, unmanageable, violation
from app.protocol import ConnectorStatus
from app.wire.fields import Boolean, EnumString, String
from app.wire.schema import RequestBody


class PutBody(RequestBody):
    """`PUT /_connector/{id}` and `POST /_connector`."""

    parser_name = "connector_put_request"

    description = String(metadata={"description": "What the connector is for."})
    index_name = String(
        allow_none=True,
        metadata={"description": "The index that documents are written to.", "pattern": INDEX_NAME},
    )
    is_native = Boolean(metadata={"description": "Whether Elastic manages the connector."})
    language = String(metadata={"description": "The language analyzer.", "example": "en"})
    name = String(metadata={"description": "The connector's name."})
    service_type = String(metadata={"description": "The type of the source.", "example": "postgresql"})

    def violations(self, values: dict[str, Any]) -> list[str]:
        """The rules for the name of an index."""
        name = values.get("index_name")
        if name is None:
            return []
        messages = [violation(name)]
        if values.get("is_native") and not name.startswith(MANAGED_PREFIX):
            messages.append(unmanageable(name))
        return [message for message in messages if message]


class ApiKeyIdBody(RequestBody):
    """`PUT /_connector/{id}/_api_key_id`."""

    parser_name = "connector_update_api_key_id_request"
    json_schema: ClassVar = {"minProperties": 1}

    api_key_id = String(
        allow_none=True, metadata={"description": "The API key that the connector writes with."}
    )
    api_key_secret_id = String(
        allow_none=True, metadata={"description": "The secret that holds this API key."}
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """One of the two is needed."""
        return _require_one(values, "api_key_id", "api_key_secret_id")


class NameBody(RequestBody):
    """`PUT /_connector/{id}/_name`."""

    parser_name = "connector_update_name_request"
    json_schema: ClassVar = {"minProperties": 1}

    name = String(allow_none=True, metadata={"description": "The connector's name."})
    description = String(allow_none=True, metadata={"description": "What the connector is for."})

    def violations(self, values: dict[str, Any]) -> list[str]:
        """One of the two is needed."""
        return _require_one(values, "name", "description")


class IndexNameBody(RequestBody):
    """`PUT /_connector/{id}/_index_name`. Null detaches the index."""

    parser_name = "connector_update_index_name_request"

    index_name = String(
        required=True,
        allow_none=True,
        metadata={"description": "The index that documents are written to.", "pattern": INDEX_NAME},
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """The rules for the name of an index."""
        name = values["index_name"]
        return [found] if name is not None and (found := violation(name)) else []


class NativeBody(RequestBody):
    """`PUT /_connector/{id}/_native`."""

    parser_name = "connector_update_native_request"

    is_native = Boolean(required=True, metadata={"description": "Whether Elastic manages the connector."})


class ServiceTypeBody(RequestBody):
    """`PUT /_connector/{id}/_service_type`."""

    parser_name = "connector_update_service_type_request"

    service_type = String(
        required=True,
        validate=validate.Length(min=1, error='[service_type] cannot be [null] or [""].'),
        metadata={"description": "The type of the source.", "example": "postgresql"},
    )


class StatusBody(RequestBody):
    """`PUT /_connector/{id}/_status`."""

    parser_name = "connector_update_status_request"
    json_schema: ClassVar = {"required": ["status"]}

    status = EnumString(
        ConnectorStatus, enum="ConnectorStatus", metadata={"description": "The connector's new status."}
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """The status is needed, though the parser lets it be left out."""
        return [] if "status" in values else ["[status] cannot be [null]."]


class ErrorBody(RequestBody):
    """`PUT /_connector/{id}/_error`. Null or an empty text ends the error."""

    parser_name = "connector_update_error_request"
    replaces_surrogates = True

    error = String(required=True, allow_none=True, metadata={"description": "What went wrong."})


def _require_one(values: dict[str, Any], first: str, second: str) -> list[str]:
    if values.get(first) is not None or values.get(second) is not None:
        return []
    return [
        f"[{first}] and [{second}] cannot both be [null]. Please provide a value for at least one of them."
    ]
