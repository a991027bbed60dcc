"""Configurations: how items are stored, and how values are set."""

from __future__ import annotations

from typing import Any

import pytest

from app.connectors.schemas.configuration import ConfigurationItem
from app.wire.schema import schema_instance
from tests.documents import ID
from tests.endpoints import ROOT
from tests.responses import chain, error

DEFAULTS = {"default_value": None, "required": False, "sensitive": False, "value": None}
FULL = {
    "category": "c",
    "default_value": 1.5,
    "depends_on": [{"field": "f", "value": None}],
    "display": "textbox",
    "label": "L",
    "options": [{"label": "one", "value": 1}],
    "order": 3,
    "placeholder": "p",
    "required": True,
    "sensitive": True,
    "tooltip": "t",
    "type": "str",
    "ui_restrictions": ["advanced"],
    "validations": [{"constraint": [1, "a"], "type": "included_in"}],
    "value": {"any": ["thing"]},
}

NULLABLE = ("default_value", "placeholder", "tooltip", "type", "value")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"label": "A"}, DEFAULTS | {"label": "A"}),
        (FULL, FULL),
        (
            {"label": "A", "tooltip": None, "placeholder": None, "type": None, "unknown": 1},
            DEFAULTS | {"label": "A"},
        ),
        (
            FULL | dict.fromkeys(NULLABLE),
            {key: value for key, value in FULL.items() if key not in NULLABLE}
            | {"default_value": None, "value": None},
        ),
        (
            {
                "label": "A",
                "display": "TOGGLE",
                "order": "7",
                "required": "true",
                "ui_restrictions": "x",
                "options": {"label": "one", "value": "1", "more": 1},
                "validations": {"constraint": 5, "type": "LESS_THAN"},
            },
            DEFAULTS
            | {
                "label": "A",
                "display": "toggle",
                "order": 7,
                "required": True,
                "ui_restrictions": ["x"],
                "options": [{"label": "one", "value": "1"}],
                "validations": [{"constraint": 5, "type": "less_than"}],
            },
        ),
    ],
)
def test_items_are_stored_with_defaults(put, stored, item, expected) -> None:
    put("_configuration", {"configuration": {"old": {"label": "Old", "value": 1}}})
    for _ in range(2):
        assert put("_configuration", {"configuration": {"a": item}}).json() == {"result": "updated"}
    assert stored()["configuration"] == {"a": expected}
    assert stored()["status"] == "configured"


def test_empty_configuration_is_stored(put, stored) -> None:
    put("_configuration", {"configuration": {"old": {"label": "Old"}}})
    assert put("_configuration", {"configuration": {}}).json() == {"result": "updated"}
    assert stored()["configuration"] == {}


@pytest.mark.parametrize(
    "status", ["created", "needs_configuration", "configured", "connected", "error", None]
)
def test_values_are_set_and_objects_merged(write, put, stored, status) -> None:
    items = {"a": {"label": "A", "value": "old"}, "b": {"label": "B", "value": {"x": 1, "y": 2}}, "c": {}}
    write({"status": status, "configuration": items, "error": "kept"})
    values = {"a": ["new", {}], "b": {"y": 3}, "c": None}
    assert put("_configuration", {"values": values}).json() == {"result": "updated"}
    assert put("_configuration", {"values": values}).json() == {"result": "noop"}
    assert stored() == {
        "status": "configured",
        "error": "kept",
        "configuration": {
            "a": {"label": "A", "value": ["new", {}]},
            "b": {"label": "B", "value": {"y": 3}},
            "c": {"value": None},
        },
    }


def test_value_is_stored_whole_so_that_keys_can_be_removed(write, put, stored) -> None:
    write({"status": "configured", "configuration": {"j": {"label": "J", "value": {"a": 1}}}})
    for value in ({"b": 2}, {}, ["g/p"], []):
        assert put("_configuration", {"values": {"j": value}}).json() == {"result": "updated"}
        assert stored()["configuration"]["j"]["value"] == value


@pytest.mark.parametrize("values", [{}, None])
def test_empty_values_only_change_the_status(put, stored, values) -> None:
    assert put("_configuration", {"values": values}).json() == {"result": "updated"}
    assert stored()["status"] == "configured"


