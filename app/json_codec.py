"""JSON in and out: fast, and exact for integers of any size."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

# orjson reads integers beyond 64 bits as floats, and refuses to write them.
_LONG_NUMBER = re.compile(rb"\d{19}")


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises `ValueError` if it is none."""
    raw = data.encode() if isinstance(data, str) else data
    return json.loads(raw) if _LONG_NUMBER.search(raw) else orjson.loads(raw)


def dumps(value: Any) -> bytes:
    """The JSON text of `value`, without blanks."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
