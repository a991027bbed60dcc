"""The body that sets a connector's configuration. Nothing in it is checked against its own rules: they are for the user's form."""

from __future__ import annotations

from typing import Any

from app.wire.fields import AnyJson, Boolean, EnumString, Integer, JsonObject, String
from app.wire.nested_fields import ListOf, MapOf, StringList
from app.wire.schema import RedactedBody, RequestBody

_SCALAR = ("VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN", "VALUE_NULL")
ITEM_DEFAULTS = {"default_value": None, "required": False, "sensitive": False, "value": None}
"""What is stored of an item whether it was sent or not."""


class Dependency(RequestBody):
    """One entry of `depends_on`: the item is shown where another field has that value."""

    parser_name = "connector_configuration_dependency"
    lenient = True

    field = String(required=True)
    value = AnyJson(tokens=_SCALAR, required=True)


class SelectOption(RequestBody):
    """One entry of `options`."""

    parser_name = "connector_configuration_select_option"
    lenient = True

    label = String(required=True)
    value = AnyJson(tokens=("VALUE_STRING", "VALUE_NUMBER"), required=True)


class Validation(RequestBody):
    """One entry of `validations`."""

    parser_name = "connector_configuration_validation"
    lenient = True

    constraint = AnyJson(tokens=("VALUE_STRING", "VALUE_NUMBER", "START_ARRAY"), required=True)
    type = EnumString(
        ("less_than", "greater_than", "list_type", "included_in", "regex"),
        enum="ConfigurationValidationType",
        required=True,
    )


class ConfigurationItem(RequestBody):
    """One item of a configuration. Four keys are stored whether they were sent or not; no others are stored as null."""

    parser_name = "connector_configuration"
    lenient = True

    category = String()
    default_value = AnyJson(tokens=_SCALAR)
    depends_on = ListOf(Dependency)
    display = EnumString(
        ("text", "textbox", "textarea", "numeric", "toggle", "dropdown"), enum="ConfigurationDisplayType"
    )
    label = String(required=True)
    options = ListOf(SelectOption)
    order = Integer()
    placeholder = String(allow_none=True)
    required = Boolean()
    sensitive = Boolean()
    tooltip = String(allow_none=True)
    type = EnumString(
        ("str", "int", "list", "bool"), enum="ConfigurationFieldType", exact=True, allow_none=True
    )
    ui_restrictions = StringList()
    validations = ListOf(Validation)
    value = AnyJson(tokens=(*_SCALAR, "START_OBJECT"), unsupported="Unsupported token [{}]")

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """The item as it is stored."""
        given = {key: value for key, value in values.items() if value is not None}
        return {**ITEM_DEFAULTS, **given}


class ConfigurationBody(RedactedBody):
    """`PUT /_connector/{id}/_configuration`: all of the configuration, or the values of some of its items."""

    parser_name = "connector_update_configuration_request"

    configuration = MapOf(ConfigurationItem)
    values = JsonObject(allow_none=True)

    def violations(self, values: dict[str, Any]) -> list[str]:
        """Exactly one of the two is needed."""
        if not values:
            return ["[configuration] and [values] cannot both be null."]
        if len(values) > 1:
            return ["[configuration] and [values] cannot both be provided in the same request."]
        return []
