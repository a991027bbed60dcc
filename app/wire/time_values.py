"""Elasticsearch's time values (`30s`, `5m`, `30d`), as fields of bodies and as query parameters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marshmallow import fields

from app.errors import Cause, illegal_argument
from app.time_values import ZERO, InvalidTimeValue, parse
from app.wire.parameters import Parameter
from app.wire.parse_failure import ParseFailure, WrongToken
from app.wire.schema import BodyField

_CAUSE = "number_format_exception"


class _Limits(fields.String):
    """What the fields of bodies and the parameters have in common: the range of their values."""

    def __init__(
        self, *, minimum: timedelta = ZERO, maximum: timedelta | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.minimum = minimum
        self.maximum = maximum


class TimeValue(BodyField, _Limits):
    """A time value in a body, of at least `minimum` and at most `maximum`, as a `timedelta`."""

    def _read(self, value: Any) -> timedelta:
        if not isinstance(value, str):
            raise WrongToken(value)
        name = self.data_key or self.name or ""
        try:
            return parse(name, value, minimum=self.minimum, maximum=self.maximum)
        except InvalidTimeValue as error:
            cause = ParseFailure(error.inner_reason, type=_CAUSE) if error.inner_reason else None
            raise ParseFailure(error.reason, type="illegal_argument_exception", caused_by=cause) from None


class TimeValueParameter(Parameter, _Limits):
    """A time value in the query, of at least `minimum` and at most `maximum`, as a `timedelta`."""

    def _read(self, text: str) -> timedelta:
        try:
            return parse(self.parameter, text, minimum=self.minimum, maximum=self.maximum)
        except InvalidTimeValue as error:
            cause = Cause(_CAUSE, error.inner_reason) if error.inner_reason else None
            raise illegal_argument(error.reason, cause) from None
