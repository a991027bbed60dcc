"""Request bodies as Elasticsearch's parsers read them: strict, one after the other, the first error wins.

marshmallow knows the fields and collects whatever is wrong with them. Elasticsearch reads a body from left to right and
stops at the first thing it cannot take. `RequestBody` puts marshmallow's findings back into that order and words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import marshmallow

from app.errors import ApiError, Cause
from app.wire import json_body
from app.wire.parse_failure import (
    PARSE_EXCEPTION,
    CannotBuild,
    Failure,
    ParseFailed,
    Spot,
    WrongToken,
    api_error,
    token_name,
)
from app.wire.suggestions import did_you_mean


@dataclass(slots=True)
class ParsedBody:
    """A body that could be read.

    `values` has the fields that were sent, by attribute name. `violations` are the sentences of request validation:
    what marshmallow's validators said, in the order of the declarations. They're answered later than parse errors, so
    they don't raise.
    """

    values: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class RequestBody(marshmallow.Schema):
    """A JSON object in a request body, or inside one.

    A subclass declares `parser_name`, which error texts quote, and its fields (`app.wire.fields`). Fields are refused
    while reading; `validate=` and `@validates_schema` are for request validation. `lenient` objects drop keys they
    don't know, others refuse them.
    """

    parser_name: ClassVar[str]
    lenient: ClassVar[bool] = False

    class Meta:
        """Unknown fields are this class's own business: marshmallow doesn't keep their order among other errors."""

        unknown = marshmallow.EXCLUDE

    @classmethod
    def parse(cls, data: bytes) -> ParsedBody:
        """Read a request body.

        Raises:
            ApiError: 400, for the first thing in the body that cannot be read.
        """
        document = json_body.read(data)
        try:
            if document.value is json_body.BLANK:
                text = f"[1:0] [{cls.parser_name}] Expected START_OBJECT but was: null"
                raise ApiError(400, Cause(PARSE_EXCEPTION, text))
            return reader(cls).read(document.value)
        except ParseFailed as failed:
            raise api_error(failed.failure, document.text) from None

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """A hook for what is refused only once all fields are read: raise `refuse_build`, or return the values."""
        return values

    def read(self, body: object) -> ParsedBody:
        """Read a JSON value that should be this object.

        Raises:
            ParseFailed: with the first failure in the order of the body.
        """
        if not isinstance(body, dict):
            text = f"[{self.parser_name}] Expected START_OBJECT but was: {token_name(body)}"
            raise ParseFailed(Failure(text, spot=Spot.START))
        values, errors = self._loaded(body)
        declared = [declared.data_key or name for name, declared in self.load_fields.items()]
        complete = self._read_in_order(body, values, errors, declared)
        missing = [
            declared.data_key or name
            for name, declared in self.load_fields.items()
            if declared.required and _is_missing(body, declared.data_key or name, null_counts=complete)
        ]
        if missing:
            text = f"Required [{', '.join(missing)}]"
            raise ParseFailed(Failure(text, reader=Spot.LAST, type="illegal_argument_exception"))
        if not complete:
            values = self._built(values, errors, declared)
        return ParsedBody(values, _sentences(errors, [*declared, marshmallow.exceptions.SCHEMA]))

    def _loaded(self, body: dict[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
        try:
            return dict(self.load(body)), {}
        except marshmallow.ValidationError as error:
            valid = error.valid_data if isinstance(error.valid_data, dict) else {}
            return valid, dict(error.messages) if isinstance(error.messages, dict) else {}

    def _read_in_order(
        self, body: dict[str, Any], values: dict[str, Any], errors: Mapping[str, Any], declared: list[str]
    ) -> bool:
        """Meet the fields in the order of the body; whether all the declared ones were there."""
        met = 0
        for key in body:
            if key not in declared:
                if not self.lenient:
                    raise ParseFailed(self._unknown(key, declared))
                continue
            failure = self._failure(key, errors.get(key))
            if failure is not None:
                raise ParseFailed(failure)
            met += 1
            if met == len(declared):  # the object is built here, while its last field is being read
                try:
                    built = dict(self._built(values, errors, declared))
                except ParseFailed as failed:
                    text = f"[{self.parser_name}] failed to parse field [{key}]"
                    raise ParseFailed(failed.failure.under(key).around(text)) from None
                values.clear()
                values.update(built)
        return met == len(declared)

    def _unknown(self, key: str, declared: Iterable[str]) -> Failure:
        suggestion = did_you_mean(key, declared)
        text = f"[{self.parser_name}] unknown field [{key}]" + (f" {suggestion}" if suggestion else "")
        return Failure(text, (key,), spot=Spot.KEY)

    def _failure(self, key: str, findings: object) -> Failure | None:
        for finding in findings if isinstance(findings, list) else ():
            if isinstance(finding, WrongToken):
                text = f"[{self.parser_name}] {key} doesn't support values of type: {finding.token}"
                return Failure(text, (key,), spot=Spot.START)
            if isinstance(finding, Failure):
                return finding.under(key).around(f"[{self.parser_name}] failed to parse field [{key}]")
        return None

    def _built(
        self, values: dict[str, Any], errors: Mapping[str, Any], declared: Iterable[str]
    ) -> dict[str, Any]:
        refusals = [
            finding for key in declared for finding in errors.get(key, ()) if isinstance(finding, CannotBuild)
        ]
        if not refusals:
            try:
                return self.build(values)
            except marshmallow.ValidationError as error:
                refusals = [finding for finding in error.messages if isinstance(finding, CannotBuild)]
                if not refusals:
                    raise
        text = f"Failed to build [{self.parser_name}] after last required field arrived"
        cause = Failure(refusals[0].reason, type=refusals[0].type)
        raise ParseFailed(Failure(text, reader=Spot.LAST, caused_by=cause))


@cache
def reader(schema: type[RequestBody]) -> RequestBody:
    """The one instance of a schema: making one costs more than reading a small body, and it keeps nothing of it."""
    return schema()


def _is_missing(body: dict[str, Any], key: str, *, null_counts: bool) -> bool:
    """An explicit null stands for a required field only in a body that has all declared fields."""
    return key not in body or (body[key] is None and not null_counts)


def _sentences(errors: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    return [finding for key in keys for finding in errors.get(key, ()) if isinstance(finding, str)]
