"""What the secret endpoints accept: each field's rule, once."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import validate

from app.wire.fields import String
from app.wire.ids import too_long
from app.wire.schema import RedactedBody


def existing_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is read."""
    return [] if secret_id else ["[id] of the connector secret cannot be null or empty."]


def deleted_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is deleted."""
    return existing_secret_id(secret_id) or too_long(secret_id)


def written_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is written."""
    return too_long(secret_id) if secret_id else ['[id] cannot be [null] or [""]']


class PostBody(RedactedBody):
    """`POST /_connector/_secret`."""

    parser_name = "post_secret_request"
    json_schema: ClassVar = {"required": ["value"]}

    value = String(metadata={"description": "The secret.", "minLength": 1})

    def violations(self, values: dict[str, Any]) -> list[str]:
        """The value is needed, though the parser lets it be left out."""
        return [] if values.get("value") else ['[value] of the connector secret cannot be [null] or [""]']


class PutBody(RedactedBody):
    """`PUT /_connector/_secret/{id}`."""

    parser_name = "connector_secret_put_request"

    value = String(
        required=True,
        validate=validate.Length(min=1, error='[value] cannot be [null] or [""]'),
        metadata={"description": "The secret."},
    )
