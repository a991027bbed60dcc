"""The body that sets a connector's configuration. Nothing in it is checked against its own rules: they are for the user's form."""

from __future__ import annotations

from typing import Any, ClassVar

from app.protocol import CONFIGURATION_ITEM_DEFAULTS
from app.wire.fields import AnyJson, Boolean, EnumString, Integer, JsonObject, String
from app.wire.nested_fields import ListOf, MapOf, StringList
from app.wire.schema import RedactedBody, RequestBody

_SCALAR = ("VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN", "VALUE_NULL")


class Dependency(RequestBody):
    """One entry of `depends_on`: the item is shown where another field has that value."""

    parser_name = "connector_configuration_dependency"
    lenient = True

    field = String(required=True, metadata={"description": "The item that the other one depends on."})
    value = AnyJson(
        tokens=_SCALAR, required=True, metadata={"description": "The value at which the other item is shown."}
    )


class SelectOption(RequestBody):
    """One entry of `options`."""

    parser_name = "connector_configuration_select_option"
    lenient = True

    label = String(required=True, metadata={"description": "The option's text in the user's form."})
    value = AnyJson(
        tokens=("VALUE_STRING", "VALUE_NUMBER"),
        required=True,
        metadata={"description": "The value that the option stands for."},
    )


class Validation(RequestBody):
    """One entry of `validations`."""

    parser_name = "connector_configuration_validation"
    lenient = True

    constraint = AnyJson(
        tokens=("VALUE_STRING", "VALUE_NUMBER", "START_ARRAY"),
        required=True,
        metadata={"description": "What the value is compared with."},
    )
    type = EnumString(
        ("less_than", "greater_than", "list_type", "included_in", "regex"),
        enum="ConfigurationValidationType",
        required=True,
        metadata={"description": "How it is compared."},
    )


class ConfigurationItem(RequestBody):
    """One item of a configuration. Four keys are stored whether they were sent or not; no others are stored as null."""

    parser_name = "connector_configuration"
    lenient = True

    category = String(metadata={"description": "The group of the item in the user's form."})
    default_value = AnyJson(tokens=_SCALAR, metadata={"description": "The value where none is set."})
    depends_on = ListOf(Dependency, metadata={"description": "Conditions under which the item is shown."})
    display = EnumString(
        ("text", "textbox", "textarea", "numeric", "toggle", "dropdown"),
        enum="ConfigurationDisplayType",
        metadata={"description": "The widget in the user's form."},
    )
    label = String(required=True, metadata={"description": "The item's name in the user's form."})
    options = ListOf(SelectOption, metadata={"description": "What can be chosen in a dropdown."})
    order = Integer(metadata={"description": "The item's place in the user's form."})
    placeholder = String(allow_none=True, metadata={"description": "The text in an empty input."})
    required = Boolean(metadata={"description": "Whether a value is needed."})
    sensitive = Boolean(metadata={"description": "Whether the value is a secret."})
    tooltip = String(allow_none=True, metadata={"description": "A hint for the user."})
    type = EnumString(
        ("str", "int", "list", "bool"),
        enum="ConfigurationFieldType",
        exact=True,
        allow_none=True,
        metadata={"description": "The type of the value."},
    )
    ui_restrictions = StringList(metadata={"description": "Where the user's form shows the item."})
    validations = ListOf(Validation, metadata={"description": "Rules for the value."})
    value = AnyJson(
        tokens=(*_SCALAR, "START_OBJECT"),
        unsupported="Unsupported token [{}]",
        metadata={"description": "The value."},
    )

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """The item as it is stored."""
        given = {key: value for key, value in values.items() if value is not None}
        return {**CONFIGURATION_ITEM_DEFAULTS, **given}


class ConfigurationBody(RedactedBody):
    """`PUT /_connector/{id}/_configuration`: all of the configuration, or the values of some of its items."""

    parser_name = "connector_update_configuration_request"
    json_schema: ClassVar = {"minProperties": 1, "maxProperties": 1}

    configuration = MapOf(
        ConfigurationItem, metadata={"description": "All of the configuration, by the names of its items."}
    )
    values = JsonObject(
        allow_none=True,
        metadata={
            "description": "New values, by the names of items.",
            "example": {"host": "db2.example.org"},
        },
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """Exactly one of the two is needed."""
        if not values:
            return ["[configuration] and [values] cannot both be null."]
        if len(values) > 1:
            return ["[configuration] and [values] cannot both be provided in the same request."]
        return []
