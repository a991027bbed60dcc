"""The words and places of JSON syntax errors.

The standard library says what it expected and at which character; Elasticsearch's parser says it in other words, and
often points one token further. Both are facts that clients see.
"""

from __future__ import annotations

import json
import re
from typing import Final

from app.wire.json_tokens import MAX_SEARCHED, Walk, position

_WHITE_SPACE = " \t\n\r"
_VALUE: Final = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_MAX_TOKEN = 256


class Malformed(Exception):
    """A text that is no JSON.

    `place` is `line:column`, or None where the message goes without. `cut_off`: the text is right as far as it goes.
    `type` is the error type of the cause below the parse error.
    """

    def __init__(
        self,
        message: str,
        place: str | None,
        error_type: str = "json_parse_exception",
        *,
        cut_off: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.type = error_type
        self.cut_off = cut_off

    def at(self, place: str) -> Malformed:
        """The same, at `place`."""
        return Malformed(self.message, place, self.type, cut_off=self.cut_off)


def described(text: str, error: json.JSONDecodeError) -> Malformed:
    """What the standard library found, as Elasticsearch says it."""
    at = error.pos
    if error.msg.startswith("Unterminated string"):
        return _cut_off(text)
    if error.msg.startswith("Invalid control character"):
        advice = "has to be escaped using backslash to be included in string value"
        return Malformed(f"Illegal unquoted character ({_name(text[at])}): {advice}", position(text, at))
    if error.msg.startswith("Invalid \\"):
        return _escape(text, at)
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma
        at += 1
    while at < len(text) and text[at] in _WHITE_SPACE:
        at += 1
    return _ended(text) if at >= len(text) else _between_tokens(text, at, error.msg)


def _between_tokens(text: str, at: int, expected: str) -> Malformed:
    if text[at] < " ":
        rule = "only regular white space (\\r, \\n, \\t) is allowed between tokens"
        return Malformed(f"Illegal character ({_name(text[at])}): {rule}", position(text, at + 1))
    if expected.startswith("Expecting value") or "before end of array" in expected:
        return _no_value(text, at)
    if expected.startswith("Expecting ','"):
        return _no_comma(text, at)
    if expected.startswith("Expecting ':'"):
        return _unexpected(text, at, "was expecting a colon to separate field name and value")
    if text[at] == "]":
        return _close_marker(text, at)
    return _unexpected(text, at, "was expecting double-quote to start field name")


def _ended(text: str) -> Malformed:
    if text.rstrip(_WHITE_SPACE).endswith(",") and not _in_array(text, len(text)):
        return Malformed("Unexpected end-of-input within/between Object entries", position(text, len(text)))
    return _cut_off(text)


def not_utf8(data: bytes, before: str, error: UnicodeDecodeError) -> Malformed:
    """Bytes that are no UTF-8, after the text `before`. The reader stands behind the byte when it notices."""
    if error.reason == "unexpected end of data":
        return Malformed("Unexpected end-of-input", position(before, len(before)), cut_off=True)
    line, column = position(before, len(before)).split(":")
    wrong = error.end if error.reason == "invalid continuation byte" else error.start
    # Keys are read by another routine, which notices one byte later.
    tokens = list(Walk(before + '"')) if len(before) <= MAX_SEARCHED else []
    late = 2 if tokens and tokens[-1].role == "key" and tokens[-1].end > len(before) else 1
    which = "start" if wrong == error.start else "middle"
    place = f"{line}:{int(column) + wrong - error.start + late}"
    return Malformed(f"Invalid UTF-8 {which} byte 0x{data[wrong]:02x}", place)


def _cut_off(text: str) -> Malformed:
    return Malformed("Unexpected end-of-input", position(text, len(text)), cut_off=True)


def _name(character: str) -> str:
    code = ord(character)
    if code < ord(" "):
        return f"(CTRL-CHAR, code {code})"
    return f"'{character}' (code {code})" if code < 256 else f"'{character}' (code {code} / 0x{code:x})"


def _unexpected(text: str, at: int, expected: str) -> Malformed:
    # A character of several bytes has been read to its last byte by now.
    line, column = position(text, at).split(":")
    place = f"{line}:{int(column) + len(text[at].encode('utf-8', 'surrogatepass')) - 1}"
    colon = "" if expected.startswith("in numeric value") else ":"
    return Malformed(f"Unexpected character ({_name(text[at])}){colon} {expected}", place)


def _escape(text: str, at: int) -> Malformed:
    slash = text.rfind("\\", 0, at + 1)
    at = slash + 1
    if text[at : at + 1] != "u":
        if at >= len(text):
            return _cut_off(text)
        return Malformed(f"Unrecognized character escape {_name(text[at])}", position(text, at))
    at += 1
    while at < len(text) and text[at] in "0123456789abcdefABCDEF":
        at += 1
    if at >= len(text):
        return _cut_off(text)
    return _unexpected(text, at, "expected a hex-digit for character escape sequence")


def _no_value(text: str, at: int) -> Malformed:
    mark = text[at]
    before = text[:at].rstrip(_WHITE_SPACE)[-1:]
    if mark == "-":
        return _minus(text, at)
    if mark == "+":
        rule = "JSON spec does not allow numbers to have plus signs"
        flag = "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
        return Malformed(
            f"Unexpected character ({_name(mark)}) in numeric value: {rule}: {flag}", position(text, at + 1)
        )
    if mark == "}" and before in ("[", ""):
        return _close_marker(text, at)
    if mark in ",}" or (mark == "]" and _in_array(text, at)):
        return _unexpected(text, at, "expected a value")
    if mark.isalpha() or mark in "_$":
        return _token(text, at, at)
    return _unexpected(text, at, f"expected a valid value {_VALUE}")


def _minus(text: str, at: int) -> Malformed:
    if at + 1 >= len(text):
        return _cut_off(text)
    if text[at + 1] == "I":
        return _token(text, at, at + 1)
    rule = "expected digit (0-9) to follow minus sign, for valid numeric value"
    return _unexpected(text, at + 1, f"in numeric value: {rule}")


def _token(text: str, begin: int, end: int) -> Malformed:
    """A bare word. The reader has gone past the character that ends it, or past 256 characters."""
    last = min(len(text), begin + _MAX_TOKEN)
    while end < last and (text[end].isalnum() or text[end] in "_$"):
        end += 1
    word = text[begin:end] + ("..." if end - begin == _MAX_TOKEN else "")
    place = position(text, end if word.endswith("...") else min(end + 1, len(text)))
    return Malformed(f"Unrecognized token '{word}': was expecting {_VALUE}", place)


def _no_comma(text: str, at: int) -> Malformed:
    mark = text[at]
    before = text[at - 1]
    if mark in "}]":
        return _close_marker(text, at)
    if before.isalpha() and (mark.isalnum() or mark in "_$"):  # "truex"
        begin = at - len(re.findall(r"[a-z]*$", text[max(0, at - len("false")) : at])[0])
        return _token(text, begin, at)
    if before.isdigit() and mark in "0123456789":
        return Malformed("Invalid numeric value: Leading zeroes not allowed", position(text, at))
    if before.isdigit() and mark == ".":
        rule = "in numeric value: Decimal point not followed by a digit"
        return _unexpected(text, min(at + 1, len(text) - 1), rule)
    if before.isdigit() and mark in "eE":
        at += 1 + (text[at + 1 : at + 2] in ("+", "-"))
        if at >= len(text):
            return _cut_off(text)
        return _unexpected(text, at, "in numeric value: Exponent indicator not followed by a digit")
    entries = "Array" if _in_array(text, at) else "Object"
    return _unexpected(text, at, f"was expecting comma to separate {entries} entries")


def _around(text: str, at: int) -> Walk:
    walk = Walk(text, min(at, MAX_SEARCHED))
    for _ in walk:
        pass
    return walk


def _in_array(text: str, at: int) -> bool:
    path = _around(text, at).path
    return bool(path) and isinstance(path[-1], int)


def _close_marker(text: str, at: int) -> Malformed:
    walk = _around(text, at)
    if not walk.path:
        around = "for root starting at line: 1, column: 0"
    else:
        kind = "Array" if isinstance(walk.path[-1], int) else "Object"
        line, column = position(text, walk.opened[-1]).split(":")
        around = f"for {kind} starting at line: {line}, column: {column}"
    expected = "]" if text[at] == "}" else "}"
    message = f"Unexpected close marker '{text[at]}': expected '{expected}' ({around})"
    return Malformed(message, position(text, at))
