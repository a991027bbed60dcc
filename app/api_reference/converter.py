"""The service's fields and schemas as JSON Schema."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from typing import Any

import marshmallow
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.field_converter import DEFAULT_FIELD_MAPPING
from apispec.ext.marshmallow.openapi import OpenAPIConverter

from app.time_values import to_text
from app.wire import parameters
from app.wire.time_values import TimeValue, TimeValueParameter

# Query parameters that Elasticsearch's own API does not have.
_EXTENSIONS = frozenset({"if_active", "order", "search_after", "worker_hostname"})
_TIME_VALUE = r"^\d{1,18}(nanos|micros|ms|s|m|h|d)$"
# Docstrings of bodies begin with their endpoint.
_ENDPOINT = re.compile(r"`[A-Z]+ [^`]+`(?: and `[^`]+`)*[.:]\s*")


class Converter(OpenAPIConverter):
    """As its parent, with what only this service's fields know."""

    field_mapping = {**DEFAULT_FIELD_MAPPING, parameters.Integer: ("integer", "int32")}  # noqa: RUF012

    def field2property(self, field: marshmallow.fields.Field[Any]) -> dict[str, Any]:
        """The JSON Schema of a field."""
        found = super().field2property(field)
        if isinstance(field.load_default, timedelta):
            found["default"] = to_text(field.load_default)
        elif found.get("default", 0) in (None, [], ""):
            del found["default"]  # it stands for a parameter that is not sent
        if isinstance(field, TimeValue | TimeValueParameter):
            found["pattern"] = _TIME_VALUE
            if field.maximum is not None:
                found["description"] += f" At most `{to_text(field.maximum)}`."
        if "example" in found:
            found["examples"] = [found.pop("example")]
        if isinstance(found.get("type"), list):
            found["type"] = list(dict.fromkeys(found["type"]))
        if "enum" in found:
            words = found.pop("enum")
            # Each entry of a list is one of them.
            target = found["items"] if found["type"] == "array" else found
            target["enum"] = [*words, None] if "null" in target["type"] else words
        return found

    def field2nullable(self, field: marshmallow.fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
        """Whether null is accepted. A parameter's default of None only stands for one that is not sent."""
        return {} if isinstance(field, parameters.Parameter) else super().field2nullable(field, ret)

    def schema2jsonschema(self, schema: marshmallow.Schema) -> dict[str, Any]:
        """The JSON Schema of an object. Only bodies that refuse unknown keys are closed."""
        found: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        if getattr(schema, "lenient", True):
            found.pop("additionalProperties", None)
        found |= getattr(schema, "json_schema", {})
        description = _ENDPOINT.sub("", inspect.cleandoc(type(schema).__doc__ or ""), count=1)
        return {**found, "description": description[0].upper() + description[1:]} if description else found

    def list2param(self, field: marshmallow.fields.Field[Any], **_: Any) -> dict[str, Any]:
        """Lists are separated by commas."""
        return {"style": "form", "explode": False} if isinstance(field, marshmallow.fields.List) else {}

    def _field2parameter(
        self, field: marshmallow.fields.Field[Any], *, name: str, location: str
    ) -> dict[str, Any]:
        found: dict[str, Any] = super()._field2parameter(field, name=name, location=location)
        if name in _EXTENSIONS:
            found["description"] = f"Extension. {found['description']}"
        return found


class Plugin(MarshmallowPlugin):
    """Has schemas converted by `Converter`."""

    Converter = Converter

    def __init__(self) -> None:
        super().__init__(schema_name_resolver=schema_name)


def schema_name(schema: Any) -> str:
    """The name of a schema among the document's components: the one that errors quote, if it has one of its own."""
    kind = schema if isinstance(schema, type) else type(schema)
    words = vars(kind).get("parser_name", "").split("_")
    return "".join(map(str.capitalize, words)) or kind.__name__
