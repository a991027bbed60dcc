"""What the secret endpoints accept: each field's rule stands here, once."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import marshmallow
from marshmallow import validate

from app.errors import ApiError, Cause
from app.wire.fields import String
from app.wire.ids import too_long
from app.wire.schema import ParsedBody, RequestBody

# Parts of a body that a syntax error quotes: a bare word, or a number.
_QUOTED = re.compile(r"(?<=Unrecognized token )'[^']*'|(?<=Numeric value )\([^)]*\)")


def existing_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is read."""
    return [] if secret_id else ["[id] of the connector secret cannot be null or empty."]


def deleted_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is deleted."""
    return existing_secret_id(secret_id) or too_long(secret_id)


def written_secret_id(secret_id: str) -> list[str]:
    """What is wrong with the id of a secret that is written."""
    return too_long(secret_id) if secret_id else ['[id] cannot be [null] or [""]']


class _SecretBody(RequestBody):
    """A body that no error may quote from: answers with errors end up in the logs of clients."""

    @classmethod
    def parse(cls, data: bytes) -> ParsedBody:
        """As its parent; syntax errors name the place only."""
        try:
            return super().parse(data)
        except ApiError as error:
            raise ApiError(400, _unquoted(error.cause), _unquoted(error.root_cause)) from None


class PostBody(_SecretBody):
    """`POST /_connector/_secret`."""

    parser_name = "post_secret_request"

    value = String()

    @marshmallow.validates_schema
    def _value(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("value"):
            raise marshmallow.ValidationError('[value] of the connector secret cannot be [null] or [""]')


class PutBody(_SecretBody):
    """`PUT /_connector/_secret/{id}`."""

    parser_name = "connector_secret_put_request"

    value = String(required=True, validate=validate.Length(min=1, error='[value] cannot be [null] or [""]'))


def _unquoted(cause: Cause) -> Cause:
    return replace(
        cause,
        reason=None if cause.reason is None else _QUOTED.sub("[not shown]", cause.reason),
        caused_by=None if cause.caused_by is None else _unquoted(cause.caused_by),
    )
