"""Enumerations in connector bodies: each value is accepted, in any case unless the enumeration is case-sensitive."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from app.connectors.states import TRANSITIONS
from tests.connectors.test_filtering import FILTERING_STATE, SNIPPET, rule
from tests.documents import ID
from tests.endpoints import ROOT
from tests.responses import chain

ITEM = {"label": "L"}
SYNC_STATUSES = ["canceling", "canceled", "completed", "error", "in_progress", "pending", "suspended"]
# Name; values; whether it is case-sensitive; path; body; where the value is stored.
Body = Callable[[str], dict[str, Any]]
SETS: list[tuple[str, list[str], bool, str, Body, list[str | int]]] = [
    (
        "ConnectorStatus",
        ["created", "needs_configuration", "configured", "connected", "error"],
        False,
        "_status",
        lambda value: {"status": value},
        ["status"],
    ),
    *(
        (
            "ConnectorSyncStatus",
            SYNC_STATUSES,
            False,
            "_last_sync",
            lambda value, f=field: {f: value},
            [field],
        )
        for field in ("last_sync_status", "last_access_control_sync_status")
    ),
    (
        "FilteringPolicy",
        ["exclude", "include"],
        False,
        "_filtering",
        lambda value: {"rules": [rule("a", 0, policy=value)]},
        ["filtering", 0, "draft", "rules", 0, "policy"],
    ),
    (
        "FilteringRuleCondition",
        ["contains", "ends_with", "equals", ">", "<", "regex", "starts_with"],
        True,
        "_filtering",
        lambda value: {"rules": [rule("a", 0, rule=value)]},
        ["filtering", 0, "draft", "rules", 0, "rule"],
    ),
    (
        "FilteringValidationState",
        ["edited", "invalid", "valid"],
        False,
        "_filtering/_validation",
        lambda value: {"validation": {"errors": [], "state": value}},
        ["filtering", 0, "draft", "validation", "state"],
    ),
    (
        "FilteringValidationState",
        ["edited", "invalid", "valid"],
        False,
        "_filtering",
        lambda value: {
            "filtering": {
                "active": FILTERING_STATE,
                "draft": {
                    "rules": [],
                    "advanced_snippet": SNIPPET,
                    "validation": {"errors": [], "state": value},
                },
            }
        },
        ["filtering", 0, "draft", "validation", "state"],
    ),
    (
        "ConfigurationDisplayType",
        ["text", "textbox", "textarea", "numeric", "toggle", "dropdown"],
        False,
        "_configuration",
        lambda value: {"configuration": {"k": ITEM | {"display": value}}},
        ["configuration", "k", "display"],
    ),
    (
        "ConfigurationFieldType",
        ["str", "int", "list", "bool"],
        True,
        "_configuration",
        lambda value: {"configuration": {"k": ITEM | {"type": value}}},
        ["configuration", "k", "type"],
    ),
    (
        "ConfigurationValidationType",
        ["less_than", "greater_than", "list_type", "included_in", "regex"],
        False,
        "_configuration",
        lambda value: {"configuration": {"k": ITEM | {"validations": [{"constraint": 1, "type": value}]}}},
        ["configuration", "k", "validations", 0, "type"],
    ),
]
EACH = pytest.mark.parametrize(
    ("name", "values", "exact", "path", "body", "place"), SETS, ids=lambda value: str(value)[:24]
)


@EACH
def test_every_value_is_accepted(put, write, stored, name, values, exact, path, body, place) -> None:
    before = stored()
    for value in values:
        for sent in [value] if exact else [value, value.upper(), value.capitalize()]:
            # `_status` also depends on the current status of the connector.
            starts = [start for start, targets in TRANSITIONS.items() if value in targets]
            write(before | ({"status": starts[0]} if name == "ConnectorStatus" and starts else {}))
            response = put(path, body(sent))
            if name == "ConnectorStatus" and not starts:  # no transition leads there, but the value is known
                assert chain(response)[-1][1].startswith(
                    "Invalid transition attempt from [created] to [created]."
                )
                continue
            assert response.status_code == 200, response.text
            assert reduce(lambda value, key: value[key], place, stored()) == value


@EACH
def test_any_other_value_is_refused(bare, name, values, exact, path, body, place) -> None:
    others = ["", " ", "x", f"{values[0]} ", "\u0130nvalid"]
    if exact:
        others += [values[0].upper()] if values[0].upper() != values[0] else []
    for value in others:
        response = bare.put(f"{ROOT}/{ID}/{path}", json=body(value))
        assert response.status_code == 400
        assert chain(response)[-1] == ("illegal_argument_exception", f"Unknown {name} [{value}].")
