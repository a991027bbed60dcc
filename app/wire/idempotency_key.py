"""The header `Idempotency-Key`: a name that the caller gives to a request, so that it may be sent again."""

from __future__ import annotations

import re

from flask import request

from app.errors import illegal_argument

HEADER = "Idempotency-Key"
_MAX_CHARACTERS = 256
PATTERN = rf"[\x20-\x7e]{{1,{_MAX_CHARACTERS}}}"


def read() -> str | None:
    """The key of the request at hand, None if it brings none. Raises `ApiError` 400 for one that cannot be a key."""
    key = request.headers.get(HEADER)
    if key is not None and not re.fullmatch(PATTERN, key):
        raise illegal_argument(
            f"The header [{HEADER}] must have 1 to {_MAX_CHARACTERS} characters, all of them printable ASCII."
        )
    return key
