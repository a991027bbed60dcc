"""The kinds of values that bodies hold, and what each accepts.

Every field refuses null unless it has `allow_none=True`. A value of the wrong kind, or of the right kind that cannot be
read, is a parse error; what a value must satisfy beyond that belongs into `validate=`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from marshmallow import fields

from app.timestamps import InvalidTimestamp, iso_timestamp
from app.wire.parse_failure import (
    CannotBuild,
    ParseFailure,
    Place,
    Spot,
    WrongToken,
    refused_value,
    token_name,
)
from app.wire.schema import BodyField

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_JSON_TYPES = {
    "VALUE_STRING": "string",
    "VALUE_NUMBER": "number",
    "VALUE_BOOLEAN": "boolean",
    "VALUE_NULL": "null",
    "START_OBJECT": "object",
    "START_ARRAY": "array",
}


class String(BodyField, fields.String):
    """A JSON string, and nothing else."""

    def _read(self, value: Any) -> str:
        return _string(value)


class Boolean(BodyField, fields.Boolean):
    """true or false, also as a string; the empty string is false."""

    def _read(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = _string(value)
        if text not in ("true", "false", ""):
            raise refused_value(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
        return text == "true"


class Long(BodyField, fields.Integer):
    """A whole number of 64 bits: numbers and numeric strings, decimals cut off."""

    kind = "long"
    article = "a long"
    bits = 64
    compares_decimals = False
    unreadable = "illegal_argument_exception"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": f"int{self.bits}", **kwargs.pop("metadata", {})}, **kwargs)

    def _read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise WrongToken(value)
        limit = 1 << (self.bits - 1)
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise refused_value(f'For input string: "{value}"', self.unreadable)
        number = Decimal(value) if isinstance(value, str) else value
        # Elasticsearch compares an integer before it cuts decimals off, a long afterwards.
        in_range = -limit <= number <= limit - 1 if self.compares_decimals else -limit - 1 < number < limit
        if not in_range:
            if isinstance(value, str):
                raise refused_value(f"Value [{value}] is out of range for {self.article}")
            raise self._too_large(limit)
        return math.trunc(number)

    def _too_large(self, limit: int) -> ParseFailure:
        def reason(place: Place) -> str:
            return f"Numeric value ({place.raw}) out of range of {self.kind} ({-limit} - {limit - 1})"

        cause = ParseFailure(reason, type="input_coercion_exception")
        return ParseFailure(reason, spot=Spot.AFTER, caused_by=cause)


class Integer(Long):
    """As `Long`, of 32 bits."""

    kind = "int"
    article = "an integer"
    bits = 32
    compares_decimals = True
    unreadable = "number_format_exception"


class JsonObject(BodyField, fields.Dict):
    """Any JSON object, taken as it is."""

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongToken(value)
        return value


class AnyJson(BodyField, fields.Raw):
    """Any JSON value, or those whose first token is in `tokens`.

    `unsupported` makes another token a refused value with that sentence (`{}` stands for the token) as its cause,
    instead of a wrong token.
    """

    def __init__(
        self, *, tokens: Iterable[str] | None = None, unsupported: str | None = None, **kwargs: Any
    ) -> None:
        self.tokens = frozenset(_JSON_TYPES if tokens is None else tokens)
        kwargs.setdefault("allow_none", "VALUE_NULL" in self.tokens)
        types = [name for token, name in _JSON_TYPES.items() if token in self.tokens]
        super().__init__(metadata={"type": types, **kwargs.pop("metadata", {})}, **kwargs)
        self.unsupported = unsupported

    def _read(self, value: Any) -> Any:
        token = token_name(value)
        if token in self.tokens:
            return value
        if self.unsupported is not None:
            raise refused_value(self.unsupported.format(token))
        raise WrongToken(value)


class EnumString(BodyField, fields.String):
    """One of a few words; stored as declared, so in lower case.

    Args:
        words: what is accepted.
        enum: the name in the error text, `Unknown <enum> [x].`
        exact: whether case matters.
        late: whether an unknown word is refused only when all fields are read (as the field's text) or at once.
    """

    def __init__(
        self, words: Iterable[str], *, enum: str, exact: bool = False, late: bool = False, **kwargs: Any
    ) -> None:
        self.words = tuple(map(str, words))
        metadata = {"enum": list(self.words), **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self.enum = enum
        self.exact = exact
        self.late = late

    def _read(self, value: Any) -> str:
        text = _string(value)
        word = text if self.exact else text.upper().lower()
        if word in self.words:
            return word
        if self.late:
            return text
        raise refused_value(f"Unknown {self.enum} [{text}].")

    def build(self, value: str) -> str:
        """The word; a late field refuses others here."""
        if value not in self.words:
            raise CannotBuild(f"Unknown {self.enum} [{value}].")
        return value


class Timestamp(BodyField, fields.String):
    """A timestamp as text: ISO 8601, its time and zone optional, or milliseconds since 1970.

    Yields ISO 8601 in UTC with `Z` and 3, 6 or 9 fractional digits. With `reads_objects` an object is a refused value
    instead of a wrong token.
    """

    def __init__(self, *, reads_objects: bool = False, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date-time", **kwargs.pop("metadata", {})}, **kwargs)
        self.reads_objects = reads_objects

    def _read(self, value: Any) -> str:
        if isinstance(value, dict) and self.reads_objects:
            raise refused_value(f"unexpected token [START_OBJECT] for [{self.data_key or self.name}]")
        try:
            return iso_timestamp(_string(value))
        except InvalidTimestamp as error:
            cause = None
            if error.inner_reason:
                cause = ParseFailure(error.inner_reason, type="date_time_parse_exception")
            raise ParseFailure(error.reason, type=error.type, caused_by=cause) from None


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise WrongToken(value)
    return value
