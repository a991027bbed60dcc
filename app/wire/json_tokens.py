"""Where things stand in a JSON text: line and column as Elasticsearch counts them.

Reading bodies is `app.wire.json_body`'s work, through the standard library. This is the second look that only an error
costs: a walk over the tokens to find the one the message must point at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

PathPart = str | int | None
UNKNOWN = "-1:-1"

# A longer text isn't searched: its error reads [-1:-1] rather than keep a worker busy.
MAX_SEARCHED = 250_000

_TOKEN = re.compile(r'\s*("[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
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


class Walk:
    """A walk over the tokens of a text that may break off anywhere.

    `path` leads to the token just met (keys and indices; inside an object without a key yet, None) and `opened` holds
    the offsets of the brackets around it.
    """

    def __init__(self, text: str, stop: int | None = None) -> None:
        self._text = text
        self._stop = len(text) if stop is None else stop
        self.path: list[PathPart] = []
        self.opened: list[int] = []

    def __iter__(self) -> Iterator[Token]:
        position = 1 if self._text.startswith("\ufeff") else 0
        at_key = False
        while (match := _TOKEN.match(self._text, position, self._stop)) is not None:
            start, position = match.span(1)
            mark = self._text[start]
            if mark in "{[":
                yield Token("open", start, position)
                self.path.append(None if mark == "{" else 0)
                self.opened.append(start)
                at_key = mark == "{"
            elif mark in "}]":
                if not self.path:
                    return
                self.path.pop()
                self.opened.pop()
                at_key = False
                yield Token("close", start, position)
            elif mark == ",":
                at_key = self._next()
            elif mark == '"' and at_key:
                self.path[-1] = decoded(match.group(1))
                at_key = False
                yield Token("key", start, position)
            elif mark != ":":
                yield Token("scalar", start, position)

    def _next(self) -> bool:
        """Go on to the next element; whether that begins with a key."""
        index = self.path[-1] if self.path else None
        if isinstance(index, int):
            self.path[-1] = index + 1
            return False
        return bool(self.path)


def decoded(literal: str) -> str:
    """The string that a JSON string literal stands for; a broken literal stands for itself."""
    if "\\" not in literal:
        return literal[1:-1]
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        return literal[1:-1]


def position(text: str, offset: int) -> str:
    """`line:column` of a character: lines from 1, columns from 1 and in UTF-8 bytes."""
    newlines = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return f"{newlines + 1}:{len(text[begin:offset].encode('utf-8', 'surrogatepass')) + 1}"


def find(text: str, path: Sequence[PathPart]) -> Place:
    """The place of the value that `path` leads to; an unknown place if there is none, or the text is too long."""
    if len(text) > MAX_SEARCHED:
        return Place()
    walk = Walk(text)
    wanted = list(path)
    key = start = None
    for token in walk:
        if walk.path != wanted:
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
