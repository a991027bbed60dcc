"""Fields that hold objects with a schema of their own, one or many, and lists of texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marshmallow import fields

from app.wire.fields import EnumString
from app.wire.json_scanner import PathPart
from app.wire.parse_failure import ParseFailure, Place, Spot, WrongToken, token_name
from app.wire.schema import BodyField, RequestBody, schema_instance


class ObjectOf(BodyField, fields.Nested):
    """An object with a schema."""

    def __init__(self, nested: type[RequestBody], **kwargs: Any) -> None:
        super().__init__(nested, **kwargs)
        self._schema_class = nested

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongToken(value)
        return _object(self._schema_class, value, ())


class ListOf(BodyField, fields.List[Any]):
    """A list of objects with a schema; a single object counts as a list of one."""

    def __init__(self, nested: type[RequestBody], **kwargs: Any) -> None:
        super().__init__(ObjectOf(nested), **kwargs)
        self._schema_class = nested

    def _read(self, value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [_object(self._schema_class, value, ())]
        if not isinstance(value, list):
            raise WrongToken(value)
        return [self._element(value, index) for index in range(len(value))]

    def _element(self, values: list[Any], index: int) -> dict[str, Any]:
        if isinstance(values[index], dict):
            return _object(self._schema_class, values[index], (index,))
        if isinstance(values[index], list):
            raise _no_list(index)
        # Elasticsearch's parser checks the token after a scalar, not the scalar itself.
        if index + 1 < len(values):
            raise _no_object(self._schema_class, token_name(values[index + 1]), (index + 1,), Spot.START)
        raise _no_object(self._schema_class, "END_ARRAY", (), Spot.LAST)


class MapOf(BodyField, fields.Dict):
    """An object with free keys, each value an object with one schema."""

    def __init__(self, nested: type[RequestBody], **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), values=ObjectOf(nested), **kwargs)
        self._schema_class = nested

    def _read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongToken(value)
        return {key: self._entry(value, key) for key in value}

    def _entry(self, values: dict[str, Any], key: str) -> dict[str, Any]:
        if isinstance(values[key], dict):
            return _object(self._schema_class, values[key], (key,))
        if isinstance(values[key], list):
            raise _no_object(self._schema_class, "START_ARRAY", (key,), Spot.START)
        keys = list(values)
        following = keys.index(key) + 1
        if following < len(keys):
            raise _no_object(self._schema_class, "FIELD_NAME", (keys[following],), Spot.KEY)
        raise _no_object(self._schema_class, "END_OBJECT", (), Spot.LAST)


class StringList(BodyField, fields.List[Any]):
    """A list of texts; a single string counts as a list of one. Numbers and booleans in the list become texts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.String(), **kwargs)

    def _read(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list):
            raise WrongToken(value)
        return [_text(element, index) for index, element in enumerate(value)]


class EnumStringList(StringList):
    """A list of a few words, in any case; a single string counts as a list of one. `enum` is the set's name in error texts."""

    def __init__(self, words: Iterable[str], *, enum: str, **kwargs: Any) -> None:
        self._word = EnumString(words, enum=enum)
        super().__init__(metadata={"enum": list(self._word.words), **kwargs.pop("metadata", {})}, **kwargs)

    def _read(self, value: Any) -> list[Any]:
        words = []
        for index, text in enumerate(super()._read(value)):
            try:
                words.append(self._word.read(text))
            except ParseFailure as failure:
                raise failure if isinstance(value, str) else failure.under(index) from None
        return words


def _object(schema: type[RequestBody], value: dict[str, Any], path: tuple[PathPart, ...]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = schema_instance(schema).read(value)
    except ParseFailure as failure:
        raise failure.under(*path) from None
    return values


def _no_object(schema: type[RequestBody], token: str, path: tuple[PathPart, ...], spot: Spot) -> ParseFailure:
    text = f"[{schema.parser_name}] Expected START_OBJECT but was: {token}"
    return ParseFailure(text, path, spot=spot, parser_position=spot)


def _no_list(index: int) -> ParseFailure:
    text = "expected value but got [START_ARRAY]"
    return ParseFailure(text, (index,), type="illegal_state_exception")


def _text(element: Any, index: int) -> str:
    if isinstance(element, str):
        return element
    if isinstance(element, bool):
        return "true" if element else "false"
    if isinstance(element, int | float):
        return str(element)
    if isinstance(element, list):
        raise _no_list(index)

    def reason(place: Place) -> str:
        return f"Expected text at {place.start} but found {token_name(element)}"

    raise ParseFailure(reason, (index,), type="illegal_argument_exception")
