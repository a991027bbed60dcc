"""Reading a request body as JSON, as strictly as Elasticsearch's parser does.

The standard library does the parsing; its hooks refuse what it would let through. Whatever the bytes are, `parse`
returns a value or raises a 400.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from app.errors import ApiError, Cause
from app.wire import json_syntax
from app.wire.json_syntax import Malformed
from app.wire.json_tokens import MAX_SEARCHED, UNKNOWN, Walk, decoded, position

MAX_DIGITS = 1000
# Elasticsearch takes 1000, and what is read here goes to it inside of other objects, and then into documents.
MAX_DEPTH = 800
# Commas and opening brackets. Elasticsearch doesn't count; here each value costs up to a hundred bytes, so that a small body
# of empty lists, compressed, could take gigabytes. The largest bodies that workers send, cursors of many MiB, have some
# 100,000 values.
MAX_VALUES = 2_000_000

BLANK: Final = object()
"""What `parse` returns for a body with nothing but white space in it."""

_CONSTRAINTS = "stream_constraints_exception"
_WHITE_SPACE = " \t\n\r"
_TOO_LONG = "Number value length ({}) exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNumberLength()`)"
_TOO_MANY = f"Number of values exceeds the maximum allowed ({MAX_VALUES})"
# Up to the next mark outside of strings; possessive, so that nothing is tried twice.
_TO_THE_NEXT_MARK = re.compile(r'(?:[^"\[{,]++|"(?:[^"\\]++|\\.)*+"?+)*+[\[{,]', re.DOTALL)
_TOO_DEEP = f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})"


@dataclass(frozen=True, slots=True)
class Document:
    """A body that could be read: its value (`BLANK` for white space) and the text, for errors that point into it."""

    value: Any
    text: str


class _Refused(Exception):
    """A hook says no. It doesn't know where in the text it stands."""

    def __init__(self, malformed: Malformed) -> None:
        super().__init__(malformed.message)
        self.malformed = malformed


def parse(data: bytes) -> Any:
    """The value of a JSON text; what follows the first value is ignored.

    Returns:
        dict, list, str, int (exact), float, bool, None, or `BLANK`.

    Raises:
        ApiError: 400, `x_content_parse_exception`, or `x_content_e_o_f_exception` for a text that is cut off.
    """
    return read(data).value


def read(data: bytes) -> Document:
    """As `parse`, with the text kept beside the value."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _read_around(data, error)
    try:
        return Document(_parse_text(text), text)
    except Malformed as malformed:
        raise _api_error(malformed) from None


def _read_around(data: bytes, error: UnicodeDecodeError) -> Document:
    """Only what stands before the bytes that aren't UTF-8 counts, if that is a whole value or already wrong."""
    text = data[: error.start].decode("utf-8")
    try:
        value = _parse_text(text)
        if value is not BLANK:
            return Document(value, text)
    except Malformed as malformed:
        if not malformed.cut_off:
            raise _api_error(malformed) from None
    raise _api_error(json_syntax.not_utf8(data, text, error)) from None


def _parse_text(text: str) -> Any:
    start = 1 if text.startswith("\ufeff") else 0
    while start < len(text) and text[start] in _WHITE_SPACE:
        start += 1
    if start == len(text):
        return BLANK
    if _has_too_many_values(text):
        raise Malformed(_TOO_MANY, None, _CONSTRAINTS)
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        _raise_first(text, error.pos, json_syntax.described(text, error))
    except _Refused as refused:
        _raise_first(text, len(text), refused.malformed)
    except RecursionError:
        raise Malformed(_TOO_DEEP, None, _CONSTRAINTS) from None
    _check(text, value)
    return value


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


def _raise_first(text: str, stop: int, otherwise: Malformed) -> NoReturn:
    """Of all that is wrong up to `stop`, what stands first."""
    raise (_first_refused(text, stop) or otherwise) from None


def _check(text: str, value: Any) -> None:
    """Refuse what only the whole value shows: its depth, and halves of surrogate pairs (no UTF-8 can carry them)."""
    surrogates = "\\u" in text
    if not surrogates and text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    level: list[Any] = [value]
    depth = 0
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        if surrogates:
            _check_strings(item for item in level if isinstance(item, str))
            _check_strings(key for item in containers if isinstance(item, dict) for key in item)
        depth += bool(containers)
        if depth > MAX_DEPTH:
            raise Malformed(_TOO_DEEP, None, _CONSTRAINTS)
        level = [
            child for item in containers for child in (item.values() if isinstance(item, dict) else item)
        ]


def _check_strings(strings: Any) -> None:
    for string in strings:
        if not string.isascii():
            try:
                string.encode("utf-8")
            except UnicodeEncodeError:
                raise Malformed("Incomplete surrogate pair in string value", "-1:-1") from None


def _first_refused(text: str, stop: int) -> Malformed | None:
    """The first token before `stop` that the hooks refuse, now with its place."""
    if len(text) > MAX_SEARCHED:
        return None
    walk = Walk(text, stop)
    keys: list[set[str]] = []
    for token in walk:
        literal = text[token.start : token.end]
        if token.role == "open":
            keys.append(set())
            if len(keys) > MAX_DEPTH:
                return Malformed(_TOO_DEEP, None, _CONSTRAINTS)
        elif token.role == "close":
            keys.pop()
        elif token.role == "key":
            key = decoded(literal)
            if key in keys[-1]:
                return _duplicate(key, position(text, token.end))
            keys[-1].add(key)
        elif refusal := _constant(literal) if literal in _CONSTANTS else _number(literal):
            # Only what is refused is worth the look for its place, which costs time in the length of the text.
            return refusal if refusal.place is None else refusal.at(position(text, token.end))
    return None


_CONSTANTS = frozenset({"NaN", "Infinity", "-Infinity"})


def _constant(name: str) -> Malformed:
    return Malformed(
        f"Non-standard token '{name}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", UNKNOWN
    )


def _duplicate(key: str, place: str = UNKNOWN) -> Malformed:
    return Malformed(f"Duplicate field '{key}'", place)


def _number(literal: str) -> Malformed | None:
    """What is wrong with a literal if it is a number."""
    if literal[0] not in "-0123456789":
        return None
    digits = len(literal) if len(literal) <= MAX_DIGITS else sum(character.isdigit() for character in literal)
    if digits > MAX_DIGITS:
        return Malformed(_TOO_LONG.format(digits), None, _CONSTRAINTS)
    try:
        too_large = not literal.lstrip("-").isdigit() and math.isinf(float(literal))
    except ValueError:
        return None
    return Malformed(f"Numeric value ({literal}) out of range of double", UNKNOWN) if too_large else None


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(_constant(name))


def _read_int(literal: str) -> int:
    if refusal := _number(literal):
        raise _Refused(refusal)
    return int(literal)


def _read_float(literal: str) -> float:
    if refusal := _number(literal):
        raise _Refused(refusal)
    return float(literal)


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read_object = dict(pairs)
    if len(read_object) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(_duplicate(key))
            seen.add(key)
    return read_object


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_constant=_refuse_constant,
    parse_int=_read_int,
    parse_float=_read_float,
)


def _api_error(malformed: Malformed) -> ApiError:
    place = "" if malformed.place is None else f"[{malformed.place}] "
    if malformed.cut_off:
        inner = Cause("json_e_o_f_exception", malformed.message)
        return ApiError(400, Cause("x_content_e_o_f_exception", f"{place}Unexpected end of file", inner))
    inner = Cause(malformed.type, malformed.message)
    return ApiError(400, Cause("x_content_parse_exception", f"{place}{malformed.message}", inner))
