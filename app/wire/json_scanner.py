"""A strict JSON scanner that knows where everything stands: it finds syntax errors, and the places of values.

Bodies are read by the standard library's parser (`app.wire.json_body`). Only when that fails, or when an error has to point
at a value, the text is scanned here, once. Messages are those of Elasticsearch's parser, which often stands one character
further when it notices.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

PathPart = str | int | None
UNKNOWN = "-1:-1"
MAX_DIGITS = 1000
# Elasticsearch takes 1000, and what is read here goes to it inside of other objects, and then into documents.
MAX_DEPTH = 800
# No value is looked up in a longer text: its error reads [-1:-1] rather than keep a worker busy.
MAX_SEARCHED = 250_000

CONSTRAINTS = "stream_constraints_exception"
_VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_MAX_WORD = 256

# Possessive where repeated, so that nothing is tried twice.
_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(
    r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+(?P<closed>")?'
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?P<fraction>\.[0-9]++)?(?P<exponent>[eE][+-]?[0-9]++)?")
_WORD = re.compile(r"-?(?:[^\W\d]|\$)[\w$]*+")
_LITERAL = re.compile(r"true|false|null")
_CONSTANT = re.compile(r"(?:NaN|-?Infinity)(?![\w$])")
_HEX = re.compile(r"[0-9a-fA-F]*+")


class JsonError(Exception):
    """What is wrong with a JSON text.

    `place` is `line:column`, or None where the message goes without. `type` is the error type of the cause below the
    parse error. `cut_off`: the text is right as far as it goes; `in_key`: it ends inside of a key.
    """

    def __init__(
        self,
        message: str,
        place: str | None = None,
        error_type: str = "json_parse_exception",
        *,
        cut_off: bool = False,
        in_key: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.type = error_type
        self.cut_off = cut_off
        self.in_key = in_key


class Token(NamedTuple):
    """A key, a scalar, or a bracket, with its offsets in the text (`end` is the first one after it)."""

    role: Literal["key", "scalar", "open", "close"]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, as `line:column` each: its key, its first and its last token, and what follows it."""

    key: str = UNKNOWN
    start: str = UNKNOWN
    last: str = UNKNOWN
    after: str = UNKNOWN
    raw: str = ""


class _Container(NamedTuple):
    close: str
    start: int
    keys: set[str]


def position(text: str, offset: int) -> str:
    """`line:column` of a character: lines from 1, columns from 1 and in UTF-8 bytes. Takes time in the text's length."""
    newlines = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return f"{newlines + 1}:{len(text[begin:offset].encode('utf-8', 'surrogatepass')) + 1}"


def first_error(text: str) -> JsonError:
    """The first thing that is wrong with a text that the parser refused."""
    try:
        for _ in Scanner(text):
            pass
    except JsonError as error:
        return error
    return too_deep()  # for the parser, whose own limits come after ours


def find(text: str, path: Sequence[PathPart]) -> Place:
    """The place of the value that `path` leads to; an unknown place if there is none, or the text is too long."""
    if len(text) > MAX_SEARCHED:
        return Place()
    scanner = Scanner(text)
    wanted = list(path)
    key = start = None
    for token in scanner:
        if scanner.path != wanted:
            continue
        if token.role == "key":
            key = token.start
        elif token.role == "open":
            start = token.start
        else:
            begin = token.start if start is None else start
            return Place(
                key=UNKNOWN if key is None else position(text, key),
                start=position(text, begin),
                last=position(text, token.start),
                after=position(text, token.end),
                raw=text[begin : token.end],
            )
    return Place()


def too_deep() -> JsonError:
    """The error of a text with more than `MAX_DEPTH` brackets inside of each other."""
    text = f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})"
    return JsonError(text, error_type=CONSTRAINTS)


