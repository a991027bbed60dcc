"""Reading a request body as JSON, as strictly as Elasticsearch's parser does.

The standard library does the parsing; its hooks refuse what it would let through. Whatever the bytes are, `read`
returns a value or raises a 400.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any, Final, NoReturn

from app.errors import ApiError, Cause
from app.wire.json_errors import (
    MAX_DEPTH,
    UNKNOWN,
    JsonError,
    constraint,
    cut_off,
    number_error,
    position,
    too_deep,
)
from app.wire.json_scanner import Scanner

# Commas and opening brackets. Elasticsearch doesn't count; here each value costs up to a hundred bytes, so that a small body
# of empty lists, compressed, could take gigabytes. The largest bodies that workers send, cursors of many MiB, have some
# 100,000 values.
MAX_VALUES = 2_000_000

# Behind so many tokens an error is not looked for: that would keep a worker busy for seconds.
MAX_TOKENS = 250_000

BLANK: Final = object()
"""What `read` returns for a body with nothing but white space in it."""

_TOO_MANY = f"Number of values exceeds the maximum allowed ({MAX_VALUES})"
# Up to the next mark outside of strings; possessive, so that nothing is tried twice.
_TO_THE_NEXT_MARK = re.compile(r'(?:[^"\[{,]++|"(?:[^"\\]++|\\.)*+"?+)*+[\[{,]', re.DOTALL)
_NO_SPACE = re.compile(r"[^ \t\n\r]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def read(data: bytes, *, replace_surrogates: bool = False) -> tuple[Any, str]:
    """The value of a JSON text, and the text, for errors that point into it. What follows the first value is ignored.

    With `replace_surrogates` half of a surrogate pair becomes U+FFFD, else it is refused: no UTF-8 can carry it.

    Returns:
        dict, list, str, int (exact), float, bool, None, or `BLANK`.

    Raises:
        ApiError: 400, `x_content_parse_exception`, or `x_content_e_o_f_exception` for a text that is cut off.
    """
    broken = None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # What stands before these bytes counts if it is a whole value, or already wrong.
        broken = error
        text = data[: error.start].decode("utf-8")
    try:
        value = _parse_text(text, replace_surrogates=replace_surrogates)
        if broken and value is BLANK:
            raise _not_utf8(text, broken)
    except JsonError as error:
        raise _api_error(_not_utf8(text, broken, error) if broken and error.cut_off else error) from None
    return value, text


def _parse_text(text: str, *, replace_surrogates: bool) -> Any:
    start = _NO_SPACE.search(text, 1 if text.startswith("\ufeff") else 0)
    if start is None:
        return BLANK
    if _has_too_many_values(text):
        raise constraint(_TOO_MANY)
    try:
        value, _ = _DECODER.raw_decode(text, start.start())
    except (ValueError, RecursionError):
        raise _first_error(text) from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise too_deep()
    if _SURROGATE_ESCAPE.search(text):
        written = json.dumps(value, ensure_ascii=False)
        if _SURROGATE.search(written):
            if not replace_surrogates:
                raise JsonError("Incomplete surrogate pair in string value", UNKNOWN)
            value = _DECODER.decode(_SURROGATE.sub("\ufffd", written))
    return value


def _first_error(text: str) -> JsonError:
    """The first thing that is wrong with a text that the parser refused."""
    try:
        for _ in islice(Scanner(text), MAX_TOKENS):
            pass
    except JsonError as error:
        return error
    return JsonError("The text is not valid JSON", UNKNOWN)


def _has_too_many_values(text: str) -> bool:
    """Whether more commas and opening brackets than `MAX_VALUES` stand outside of strings."""
    if text.count(",") + text.count("[") + text.count("{") <= MAX_VALUES:
        return False
    end = 0
    for _ in range(MAX_VALUES + 1):
        if (mark := _TO_THE_NEXT_MARK.match(text, end)) is None:
            return False
        end = mark.end()
    return True


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read_object = dict(pairs)
    if len(read_object) != len(pairs):
        raise ValueError("a key stands twice")
    return read_object


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _checked(literal: str) -> str:
    if error := number_error(literal):
        raise ValueError(error.message)
    return literal


# Its own errors are not shown, since their texts differ between versions of Python: `_first_error` looks again.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_constant=_refuse_constant,
    parse_int=lambda literal: int(_checked(literal)),
    parse_float=lambda literal: float(_checked(literal)),
)


def _not_utf8(before: str, error: UnicodeDecodeError, end: JsonError | None = None) -> JsonError:
    """Bytes that are no UTF-8, after the text `before`. The reader stands behind the byte when it notices."""
    if error.reason == "unexpected end of data":
        return cut_off(before)
    line, column = position(before, len(before)).split(":")
    wrong = error.end if error.reason == "invalid continuation byte" else error.start
    # Keys are read by another routine, which notices one byte later.
    late = 2 if end and end.in_key else 1
    which = "start" if wrong == error.start else "middle"
    place = f"{line}:{int(column) + wrong - error.start + late}"
    return JsonError(f"Invalid UTF-8 {which} byte 0x{error.object[wrong]:02x}", place)


def _api_error(error: JsonError) -> ApiError:
    place = "" if error.place is None else f"[{error.place}] "
    if error.cut_off:
        inner = Cause("json_e_o_f_exception", error.message)
        return ApiError(400, Cause("x_content_e_o_f_exception", f"{place}Unexpected end of file", inner))
    inner = Cause(error.type, error.message)
    return ApiError(400, Cause("x_content_parse_exception", f"{place}{error.message}", inner))
