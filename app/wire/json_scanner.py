"""A strict JSON scanner that knows where everything stands: it finds syntax errors, and the places of values.

`app.wire.json_body` reads bodies with the standard library's parser. Only when that fails, or an error has to point at a
value, the text is scanned here, once. Elasticsearch's parser is often one character further when it notices an error.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from typing import Literal, NamedTuple

from app.wire.json_errors import (
    MAX_DEPTH,
    VALUE,
    JsonError,
    character,
    cut_off,
    error_at,
    number_error,
    position,
    too_deep,
    unexpected,
)

PathPart = str | int | None

_MAX_WORD = 256
# Possessive where repeated, so that nothing is tried twice.
_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+("?)')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?P<fraction>\.[0-9]++)?(?P<exponent>[eE][+-]?[0-9]++)?")
_LITERAL = re.compile(r"true|false|null")
_WORD = re.compile(r"-?(?:[^\W\d]|\$)[\w$]*+")


class Token(NamedTuple):
    """A key, a scalar, or a bracket, with its offsets in the text (`end` is the first one after it)."""

    role: Literal["key", "scalar", "open", "close"]
    start: int
    end: int


class _Container(NamedTuple):
    kind: Literal["Object", "Array"]
    close: str
    start: int
    keys: set[str]


class Scanner:
    """Yields the tokens of the first value in a text, and raises `JsonError` where it is no JSON.

    `path` leads to the token just met: keys and indices; inside an object without a key yet, None.
    """

    def __init__(self, text: str) -> None:
        self.path: list[PathPart] = []
        self._text = text
        self._inside: list[_Container] = []

    def __iter__(self) -> Iterator[Token]:
        text = self._text
        at = self._next(1 if text.startswith("\ufeff") else 0)
        while True:
            if text.startswith(("{", "["), at):
                token = Token("open", at, at + 1)
                yield token
                self._open(at)
                at = self._next(at + 1)
                if not text.startswith(self._inside[-1].close, at):
                    if self.path[-1] is None:
                        token = self._key(at)
                        yield token
                        at = self._colon(token.end)
                    continue
            else:
                token = Token("scalar", at, self._scalar(at))
                yield token
                at = self._next(token.end)
            while self._inside and text.startswith(self._inside[-1].close, at):
                self._inside.pop()
                self.path.pop()
                token = Token("close", at, at + 1)
                yield token
                at = self._next(at + 1)
            if not self._inside:
                return
            at = self._comma(at, token)
            if isinstance(self.path[-1], int):
                self.path[-1] += 1
            else:
                token = self._key(at, after_comma=True)
                yield token
                at = self._colon(token.end)

    def _next(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _mark(self, at: int) -> str:
        """The character of a token's start; the text must not end there."""
        if at >= len(self._text):
            raise cut_off(self._text)
        mark = self._text[at]
        if mark < " ":
            rule = "only regular white space (\\r, \\n, \\t) is allowed between tokens"
            raise error_at(self._text, at + 1, f"Illegal character ({character(mark)}): {rule}")
        return mark

    def _open(self, at: int) -> None:
        if len(self._inside) == MAX_DEPTH:
            raise too_deep()
        if self._text[at] == "{":
            self._inside.append(_Container("Object", "}", at, set()))
            self.path.append(None)
        else:
            self._inside.append(_Container("Array", "]", at, set()))
            self.path.append(0)

    def _key(self, at: int, *, after_comma: bool = False) -> Token:
        text = self._text
        if at == len(text) and after_comma:
            raise error_at(text, at, "Unexpected end-of-input within/between Object entries")
        mark = self._mark(at)
        if mark == "]":
            raise self._close_marker(at)
        if mark != '"':
            raise unexpected(text, at, ": was expecting double-quote to start field name")
        end = self._string(at, in_key=True)
        key = text[at + 1 : end - 1]
        if "\\" in key:
            key = json.loads(f'"{key}"')
        if key in self._inside[-1].keys:
            raise error_at(text, end, f"Duplicate field '{key}'")
        self._inside[-1].keys.add(key)
        self.path[-1] = key
        return Token("key", at, end)

    def _colon(self, at: int) -> int:
        at = self._next(at)
        if self._mark(at) != ":":
            raise unexpected(self._text, at, ": was expecting a colon to separate field name and value")
        return self._next(at + 1)

    def _comma(self, at: int, last: Token) -> int:
        mark = self._mark(at)
        if mark == ",":
            return self._next(at + 1)
        text = self._text
        if mark in "}]":
            raise self._close_marker(at)
        number = _NUMBER.match(text, last.start) if last.end == at else None
        if number and not number["exponent"]:
            if mark in "eE":
                digit = at + 1 + (text[at + 1 : at + 2] in ("+", "-"))
                raise unexpected(text, digit, " in numeric value: Exponent indicator not followed by a digit")
            if mark == "." and not number["fraction"]:
                digit = min(at + 1, len(text) - 1)
                raise unexpected(text, digit, " in numeric value: Decimal point not followed by a digit")
            if mark in string.digits:
                raise error_at(text, at, "Invalid numeric value: Leading zeroes not allowed")
        word = _WORD.match(text, last.start)
        if word and word.end() > last.end:
            raise self._unrecognized(word)
        raise unexpected(text, at, f": was expecting comma to separate {self._inside[-1].kind} entries")

    def _scalar(self, at: int) -> int:
        """The end of the string, number or word that starts here."""
        text = self._text
        if self._mark(at) == '"':
            return self._string(at)
        if number := _NUMBER.match(text, at):
            if error := number_error(number[0]):
                raise error if error.place is None else error_at(text, number.end(), error.message)
            return number.end()
        if literal := _LITERAL.match(text, at):
            return literal.end()
        raise self._no_value(at)

    def _string(self, at: int, *, in_key: bool = False) -> int:
        text = self._text
        match = _STRING.match(text, at)
        end = match.end() if match else at
        if match and match[1]:
            return end
        if end == len(text):
            raise cut_off(text, in_key=in_key)
        if text[end] != "\\":
            advice = "has to be escaped using backslash to be included in string value"
            raise error_at(text, end, f"Illegal unquoted character ({character(text[end])}): {advice}")
        if text[end + 1 : end + 2] not in ("u", ""):
            raise error_at(text, end + 1, f"Unrecognized character escape {character(text[end + 1])}")
        end = min(end + 2, len(text))
        while end < len(text) and text[end] in string.hexdigits:
            end += 1
        if end == len(text):
            raise cut_off(text, in_key=in_key)
        raise unexpected(text, end, ": expected a hex-digit for character escape sequence")

    def _no_value(self, at: int) -> JsonError:
        text, mark = self._text, self._text[at]
        if mark == "-" and text[at + 1 : at + 2] != "I":
            rule = "expected digit (0-9) to follow minus sign, for valid numeric value"
            return unexpected(text, at + 1, f" in numeric value: {rule}")
        if mark == "+":
            rule = "JSON spec does not allow numbers to have plus signs"
            flag = "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
            where = f"Unexpected character ({character(mark)}) in numeric value"
            return error_at(text, at + 1, f"{where}: {rule}: {flag}")
        if mark == "}" and text[:at].rstrip(" \t\n\r")[-1:] in ("[", ""):
            return self._close_marker(at)
        if mark in ",}" or (mark == "]" and self._inside and self._inside[-1].close == mark):
            return unexpected(text, at, ": expected a value")
        word = _WORD.match(text, at)
        if word and word[0] in ("NaN", "Infinity", "-Infinity"):
            advice = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
            return error_at(text, word.end(), f"Non-standard token '{word[0]}': {advice}")
        if word:
            return self._unrecognized(word)
        return unexpected(text, at, f": expected a valid value {VALUE}")

    def _unrecognized(self, word: re.Match[str]) -> JsonError:
        """A bare word. The parser has gone past the character that ends it, or past 256 characters."""
        shown, end = word[0], min(word.end() + 1, len(self._text))
        if len(shown) >= _MAX_WORD:
            shown, end = shown[:_MAX_WORD] + "...", word.start() + _MAX_WORD
        return error_at(self._text, end, f"Unrecognized token '{shown}': was expecting {VALUE}")

    def _close_marker(self, at: int) -> JsonError:
        inside = self._inside[-1] if self._inside else None
        kind, place = (inside.kind, position(self._text, inside.start)) if inside else ("root", "1:0")
        line, column = place.split(":")
        mark = self._text[at]
        expected = f"expected '{']' if mark == '}' else '}'}'"
        around = f"for {kind} starting at line: {line}, column: {column}"
        return error_at(self._text, at, f"Unexpected close marker '{mark}': {expected} ({around})")
