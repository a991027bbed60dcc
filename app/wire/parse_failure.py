"""What a body's parser says when a body is not what it should be, before anybody knows line and column.

Fields and schemas know which value is wrong; only the text knows where that value stands. A `Failure` therefore carries
the way to its value, and gets its `[line:col]` when it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from marshmallow import ValidationError

from app.errors import ApiError, Cause
from app.wire.json_tokens import PathPart, Place, find

PARSE_EXCEPTION = "x_content_parse_exception"


class Spot(StrEnum):
    """Which token of a value an error points at: its key, its first or last one, or what follows."""

    KEY = "key"
    START = "start"
    LAST = "last"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Failure:
    """One link of a chain of errors.

    `text` is the reason without its location, or makes it from the place. `path` leads to the value, from the object
    whose schema speaks. `spot` is where this link points, None if it names no place; `reader` is where the reader
    stood, which is what the links around this one point at.
    """

    text: str | Callable[[Place], str] | None
    path: tuple[PathPart, ...] = ()
    spot: Spot | None = None
    reader: Spot = Spot.START
    type: str = PARSE_EXCEPTION
    caused_by: Failure | None = None

    def under(self, *keys: PathPart) -> Failure:
        """The same, seen from further out."""
        inner = None if self.caused_by is None else self.caused_by.under(*keys)
        return replace(self, path=(*keys, *self.path), caused_by=inner)

    def around(self, text: str) -> Failure:
        """The link outside this one."""
        return Failure(text, self.path, spot=self.reader, reader=self.reader, caused_by=self)


class ParseFailed(Exception):
    """A schema gives up on a body, at the first failure in it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class WrongToken:
    """A field's verdict: it takes no value of that kind at all."""

    token: str


@dataclass(frozen=True, slots=True)
class CannotBuild:
    """A field's verdict that comes late: Elasticsearch reads such a value, and refuses it once it has all fields."""

    reason: str | None
    type: str = "illegal_argument_exception"


def refuse(finding: WrongToken | CannotBuild | Failure) -> ValidationError:
    """What a field raises. marshmallow only carries it; `app.wire.schema` makes it speak."""
    return ValidationError([finding])


def refuse_value(
    reason: str | Callable[[Place], str], error_type: str = "illegal_argument_exception"
) -> ValidationError:
    """What a field raises for a value of the right kind that it cannot read: the cause below the parse error."""
    return refuse(Failure(reason, type=error_type))


def refuse_build(reason: str | None, error_type: str = "illegal_argument_exception") -> ValidationError:
    """What a field, or `RequestBody.build`, raises for a value that can be read but not be used."""
    return refuse(CannotBuild(reason, error_type))


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


def api_error(failure: Failure, text: str) -> ApiError:
    """The 400 for a failure, with the locations that `text`, the body, gives it."""
    places: dict[tuple[PathPart, ...], Place] = {}
    root: list[Cause] = []

    def rendered(link: Failure) -> Cause:
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
