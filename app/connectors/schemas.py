"""What the connector endpoints accept: each field's rule stands here, once."""

from __future__ import annotations

from typing import Any

import marshmallow

from app.connectors.index_names import MANAGED_PREFIX, unmanageable, violation
from app.wire import parameters
from app.wire.fields import Boolean, String
from app.wire.ids import too_long
from app.wire.schema import RequestBody


def existing_connector_id(connector_id: str) -> list[str]:
    """What is wrong with the id of a connector that is read."""
    return [] if connector_id else ["connector_id missing"]


def written_connector_id(connector_id: str) -> list[str]:
    """What is wrong with the id of a connector that is written."""
    return too_long(connector_id) if connector_id else ['[connector_id] cannot be [null] or [""].']


class PutBody(RequestBody):
    """`PUT /_connector/{id}` and `POST /_connector`."""

    parser_name = "connector_put_request"

    description = String()
    index_name = String(allow_none=True)
    is_native = Boolean()
    language = String()
    name = String()
    service_type = String()

    @marshmallow.validates_schema(skip_on_field_errors=False)
    def _index_name(self, data: dict[str, Any], **_: Any) -> None:
        name = data.get("index_name")
        if name is None:
            return
        messages = [violation(name)]
        if data.get("is_native") and not name.startswith(MANAGED_PREFIX):
            messages.append(unmanageable(name))
        if found := [message for message in messages if message]:
            raise marshmallow.ValidationError(found)


class GetParameters(parameters.QueryParameters):
    """`GET /_connector/{id}`."""

    include_deleted = parameters.Boolean(load_default=False)
