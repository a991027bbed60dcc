"""The words of Elasticsearch's JSON parser for a text that is no JSON, and its way to count lines and columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_DIGITS = 1000
# Elasticsearch takes 1000, and what is read here goes to it inside of other objects, and then into documents.
MAX_DEPTH = 800
UNKNOWN = "-1:-1"
VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_CONSTRAINTS = "stream_constraints_exception"


@dataclass(eq=False)
class JsonError(Exception):
    """What is wrong with a JSON text.

    `place` is `line:column`, or None where the message goes without. `type` is the error type of the cause below the
    parse error. `cut_off`: the text is right as far as it goes; `in_key`: it ends inside of a key.
    """

    message: str
    place: str | None = None
    type: str = "json_parse_exception"
    cut_off: bool = False
    in_key: bool = False


def position(text: str, offset: int) -> str:
    """`line:column` of a character: lines from 1, columns from 1 and in UTF-8 bytes. Takes time in the text's length."""
    newlines = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return f"{newlines + 1}:{len(text[begin:offset].encode('utf-8', 'surrogatepass')) + 1}"


def error_at(text: str, at: int, message: str) -> JsonError:
    """The error of a parser that stands at a character."""
    return JsonError(message, position(text, at))


def cut_off(text: str, *, in_key: bool = False) -> JsonError:
    """The text ends too early."""
    return JsonError("Unexpected end-of-input", position(text, len(text)), cut_off=True, in_key=in_key)


def unexpected(text: str, at: int, expected: str) -> JsonError:
    """A character that doesn't belong there, or the end of the text."""
    if at >= len(text):
        return cut_off(text)
    # A character of several bytes has been read to its last byte by now.
    line, column = position(text, at).split(":")
    place = f"{line}:{int(column) + len(text[at].encode('utf-8', 'surrogatepass')) - 1}"
    return JsonError(f"Unexpected character ({character(text[at])}){expected}", place)


def character(mark: str) -> str:
    """A character's name in messages."""
    code = ord(mark)
    if code < ord(" "):
        return f"(CTRL-CHAR, code {code})"
    return f"'{mark}' (code {code})" if code < 256 else f"'{mark}' (code {code} / 0x{code:x})"


def constraint(message: str) -> JsonError:
    """A text that is beyond what is read at all."""
    return JsonError(message, type=_CONSTRAINTS)


def too_deep() -> JsonError:
    """More than `MAX_DEPTH` brackets inside of each other."""
    return constraint(f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})")


def number_error(literal: str) -> JsonError | None:
    """What is wrong with a JSON number, still without its place: too many digits, or no double can hold it."""
    if len(literal) > MAX_DIGITS and (digits := sum(map(str.isdigit, literal))) > MAX_DIGITS:
        limit = f"({MAX_DIGITS}, from `StreamReadConstraints.getMaxNumberLength()`)"
        return constraint(f"Number value length ({digits}) exceeds the maximum allowed {limit}")
    if not literal.lstrip("-").isdigit() and math.isinf(float(literal)):
        return JsonError(f"Numeric value ({literal}) out of range of double", UNKNOWN)
    return None