@pytest.mark.parametrize("configuration", [{"a": {"label": "A"}}, None, []])
def test_values_of_unknown_items_are_refused(write, put, stored, configuration) -> None:
    write({"status": "created", "configuration": configuration})
    assert error(put("_configuration", {"values": {"z": 1, "a.b": 2, "": 3}})) == (
        400,
        "status_exception",
        (
            "Unknown [configuration] fields in the request payload: [, a.b, z]. "
            "Remove them from request or register their schema first."
        ),
    )
    assert stored() == {"status": "created", "configuration": configuration}


UNREADABLE = [
    ({}, "Required [label]"),
    ({"label": None}, "[connector_configuration] label doesn't support values of type: VALUE_NULL"),
    ({"label": "A", "value": ["hunter2"]}, "Unsupported token [START_ARRAY]"),
    (
        {"label": "A", "default_value": {}},
        "[connector_configuration] default_value doesn't support values of type: START_OBJECT",
    ),
    ({"label": "A", "type": "STR"}, "Unknown ConfigurationFieldType [STR]."),
    ({"label": "A", "display": "x"}, "Unknown ConfigurationDisplayType [x]."),
    (
        {"label": "A", "display": None},
        "[connector_configuration] display doesn't support values of type: VALUE_NULL",
    ),
    ({"label": "A", "depends_on": [{"field": "f"}]}, "Required [value]"),
    ({"label": "A", "options": [{"value": 1}]}, "Required [label]"),
    (
        {"label": "A", "options": [{"label": "x", "value": True}]},
        "[connector_configuration_select_option] value doesn't support values of type: VALUE_BOOLEAN",
    ),
    (
        {"label": "A", "validations": [{"constraint": 1, "type": "x"}]},
        "Unknown ConfigurationValidationType [x].",
    ),
]


@pytest.mark.parametrize(("item", "reason"), UNREADABLE)
def test_invalid_item_is_refused(bare, item, reason) -> None:
    response = bare.put(f"{ROOT}/{ID}/_configuration", json={"configuration": {"a": item}})
    assert response.status_code == 400
    found = chain(response)
    assert found[0] == (
        "x_content_parse_exception",
        "[connector_update_configuration_request] failed to parse field [configuration]",
    )
    assert found[-1][1] == reason
    assert "hunter2" not in response.text


def test_key_that_elasticsearch_refuses_is_a_bad_request(put, stored) -> None:
    before = stored()
    response = put("_configuration", {"configuration": {"": {"label": "A", "value": "hunter2"}}})
    assert error(response)[:2] == (400, "document_parsing_exception")
    assert "hunter2" not in response.text
    assert stored() == before


TOKENS: dict[str, Any] = {
    "VALUE_NULL": None,
    "VALUE_STRING": "text",
    "VALUE_NUMBER": 7,
    "VALUE_BOOLEAN": True,
    "START_ARRAY": [],
    "START_OBJECT": {},
}
SCALARS = {"VALUE_NULL", "VALUE_STRING", "VALUE_NUMBER", "VALUE_BOOLEAN"}
# The token types that each key of an item accepts.
TAKES = {
    "category": {"VALUE_STRING"},
    "default_value": SCALARS,
    "depends_on": {"START_ARRAY", "START_OBJECT"},
    "display": {"VALUE_STRING"},
    "label": {"VALUE_STRING"},
    "options": {"START_ARRAY", "START_OBJECT"},
    "order": {"VALUE_NUMBER", "VALUE_STRING"},
    "placeholder": {"VALUE_STRING", "VALUE_NULL"},
    "required": {"VALUE_BOOLEAN", "VALUE_STRING"},
    "sensitive": {"VALUE_BOOLEAN", "VALUE_STRING"},
    "tooltip": {"VALUE_STRING", "VALUE_NULL"},
    "type": {"VALUE_STRING", "VALUE_NULL"},
    "ui_restrictions": {"START_ARRAY", "VALUE_STRING"},
    "validations": {"START_ARRAY", "START_OBJECT"},
    "value": SCALARS | {"START_OBJECT"},
}
READABLE = {
    "display": {"VALUE_STRING": "text"},
    "order": {"VALUE_STRING": "-7"},
    "required": {"VALUE_STRING": "true"},
    "sensitive": {"VALUE_STRING": ""},
    "type": {"VALUE_STRING": "str"},
    "depends_on": {"START_OBJECT": {"field": "f", "value": 1}},
    "options": {"START_OBJECT": {"label": "l", "value": 1}},
    "validations": {"START_OBJECT": {"constraint": 1, "type": "regex"}},
}
# The same for the keys of nested objects in an item.
NESTED: dict[str, dict[str, set[str]]] = {
    "depends_on": {"field": {"VALUE_STRING"}, "value": SCALARS},
    "options": {"label": {"VALUE_STRING"}, "value": {"VALUE_STRING", "VALUE_NUMBER"}},
    "validations": {"constraint": {"VALUE_STRING", "VALUE_NUMBER", "START_ARRAY"}, "type": {"VALUE_STRING"}},
}
PARSERS = {
    "depends_on": "connector_configuration_dependency",
    "options": "connector_configuration_select_option",
    "validations": "connector_configuration_validation",
}


