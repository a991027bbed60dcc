"""Tokens that say where a walk through the list continues. Opaque to clients."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from app import json_codec
from app.errors import illegal_argument


def token(order: str, sort_values: list[Any]) -> str:
    """The token that continues after a hit with these `sort_values`, in a list of this `order`."""
    return base64.urlsafe_b64encode(json_codec.dumps([order, *sort_values])).decode().rstrip("=")


def position(order: str, text: str) -> list[Any]:
    """The sort values that `token` put into `text`. Raises `ApiError` 400 for any other text, or another order."""
    try:
        padded = text + "=" * (-len(text) % 4)
        decoded = json_codec.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        decoded = None
    match decoded:
        case [str(token_order), int(created_at), str(document_id)] if _is_long(created_at):
            if token_order == order:
                return [created_at, document_id]
            raise illegal_argument(
                f"Parameter [search_after] comes from a list in another [order] than [{order}]"
            )
    raise illegal_argument("Parameter [search_after] is not a token of this API")


def _is_long(number: int) -> bool:
    return not isinstance(number, bool) and -(2**63) <= number < 2**63
