"""Elasticsearch's time values (`30s`, `5m`, `30d`), as fields of bodies and as query parameters."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import fields, validate

from app.errors import Cause, illegal_argument
from app.wire.parameters import Parameter
from app.wire.parse_failure import ParseFailure, WrongToken
from app.wire.schema import BodyField

# Longer than anything has lasted, and short enough for all arithmetic with dates.
_LONGEST_SECONDS = 100.0 * 365 * 86400

_UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME_VALUE = re.compile(r"(.*?)\s*(nanos|micros|ms|s|(?-i:m)|h|d)", re.IGNORECASE | re.DOTALL)
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FRACTION = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


class InvalidTimeValue(ValueError):
    """A text that is no time value: the `reason`, and the reason of the cause below it if any."""

    def __init__(self, reason: str, inner_reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.inner_reason = inner_reason


def seconds(name: str, text: str) -> float:
    """The seconds of a time value, at most a hundred years. Raises `InvalidTimeValue`; errors quote the `name`."""
    value = text.strip()
    if value == "0":
        return 0.0
    match = _TIME_VALUE.fullmatch(value)
    problem = f"failed to parse setting [{name}] with value [{text}] as a time value"
    if match is None:
        raise InvalidTimeValue(f"{problem}: unit is missing or unrecognized")
    number, unit = match[1], match[2].lower()
    if not _WHOLE.fullmatch(number) or len(number) > 19:
        inner = f'For input string: "{number}"'
        if _FRACTION.fullmatch(number):
            raise InvalidTimeValue(
                f"failed to parse [{text}], fractional time values are not supported", inner
            )
        raise InvalidTimeValue(f"failed to parse [{text}]", inner)
    if int(number) < 0:
        raise InvalidTimeValue(f"{problem}: negative durations are not supported")
    return min(int(number) * _UNITS[unit], _LONGEST_SECONDS)


def at_most(name: str, longest: str) -> validate.Range:
    """A limit for a field: `longest` is a time value."""
    return validate.Range(max=seconds(name, longest), error=f"[{name}] must be at most [{longest}]")


class TimeValue(BodyField, fields.String):
    """A time value in a body, in seconds."""

    def _read(self, value: Any) -> float:
        if not isinstance(value, str):
            raise WrongToken(value)
        try:
            return seconds(self.data_key or self.name or "", value)
        except InvalidTimeValue as error:
            inner = error.inner_reason
            cause = ParseFailure(inner, type="number_format_exception") if inner else None
            raise ParseFailure(error.reason, type="illegal_argument_exception", caused_by=cause) from None


class TimeValueParameter(Parameter, fields.String):
    """A time value in the query, in seconds."""

    def _read(self, text: str) -> float:
        try:
            return seconds(self.parameter, text)
        except InvalidTimeValue as error:
            cause = Cause("number_format_exception", error.inner_reason) if error.inner_reason else None
            raise illegal_argument(error.reason, cause) from None