def test_tables_have_every_key() -> None:
    assert set(schema_instance(ConfigurationItem).fields) == set(TAKES) == set(FULL)


@pytest.mark.parametrize("key", TAKES)
def test_key_accepts_its_token_types(put, stored, key) -> None:
    for token in TAKES[key]:
        item = {"label": "L", key: READABLE.get(key, {}).get(token, TOKENS[token])}
        response = put("_configuration", {"configuration": {"k": item}})
        assert response.status_code == 200, (token, response.text)
        kept = stored()["configuration"]["k"]
        assert kept.keys() >= {*DEFAULTS, "label"}
        assert (key in kept) == (token != "VALUE_NULL" or key in DEFAULTS)


@pytest.mark.parametrize("key", TAKES)
def test_key_refuses_other_token_types(bare, key) -> None:
    for token in TOKENS.keys() - TAKES[key]:
        body = {"configuration": {"k": {"label": "L", key: TOKENS[token]}}}
        response = bare.put(f"{ROOT}/{ID}/_configuration", json=body)
        reason = f"[connector_configuration] {key} doesn't support values of type: {token}"
        expected = "Unsupported token [START_ARRAY]" if key == "value" else reason
        assert response.status_code == 400
        assert chain(response)[-1][1] == expected


@pytest.mark.parametrize(("outer", "key"), [(outer, key) for outer in NESTED for key in NESTED[outer]])
def test_nested_objects_of_an_item_are_checked(http, connector, stored, outer, key) -> None:
    good = READABLE[outer]["START_OBJECT"]
    for token, value in TOKENS.items():
        readable = "regex" if key == "type" else value
        element = good | {key: readable if token == "VALUE_STRING" else value}
        body = {"configuration": {"k": {"label": "L", outer: [element]}}}
        response = http.put(f"{ROOT}/{ID}/_configuration", json=body)
        if token in NESTED[outer][key]:
            assert response.status_code == 200, (token, response.text)
            assert stored()["configuration"]["k"][outer] == [element]
        else:
            assert response.status_code == 400
            reason = f"[{PARSERS[outer]}] {key} doesn't support values of type: {token}"
            assert chain(response)[-1][1] == reason
    for present in ({}, {each: value for each, value in good.items() if each != key}):
        body = {"configuration": {"k": {"label": "L", outer: present}}}
        missing = [each for each in NESTED[outer] if each not in present]
        reason = f"Required [{', '.join(missing)}]"
        assert chain(http.put(f"{ROOT}/{ID}/_configuration", json=body))[-1][1] == reason


@pytest.mark.parametrize("token", TOKENS)
def test_configuration_and_values_must_be_objects(bare, token) -> None:
    """Both are objects; only `values` may be null."""
    for name in ("configuration", "values"):
        taken = {"START_OBJECT"} | ({"VALUE_NULL"} if name == "values" else set())
        response = bare.put(f"{ROOT}/missing/_configuration", json={name: TOKENS[token]})
        if token in taken:
            assert response.status_code == 404
        else:
            reason = (
                f"[connector_update_configuration_request] {name} doesn't support values of type: {token}"
            )
            assert chain(response) == [("x_content_parse_exception", reason)]
