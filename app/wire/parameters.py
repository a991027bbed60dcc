"""Query parameters of an endpoint, as marshmallow fields with Elasticsearch's rules and error messages.

The order in which a schema declares its parameters is the order in which they are parsed; the first that cannot be read
ends the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import fields

from app.errors import Cause, illegal_argument
from app.wire.request_context import flag
from app.wire.schema import Parsed, RequestSchema, schema_instance

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,10})")


class QueryParameters(RequestSchema):
    """The query parameters that one endpoint takes. Others are ignored here."""

    @classmethod
    def names(cls) -> list[str]:
        """The declared parameters."""
        return [field.parameter for field in schema_instance(cls).load_fields.values()]

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> Parsed:
        """Read the declared parameters, in this order. Raises `ApiError` 400 for the first that cannot be read."""
        schema = schema_instance(cls)
        values = {name: field.read(parameters) for name, field in schema.load_fields.items()}
        schema.check(values)
        return Parsed(values, schema.violations(values))

    def check(self, values: dict[str, Any]) -> None:
        """A hook for rules between parameters: raises `ApiError` 400."""


class Parameter(fields.Field[Any]):
    """A parameter that may be left out."""

    @property
    def parameter(self) -> str:
        """The name in the query string."""
        return self.data_key or self.name or ""

    def read(self, parameters: Mapping[str, str]) -> Any:
        """The parameter's value, or its `load_default`. Raises `ApiError` 400 for a text that cannot be read."""
        text = parameters.get(self.parameter)
        return self.load_default if text is None else self._read(text)

    def _read(self, text: str) -> Any:
        raise NotImplementedError


class Integer(Parameter, fields.Integer):
    """A 32-bit integer."""

    def _read(self, text: str) -> int:
        match = _INTEGER.fullmatch(text)
        if match and _INT_MIN <= (number := int(match[1] + match[2])) <= _INT_MAX:
            return number
        cause = Cause("number_format_exception", f'For input string: "{text}"')
        raise illegal_argument(f"Failed to parse int parameter [{self.parameter}] with value [{text}]", cause)


class Boolean(Parameter, fields.Boolean):
    """`true`, `false`, or the bare name for true."""

    def _read(self, text: str) -> bool:
        return flag(text)


class String(Parameter, fields.String):
    """Any text, the empty one too."""

    def _read(self, text: str) -> str:
        return text


class CommaList(Parameter, fields.List[Any]):
    """Texts separated by commas, as they are: blanks count, trailing empty ones do not. An empty value is `[]`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(fields.String(), **options)

    def _read(self, text: str) -> list[str]:
        return _split(text)


class Enum(Parameter, fields.String):
    """One of `choices`, in any case; the value is the choice. `enum` names the set in the error message, if it has a name."""

    def __init__(self, choices: Iterable[str], *, enum: str | None = None, **options: Any) -> None:
        self.choices = tuple(map(str, choices))
        self.enum = enum
        super().__init__(metadata={"enum": list(self.choices), **options.pop("metadata", {})}, **options)

    def _read(self, text: str) -> str:
        return _choice(self.parameter, text, self.choices, self.enum)


class EnumList(Parameter, fields.List[Any]):
    """One or more of `choices`, separated by commas, in any case; the value is a list of choices.

    An empty value is `[]`, or one bad choice unless `empty_is_none`.
    """

    def __init__(
        self, choices: Iterable[str], *, enum: str, empty_is_none: bool = True, **options: Any
    ) -> None:
        self.choices = tuple(map(str, choices))
        self.enum = enum
        self.empty_is_none = empty_is_none
        super().__init__(fields.String(metadata={"enum": list(self.choices)}), **options)

    def _read(self, text: str) -> list[str]:
        texts = _split(text)
        if not texts and not self.empty_is_none:
            texts = [text]
        return [_choice(self.parameter, each, self.choices, self.enum) for each in texts]


def _choice(parameter: str, text: str, choices: tuple[str, ...], enum: str | None) -> str:
    for choice in choices:
        if text.lower() == choice.lower():
            return choice
    if enum:
        raise illegal_argument(f"Unknown {enum} [{text}].")
    allowed = " or ".join(f"[{choice}]" for choice in choices)
    raise illegal_argument(
        f"Failed to parse parameter [{parameter}] with value [{text}] as only {allowed} are allowed."
    )


def _split(text: str) -> list[str]:
    parts = text.split(",")
    while parts and not parts[-1]:
        parts.pop()
    return parts
