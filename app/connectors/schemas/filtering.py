"""The bodies that edit a connector's filtering."""

from __future__ import annotations

from typing import Any

from app.wire.fields import AnyJson, EnumString, Integer, String, Timestamp
from app.wire.nested_fields import ListOf, ObjectOf, StringList
from app.wire.schema import RequestBody


class Rule(RequestBody):
    """One rule, which includes or excludes documents by one field."""

    parser_name = "connector_filtering_rule"
    lenient = True

    created_at = Timestamp()
    field = String(required=True)
    id = String(required=True)
    order = Integer(required=True)
    policy = EnumString(("exclude", "include"), enum="FilteringPolicy", required=True)
    rule = EnumString(
        ("contains", "ends_with", "equals", ">", "<", "regex", "starts_with"),
        enum="FilteringRuleCondition",
        exact=True,
        required=True,
    )
    updated_at = Timestamp()
    value = String(required=True)


class AdvancedSnippet(RequestBody):
    """A filter in the language of the connector's source."""

    parser_name = "connector_filtering_advanced_snippet"
    lenient = True

    created_at = Timestamp()
    updated_at = Timestamp()
    value = AnyJson(
        tokens=("START_OBJECT", "START_ARRAY"),
        unsupported="Unsupported token [{}]. Expected an array or an object.",
        required=True,
    )


class Finding(RequestBody):
    """What a connector service has against some rules."""

    parser_name = "connector_filtering_validation"
    lenient = True

    ids = StringList(required=True)
    messages = StringList(required=True)


class Validation(RequestBody):
    """A connector service's verdict on a draft."""

    parser_name = "filtering_validation_info"
    lenient = True

    errors = ListOf(Finding, required=True)
    state = EnumString(("edited", "invalid", "valid"), enum="FilteringValidationState", required=True)


class FilteringState(RequestBody):
    """The active half of a filtering, or its draft."""

    parser_name = "connector_filtering_rules"
    lenient = True

    advanced_snippet = ObjectOf(AdvancedSnippet, required=True)
    rules = ListOf(Rule, required=True)
    validation = ObjectOf(Validation, required=True)


class Filtering(RequestBody):
    """One entry of a filtering. Whatever domain is sent, there is only one."""

    parser_name = "connector_filtering"
    lenient = True

    active = ObjectOf(FilteringState, required=True)
    draft = ObjectOf(FilteringState, required=True)


class FilteringBody(RequestBody):
    """`PUT /_connector/{id}/_filtering`: all of the filtering, or parts of its draft."""

    parser_name = "connector_update_filtering_request"

    filtering = ListOf(Filtering)
    rules = ListOf(Rule)
    advanced_snippet = ObjectOf(AdvancedSnippet)

    def violations(self, values: dict[str, Any]) -> list[str]:
        """All of the filtering or parts of it, but not both."""
        if not values:
            return ["[advanced_snippet] and [rules] cannot be both [null]."]
        if "filtering" in values and len(values) > 1:
            return [
                "If [filtering] is specified, [rules] and [advanced_snippet] should not be present in the request body."
            ]
        return []


class FilteringValidationBody(RequestBody):
    """`PUT /_connector/{id}/_filtering/_validation`."""

    parser_name = "connector_update_filtering_validation"

    validation = ObjectOf(Validation, required=True)
