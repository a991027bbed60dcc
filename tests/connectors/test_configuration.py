"""Configurations: their items as they are stored, and values set one by one."""

from __future__ import annotations

import pytest

from tests.connectors.conftest import ID, ROOT, chain, error

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
def test_items_as_they_are_stored(put, stored, item, expected) -> None:
    put("_configuration", {"configuration": {"old": {"label": "Old", "value": 1}}})
    for _ in range(2):
        assert put("_configuration", {"configuration": {"a": item}}).json() == {"result": "updated"}
    assert stored()["configuration"] == {"a": expected}
    assert stored()["status"] == "configured"


def test_an_empty_configuration(put, stored) -> None:
    put("_configuration", {"configuration": {"old": {"label": "Old"}}})
    assert put("_configuration", {"configuration": {}}).json() == {"result": "updated"}
    assert stored()["configuration"] == {}


@pytest.mark.parametrize(
    "status", ["created", "needs_configuration", "configured", "connected", "error", None]
)
def test_values(write, put, stored, status) -> None:
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
            "b": {"label": "B", "value": {"x": 1, "y": 3}},
            "c": {"value": None},
        },
    }


@pytest.mark.parametrize("values", [{}, None])
def test_no_values(put, stored, values) -> None:
    assert put("_configuration", {"values": values}).json() == {"result": "updated"}
    assert stored()["status"] == "configured"


@pytest.mark.parametrize("configuration", [{"a": {"label": "A"}}, None, []])
def test_values_of_unknown_items(write, put, stored, configuration) -> None:
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
def test_unreadable_items(bare, item, reason) -> None:
    answer = bare.put(f"{ROOT}/{ID}/_configuration", json={"configuration": {"a": item}})
    assert answer.status_code == 400
    found = chain(answer)
    assert found[0] == (
        "x_content_parse_exception",
        "[connector_update_configuration_request] failed to parse field [configuration]",
    )
    assert found[-1][1] == reason
    assert "hunter2" not in answer.text


def test_a_key_that_elasticsearch_refuses(put, stored) -> None:
    before = stored()
    answer = put("_configuration", {"configuration": {"": {"label": "A", "value": "hunter2"}}})
    assert error(answer)[:2] == (400, "document_parsing_exception")
    assert "hunter2" not in answer.text
    assert stored() == before
