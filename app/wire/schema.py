"""Request bodies as Elasticsearch's parsers read them: strict, from left to right, up to the first error.

The schemas are marshmallow's, so that tools for OpenAPI understand them: field types, `required`, `allow_none`, `data_key`,
`load_default`, `validate=` and `metadata` declare what a body holds. Reading is done here, since marshmallow would collect
all errors, in the order of the declarations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, TypeVar

import marshmallow

from app.errors import ApiError, Cause
from app.wire import json_body
from app.wire.parse_failure import (
    PARSE_EXCEPTION,
    CannotBuild,
    ParseFailure,
    Spot,
    WrongToken,
    api_error,
    token_name,
)
from app.wire.suggestions import did_you_mean

# Parts of a body that a syntax error quotes: a bare word, or a number.
_QUOTED = re.compile(r"(?<=Unrecognized token )'[^']*'|(?<=Numeric value )\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """Values by attribute name, and the sentences of request validation: they are answered later than parse errors."""

    values: dict[str, Any]
    violations: list[str]


class RequestSchema(marshmallow.Schema):
    """What request bodies and query parameters have in common."""

    def violations(self, values: dict[str, Any]) -> list[str]:  # noqa: ARG002
        """A hook for the sentences of request validation that depend on several values."""
        return []


_Schema = TypeVar("_Schema", bound=RequestSchema)


@cache
def schema_instance(schema: type[_Schema]) -> _Schema:
    """The one instance of a schema: making one costs more than reading a small body, and it keeps nothing of it."""
    return schema()


class BodyField(marshmallow.fields.Field[Any]):
    """A field of a body."""

    def read(self, value: Any) -> Any:
        """The value as it is kept. Raises `WrongToken` or `ParseFailure` for one that isn't accepted."""
        if value is not None:
            return self._read(value)
        if not self.allow_none:
            raise WrongToken(value)
        return None

    def _read(self, value: Any) -> Any:
        """As `read`, for what is not null."""
        raise NotImplementedError

    def build(self, value: Any) -> Any:
        """A hook for what is refused only once all fields are read: the value, or `CannotBuild`."""
        return value


class RequestBody(RequestSchema):
    """A JSON object in a request body, or inside one.

    A subclass declares `parser_name`, which error texts quote, and its fields (`app.wire.fields`). Fields are refused
    while reading; `validate=` and `violations` are for request validation, of whole bodies only. `lenient` objects drop
    keys they don't know, others refuse them.
    """

    parser_name: ClassVar[str]
    lenient: ClassVar[bool] = False
    json_schema: ClassVar[dict[str, Any]] = {}
    """What `build` and `violations` ask for that no field says, for documentation."""
    replaces_surrogates: ClassVar[bool] = False
    """Whether halves of surrogate pairs become U+FFFD: a file name in an error text may not be UTF-8 (PEP 383)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._by_key: dict[str, Any] = {
            field.data_key or name: field for name, field in self.load_fields.items()
        }

    @classmethod
    def parse(cls, data: bytes) -> Parsed:
        """Read a request body.

        Raises:
            ApiError: 400, for the first thing in the body that cannot be read.
        """
        value, text = json_body.read(data, replace_surrogates=cls.replaces_surrogates)
        schema = schema_instance(cls)
        try:
            if value is json_body.BLANK:
                reason = f"[1:0] [{cls.parser_name}] Expected START_OBJECT but was: null"
                raise ApiError(400, Cause(PARSE_EXCEPTION, reason))
            values = schema.read(value)
        except ParseFailure as failure:
            raise api_error(failure, text) from None
        return Parsed(values, [*schema._field_violations(values), *schema.violations(values)])

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """A hook for what is refused only once all fields are read: the values to keep, or `CannotBuild`."""
        return values

    def read(self, body: object) -> dict[str, Any]:
        """The values of a JSON value that should be this object.

        Raises:
            ParseFailure: the first in the order of the body.
        """
        name = self.parser_name
        if not isinstance(body, dict):
            raise ParseFailure(f"[{name}] Expected START_OBJECT but was: {token_name(body)}", spot=Spot.START)
        read: dict[str, Any] = {}
        built = None
        for key, value in body.items():
            field = self._by_key.get(key)
            if field is None:
                if self.lenient:
                    continue
                raise self._unknown(key)
            try:
                read[key] = field.read(value)
                # With its last field the object is built, while that field is being read.
                if len(read) == len(self._by_key):
                    built = self._built(read)
            except WrongToken as wrong:
                text = f"[{name}] {key} doesn't support values of type: {wrong.token}"
                raise ParseFailure(text, (key,), spot=Spot.START) from None
            except ParseFailure as failure:
                raise failure.under(key).around(f"[{name}] failed to parse field [{key}]") from None
        if built is not None:
            return built
        # An explicit null stands for a required field only in a body that has all declared fields.
        missing = [key for key, field in self._by_key.items() if field.required and read.get(key) is None]
        if missing:
            text = f"Required [{', '.join(missing)}]"
            raise ParseFailure(text, parser_position=Spot.LAST, type="illegal_argument_exception")
        return self._built(read)

    def _unknown(self, key: str) -> ParseFailure:
        suggestion = did_you_mean(key, self._by_key)
        text = f"[{self.parser_name}] unknown field [{key}]" + (f" {suggestion}" if suggestion else "")
        return ParseFailure(text, (key,), spot=Spot.KEY)

    def _built(self, read: dict[str, Any]) -> dict[str, Any]:
        values = {}
        try:
            for key, field in self._by_key.items():
                value = read.get(key, field.load_default)
                if value is not marshmallow.missing:
                    values[str(field.name)] = None if value is None else field.build(value)
            return self.build(values)
        except CannotBuild as error:
            text = f"Failed to build [{self.parser_name}] after last required field arrived"
            cause = ParseFailure(error.reason, type=error.type)
            raise ParseFailure(text, parser_position=Spot.LAST, caused_by=cause) from None

    def _field_violations(self, values: dict[str, Any]) -> list[str]:
        """What `validate=` has against values, in the order of the declarations."""
        found: list[str] = []
        for name, field in self.load_fields.items():
            for validator in field.validators if values.get(name) is not None else ():
                try:
                    validator(values[name])
                except marshmallow.ValidationError as error:
                    found += map(str, error.messages)
        return found


class RedactedBody(RequestBody):
    """A body that no error may quote from: error responses end up in the logs of clients."""

    @classmethod
    def parse(cls, data: bytes) -> Parsed:
        """As its parent; syntax errors name the place only."""
        try:
            return super().parse(data)
        except ApiError as error:
            raise ApiError(error.status, _unquoted(error.cause), _unquoted(error.root_cause)) from None


def _unquoted(cause: Cause) -> Cause:
    return replace(
        cause,
        reason=None if cause.reason is None else _QUOTED.sub("[not shown]", cause.reason),
        caused_by=None if cause.caused_by is None else _unquoted(cause.caused_by),
    )
