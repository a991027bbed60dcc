"""Query parameters of an endpoint, as marshmallow fields with Elasticsearch's rules and words.

The order in which a schema declares its parameters is the order in which they are parsed; the first that cannot be read
ends the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from marshmallow import fields

from app.errors import Cause, illegal_argument
from app.wire.exchange import flag
from app.wire.schema import Parsed, RequestSchema, schema_instance

_Value = TypeVar("_Value")

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,10})")


class QueryParameters(RequestSchema):
    """The query parameters that one endpoint takes. Those that are not declared are none of its business."""

    @classmethod
    def names(cls) -> list[str]:
        """The declared parameters."""
        return [field.parameter for field in schema_instance(cls).load_fields.values()]

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> Parsed:
        """Read the declared parameters, in this order. Raises `ApiError` 400 for the first that cannot be."""
        schema = schema_instance(cls)
        values = {name: field.read(parameters) for name, field in schema.load_fields.items()}
        schema.check(values)
        return Parsed(values, schema.violations(values))

    def check(self, values: dict[str, Any]) -> None:
        """What can only be said once all parameters are parsed: a hook that raises `ApiError` 400."""


class _Parameter(fields.Field[_Value]):
    """A parameter that may be left out."""

    @property
    def parameter(self) -> str:
        """The name in the query string."""
        return self.data_key or self.name or ""

    def read(self, parameters: Mapping[str, str]) -> Any:
        """The parameter's value, or its `load_default`. Raises `ApiError` 400 for a text that stands for none."""
        text = parameters.get(self.parameter)
        return self.load_default if text is None else self._read(text)

    def _read(self, value: str) -> _Value:
        raise NotImplementedError


class Integer(_Parameter[int]):
    """A 32-bit integer."""

    def _read(self, value: str) -> int:
        match = _INTEGER.fullmatch(value)
        if match and _INT_MIN <= (number := int(match[1] + match[2])) <= _INT_MAX:
            return number
        cause = Cause("number_format_exception", f'For input string: "{value}"')
        raise illegal_argument(
            f"Failed to parse int parameter [{self.parameter}] with value [{value}]", cause
        )


class Boolean(_Parameter[bool]):
    """`true`, `false`, or the bare name for true."""

    def _read(self, value: str) -> bool:
        return flag(value)


class String(_Parameter[str]):
    """Any text, the empty one too."""

    def _read(self, value: str) -> str:
        return value


class CommaList(_Parameter[list[str]]):
    """Texts separated by commas, as they are: blanks count, trailing empty ones do not. An empty value is `[]`."""

    def _read(self, value: str) -> list[str]:
        return _split(value)


class _Choice(_Parameter[_Value]):
    def __init__(self, choices: Iterable[str], *, enum: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.choices = tuple(choices)
        self.enum = enum

    def _choice(self, value: str) -> str:
        for choice in self.choices:
            if value.lower() == choice.lower():
                return choice
        if self.enum:
            raise illegal_argument(f"Unknown {self.enum} [{value}].")
        allowed = " or ".join(f"[{choice}]" for choice in self.choices)
        reason = f"Failed to parse parameter [{self.parameter}] with value [{value}] as only {allowed} are allowed."
        raise illegal_argument(reason)


class Enum(_Choice[str]):
    """One of `choices`, in any case; the value is the choice. `enum` is what a refusal calls the set, if it has a name."""

    def _read(self, value: str) -> str:
        return self._choice(value)


class EnumList(_Choice[list[str]]):
    """One or more of `choices`, separated by commas, in any case; the value is a list of choices.

    An empty value is `[]`, or one bad choice unless `empty_is_none`.
    """

    def __init__(
        self, choices: Iterable[str], *, enum: str | None = None, empty_is_none: bool = True, **options: Any
    ) -> None:
        super().__init__(choices, enum=enum, **options)
        self.empty_is_none = empty_is_none

    def _read(self, value: str) -> list[str]:
        values = _split(value)
        if not values and not self.empty_is_none:
            values = [value]
        return [self._choice(each) for each in values]


def _split(value: str) -> list[str]:
    parts = value.split(",")
    while parts and not parts[-1]:
        parts.pop()
    return parts
