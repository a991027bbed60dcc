"""The bodies that edit a connector's filtering."""

from __future__ import annotations

from typing import Any, ClassVar

from app.wire.fields import AnyJson, EnumString, Integer, String, Timestamp
from app.wire.nested_fields import ListOf, ObjectOf, StringList
from app.wire.schema import RequestBody


class Rule(RequestBody):
    """One rule, which includes or excludes documents by one field."""

    parser_name = "connector_filtering_rule"
    lenient = True

    created_at = Timestamp(metadata={"description": "When the rule was made; now, if it isn't sent."})
    field = String(required=True, metadata={"description": "The field that the rule looks at."})
    id = String(required=True, metadata={"description": "The rule's id."})
    order = Integer(
        required=True,
        metadata={
            "description": "The rule's place in the list; the first that matches decides.",
            # As the index has it.
            "minimum": -(2**15),
            "maximum": 2**15 - 1,
        },
    )
    policy = EnumString(
        ("exclude", "include"),
        enum="FilteringPolicy",
        required=True,
        metadata={"description": "What happens to documents that match."},
    )
    rule = EnumString(
        ("contains", "ends_with", "equals", ">", "<", "regex", "starts_with"),
        enum="FilteringRuleCondition",
        exact=True,
        required=True,
        metadata={"description": "How the field is compared with the value."},
    )
    updated_at = Timestamp(metadata={"description": "When the rule was changed; now, if it isn't sent."})
    value = String(required=True, metadata={"description": "What the field is compared with."})


class AdvancedSnippet(RequestBody):
    """A filter in the language of the connector's source."""

    parser_name = "connector_filtering_advanced_snippet"
    lenient = True

    created_at = Timestamp(metadata={"description": "When the snippet was made; now, if it isn't sent."})
    updated_at = Timestamp(metadata={"description": "When the snippet was changed; now, if it isn't sent."})
    value = AnyJson(
        tokens=("START_OBJECT", "START_ARRAY"),
        unsupported="Unsupported token [{}]. Expected an array or an object.",
        required=True,
        metadata={"description": "The snippet, whose form depends on the connector."},
    )


class Finding(RequestBody):
    """What a connector service found wrong with some rules."""

    parser_name = "connector_filtering_validation"
    lenient = True

    ids = StringList(required=True, metadata={"description": "Rules that it is about."})
    messages = StringList(required=True, metadata={"description": "What is wrong with them."})


class Validation(RequestBody):
    """A connector service's validation of a draft."""

    parser_name = "filtering_validation_info"
    lenient = True

    errors = ListOf(Finding, required=True, metadata={"description": "What is wrong with the draft."})
    state = EnumString(
        ("edited", "invalid", "valid"),
        enum="FilteringValidationState",
        required=True,
        metadata={"description": "The verdict."},
    )


class FilteringState(RequestBody):
    """The active state of a filtering, or its draft."""

    parser_name = "connector_filtering_rules"
    lenient = True

    advanced_snippet = ObjectOf(
        AdvancedSnippet, required=True, metadata={"description": "The advanced filter."}
    )
    rules = ListOf(Rule, required=True, metadata={"description": "The basic rules."})
    validation = ObjectOf(
        Validation, required=True, metadata={"description": "What the connector service thinks of them."}
    )


class Filtering(RequestBody):
    """One entry of a filtering. Whatever domain is sent, there is only one."""

    parser_name = "connector_filtering"
    lenient = True

    active = ObjectOf(FilteringState, required=True, metadata={"description": "What syncs use."})
    draft = ObjectOf(FilteringState, required=True, metadata={"description": "What is being edited."})


class FilteringBody(RequestBody):
    """`PUT /_connector/{id}/_filtering`: all of the filtering, or parts of its draft."""

    parser_name = "connector_update_filtering_request"
    json_schema: ClassVar = {
        "anyOf": [
            {"required": ["filtering"], "maxProperties": 1},
            {"required": ["rules"], "not": {"required": ["filtering"]}},
            {"required": ["advanced_snippet"], "not": {"required": ["filtering"]}},
        ]
    }

    filtering = ListOf(Filtering, metadata={"description": "All of the filtering."})
    rules = ListOf(Rule, metadata={"description": "The basic rules of the draft."})
    advanced_snippet = ObjectOf(
        AdvancedSnippet, metadata={"description": "The advanced filter of the draft."}
    )

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

    validation = ObjectOf(Validation, required=True, metadata={"description": "The verdict on the draft."})
