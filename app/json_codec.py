"""JSON as Elasticsearch stores it: fast, and without losing what the fast library cannot hold.

orjson turns integers beyond 64 bits into floats and refuses lone surrogates, numbers beyond a double and deep nesting.
Documents with such values are valid in Elasticsearch, so they must come through unharmed; for them the standard library is
asked.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, NoReturn

import orjson

# Elasticsearch takes documents of 1000 levels, and responses wrap some more around them. The standard library reads and
# writes a level a call, and so do `filter_path` and others who look through documents; Python's own limit is 1000 calls.
# 3000 calls of the standard library's C take half a megabyte of a thread's stack, of which there are usually 8.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# 19 digits are the first that can exceed 64 bits. A false alarm (digits in a text) only costs time.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


def loads(text: bytes | str) -> Any:
    """Read one JSON value. Raises `ValueError` when the text is not JSON or nests too deeply."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _LONG_NUMBER.search(data):
        return _loads_exactly(data)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _loads_exactly(data)


def dumps(value: Any) -> bytes:
    """Write one JSON value, compact, as UTF-8. Raises `TypeError` when the value has no JSON form."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # no UTF-8 has halves of surrogate pairs, escapes do
        return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8")


def _loads_exactly(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"), parse_float=_float, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the JSON value is nested too deeply") from None


def _float(text: str) -> float | str:
    number = float(text)
    # JSON has no infinity: Elasticsearch itself writes such a number back as this text.
    return number if math.isfinite(number) else ("Infinity" if number > 0 else "-Infinity")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
