"""What a body's parser says when a body is not what it should be, before anybody knows line and column.

Fields and schemas know which value is wrong; only the text knows where that value stands. A `ParseFailure` therefore
carries the way to its value, and gets its `[line:col]` when it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.errors import ApiError, Cause
from app.wire.json_errors import UNKNOWN, position
from app.wire.json_scanner import PathPart, Scanner

PARSE_EXCEPTION = "x_content_parse_exception"
# No value is looked up in a longer text: its error reads [-1:-1] rather than keep a worker busy.
MAX_SEARCHED = 250_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, as `line:column` each: its key, its first and its last token, and what follows it."""

    key: str = UNKNOWN
    start: str = UNKNOWN
    last: str = UNKNOWN
    after: str = UNKNOWN
    raw: str = ""


class Spot(StrEnum):
    """Which token of a value an error points at: its key, its first or last one, or what follows."""

    KEY = "key"
    START = "start"
    LAST = "last"
    AFTER = "after"


@dataclass(eq=False)
class ParseFailure(Exception):
    """A value that cannot be read, as one link of a chain of errors. Fields raise it for a refused value.

    `text` is the reason without its location, or makes it from the place. `path` leads to the value, from the object
    whose schema speaks. `spot` is where this link points, None if it names no place; `parser_position` is where the
    parser stood, which is what the links around this one point at.
    """

    text: str | Callable[[Place], str] | None
    path: tuple[PathPart, ...] = ()
    spot: Spot | None = None
    parser_position: Spot = Spot.START
    type: str = PARSE_EXCEPTION
    caused_by: ParseFailure | None = None

    def under(self, *keys: PathPart) -> ParseFailure:
        """The same, seen from further out."""
        self.path = (*keys, *self.path)
        if self.caused_by is not None:
            self.caused_by.under(*keys)
        return self

    def around(self, text: str) -> ParseFailure:
        """The link outside this one."""
        at = self.parser_position
        return ParseFailure(text, self.path, spot=at, parser_position=at, caused_by=self)


class WrongToken(Exception):
    """A field takes no value of that kind at all."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.token = token_name(value)


class CannotBuild(Exception):
    """A value that Elasticsearch reads, and refuses once it has all fields of the object."""

    def __init__(self, reason: str | None, error_type: str = "illegal_argument_exception") -> None:
        super().__init__(reason)
        self.reason = reason
        self.type = error_type


def refused_value(reason: str, error_type: str = "illegal_argument_exception") -> ParseFailure:
    """What a field raises for a value of the right kind that it cannot read: the cause below the parse error."""
    return ParseFailure(reason, type=error_type)


def token_name(value: object) -> str:
    """The name that Elasticsearch's messages give to the first token of a JSON value."""
    if value is None:
        return "VALUE_NULL"
    if isinstance(value, bool):
        return "VALUE_BOOLEAN"
    if isinstance(value, str):
        return "VALUE_STRING"
    if isinstance(value, dict):
        return "START_OBJECT"
    return "START_ARRAY" if isinstance(value, list) else "VALUE_NUMBER"


def api_error(failure: ParseFailure, text: str) -> ApiError:
    """The 400 for a failure, with the locations that `text`, the body, gives it."""
    places: dict[tuple[PathPart, ...], Place] = {}
    root: list[Cause] = []

    def rendered(link: ParseFailure) -> Cause:
        if link.path not in places:
            places[link.path] = find(text, link.path)
        place = places[link.path]
        reason = link.text if not callable(link.text) else link.text(place)
        if link.spot is not None:
            reason = f"[{getattr(place, link.spot)}] {reason}"
        inner = None if link.caused_by is None else rendered(link.caused_by)
        cause = Cause(link.type, reason, inner)
        if link.type == PARSE_EXCEPTION and not root:
            root.append(cause)
        return cause

    outermost = rendered(failure)
    return ApiError(400, outermost, root[0] if root else None)


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