def number_error(literal: str) -> str | None:
    """What is wrong with a JSON number: more than `MAX_DIGITS` digits, or no double can hold it."""
    if len(literal) > MAX_DIGITS and (digits := sum(map(str.isdigit, literal))) > MAX_DIGITS:
        limit = f"({MAX_DIGITS}, from `StreamReadConstraints.getMaxNumberLength()`)"
        return f"Number value length ({digits}) exceeds the maximum allowed {limit}"
    if not literal.lstrip("-").isdigit() and math.isinf(float(literal)):
        return f"Numeric value ({literal}) out of range of double"
    return None


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
            mark = text[at : at + 1]
            if mark == "{" or mark == "[":
                yield Token("open", at, at + 1)
                self._open(mark, at)
                at = self._next(at + 1)
                if not text.startswith(self._inside[-1].close, at):
                    if mark == "{":
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

    def _open(self, mark: str, at: int) -> None:
        if len(self._inside) == MAX_DEPTH:
            raise too_deep()
        self._inside.append(_Container("}" if mark == "{" else "]", at, set()))
        self.path.append(None if mark == "{" else 0)

    def _key(self, at: int, *, after_comma: bool = False) -> Token:
        text = self._text
        if at == len(text) and after_comma:
            raise self._error("Unexpected end-of-input within/between Object entries", at)
        self._refuse_control(at)
        if text[at] == "]":
            raise self._close_marker(at)
        if text[at] != '"':
            raise self._unexpected(at, ": was expecting double-quote to start field name")
        end = self._string(at, in_key=True)
        key = text[at + 1 : end - 1]
        if "\\" in key:
            key = json.loads(f'"{key}"')
        keys = self._inside[-1].keys
        if key in keys:
            raise self._error(f"Duplicate field '{key}'", end)
        keys.add(key)
        self.path[-1] = key
        return Token("key", at, end)

    def _colon(self, at: int) -> int:
        at = self._next(at)
        self._refuse_control(at)
        if self._text[at] != ":":
            raise self._unexpected(at, ": was expecting a colon to separate field name and value")
        return self._next(at + 1)

    def _comma(self, at: int, last: Token) -> int:
        self._refuse_control(at)
        if self._text[at] != ",":
            raise self._no_comma(at, last)
        return self._next(at + 1)

    def _no_comma(self, at: int, last: Token) -> JsonError:
        text, mark = self._text, self._text[at]
        if mark in "}]":
            return self._close_marker(at)
        number = _NUMBER.match(text, last.start)
        if last.end == at and number and not number["exponent"]:
            if mark in "eE":
                digit = at + 1 + (text[at + 1 : at + 2] in ("+", "-"))
                self._refuse_end(digit)
                return self._unexpected(
                    digit, " in numeric value: Exponent indicator not followed by a digit"
                )
            if mark == "." and not number["fraction"]:
                digit = min(at + 1, len(text) - 1)
                return self._unexpected(digit, " in numeric value: Decimal point not followed by a digit")
            if mark in "0123456789":
                return self._error("Invalid numeric value: Leading zeroes not allowed", at)
        word = _WORD.match(text, last.start)
        if word and word.end() > last.end:
            return self._unrecognized(word)
        kind = "Object" if self._inside[-1].close == "}" else "Array"
        return self._unexpected(at, f": was expecting comma to separate {kind} entries")

    def _scalar(self, at: int) -> int:
        """The end of the string, number or word that starts here."""
        text = self._text
        self._refuse_control(at)
        if text[at] == '"':
            return self._string(at)
        if number := _NUMBER.match(text, at):
            if error := number_error(number[0]):
                if error.startswith("Number value length"):
                    raise JsonError(error, error_type=CONSTRAINTS)
                raise self._error(error, number.end())
            return number.end()
        if literal := _LITERAL.match(text, at):
            return literal.end()
        if constant := _CONSTANT.match(text, at):
            advice = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
            raise self._error(f"Non-standard token '{constant[0]}': {advice}", constant.end())
        raise self._no_value(at)

    def _string(self, at: int, *, in_key: bool = False) -> int:
        text = self._text
        match = _STRING.match(text, at)
        end = match.end() if match else at
        if match and match["closed"]:
            return end
        if end < len(text) and text[end] < " ":
            advice = "has to be escaped using backslash to be included in string value"
            raise self._error(f"Illegal unquoted character ({_name(text[end])}): {advice}", end)
        escape = end + 1
        if escape < len(text) and text[escape] != "u":
            raise self._error(f"Unrecognized character escape {_name(text[escape])}", escape)
        digits = _HEX.match(text, escape + 1)
        self._refuse_end(digits.end() if digits else escape, in_key=in_key)
        raise self._unexpected(
            digits.end() if digits else escape, ": expected a hex-digit for character escape sequence"
        )

    def _no_value(self, at: int) -> JsonError:
        text, mark = self._text, self._text[at]
        close = self._inside[-1].close if self._inside else ""
        if mark == "-" and text[at + 1 : at + 2] != "I":
            self._refuse_end(at + 1)
            rule = "expected digit (0-9) to follow minus sign, for valid numeric value"
            return self._unexpected(at + 1, f" in numeric value: {rule}")
        if mark == "+":
            rule = "JSON spec does not allow numbers to have plus signs"
            flag = "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
            name = _name(mark)
            return self._error(f"Unexpected character ({name}) in numeric value: {rule}: {flag}", at + 1)
        if mark == "}" and text[:at].rstrip(" \t\n\r")[-1:] in ("[", ""):
            return self._close_marker(at)
        if mark in ",}" or mark == close == "]":
            return self._unexpected(at, ": expected a value")
        if word := _WORD.match(text, at):
            return self._unrecognized(word)
        return self._unexpected(at, f": expected a valid value {_VALUE}")

    def _unrecognized(self, word: re.Match[str]) -> JsonError:
        """A bare word. The reader has gone past the character that ends it, or past 256 characters."""
        if len(word[0]) >= _MAX_WORD:
            shown, end = word[0][:_MAX_WORD] + "...", word.start() + _MAX_WORD
        else:
            shown, end = word[0], min(word.end() + 1, len(self._text))
        return self._error(f"Unrecognized token '{shown}': was expecting {_VALUE}", end)

    def _close_marker(self, at: int) -> JsonError:
        mark = self._text[at]
        around = "root starting at line: 1, column: 0"
        if self._inside:
            line, column = position(self._text, self._inside[-1].start).split(":")
            kind = "Object" if self._inside[-1].close == "}" else "Array"
            around = f"{kind} starting at line: {line}, column: {column}"
        expected = "]" if mark == "}" else "}"
        return self._error(f"Unexpected close marker '{mark}': expected '{expected}' (for {around})", at)

    def _refuse_control(self, at: int) -> None:
        """Between tokens: neither the end of the text nor a control character."""
        self._refuse_end(at)
        if self._text[at] < " ":
            rule = "only regular white space (\\r, \\n, \\t) is allowed between tokens"
            raise self._error(f"Illegal character ({_name(self._text[at])}): {rule}", at + 1)

    def _refuse_end(self, at: int, *, in_key: bool = False) -> None:
        end = len(self._text)
        if at >= end:
            place = position(self._text, end)
            raise JsonError("Unexpected end-of-input", place, cut_off=True, in_key=in_key)

    def _unexpected(self, at: int, expected: str) -> JsonError:
        # A character of several bytes has been read to its last byte by now.
        line, column = position(self._text, at).split(":")
        place = f"{line}:{int(column) + len(self._text[at].encode('utf-8', 'surrogatepass')) - 1}"
        return JsonError(f"Unexpected character ({_name(self._text[at])}){expected}", place)

    def _error(self, message: str, at: int) -> JsonError:
        return JsonError(message, position(self._text, at))


def _name(character: str) -> str:
    code = ord(character)
    if code < ord(" "):
        return f"(CTRL-CHAR, code {code})"
    return f"'{character}' (code {code})" if code < 256 else f"'{character}' (code {code} / 0x{code:x})"
