"""Decision 16: a caller who may only read sees no sensitive value, whatever shape other programs gave the document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.redaction import MASK, masked_connector, masked_sync_job
from tests.documents import SECRET
from tests.raw_values import CONNECTOR, JOB, raw_documents

ITEM = {"label": "Password", "sensitive": True, "value": SECRET}
HARMLESS = {"label": "Host", "sensitive": False, "value": "db.example"}
HIDDEN = [
    {"configuration": {"a": ITEM}},
    *(
        {"configuration": {"a": ITEM | {"sensitive": flag}}}
        for flag in ("true", "TRUE", "yes", 1, [True], [], {})
    ),
    *({"configuration": {"a": ITEM | {"value": value}}} for value in ([SECRET], {"x": [SECRET]}, [[SECRET]])),
    {"configuration": {"a": ITEM | {"value": None, "default_value": SECRET}}},
    {"configuration": {"a": [ITEM]}},
    {"configuration": {"a": [[ITEM], HARMLESS]}},
    {"configuration": {"a": SECRET}},
    {"configuration": {"a": [SECRET]}},
    {"configuration": {"group": {"a": ITEM}}},
    {"configuration": {"a": {"sensitive": True, "value.x": SECRET}}},
    {"configuration": {"a": {"unknown": [{"sensitive": True, "value": SECRET}]}}},
    {"configuration": {"a.sensitive": True, "a.value": SECRET}},
    {"configuration": [{"a": ITEM}]},
    {"configuration": [ITEM]},
    {"configuration": [[{"a": ITEM}], SECRET]},
    {"configuration": SECRET},
    {"configuration.a": ITEM},
    {"configuration.a.value": SECRET, "configuration.a.sensitive": True},
]


@pytest.mark.parametrize("connector", HIDDEN, ids=str)
def test_sensitive_value_is_hidden(connector: dict[str, Any]) -> None:
    assert SECRET in str(connector)
    dotted = {f"connector.{key}": value for key, value in connector.items()}
    shown = [masked_connector(connector), masked_sync_job({"connector": connector}), masked_sync_job(dotted)]
    shown.append(masked_sync_job({"connector": [connector, [connector]]}))
    assert SECRET not in str(shown)
    assert MASK in str(shown)


@pytest.mark.parametrize("flag", [None, False, "false", ""])
def test_everything_else_is_shown(flag: object) -> None:
    shown = {
        "configuration": {
            "a": {"label": "L", "sensitive": flag, "value": ["v"], "default_value": "d"},
            "b": None,
        },
        "configuration_of_others": {"a": 1},
        "name": "n",
        "pipeline": [{"name": "p"}],
    }
    assert masked_connector(shown) == shown
    job = {"connector": shown, "connectors": 1, "status": "pending", "metadata": {"connector": "c"}}
    assert masked_sync_job(job) == job


@pytest.mark.parametrize(
    "nothing", [{}, {"configuration": None}, {"configuration": {}}, {"configuration": []}], ids=str
)
def test_connector_without_a_configuration_is_shown(nothing: dict[str, Any]) -> None:
    assert masked_connector(nothing) == nothing
    assert masked_sync_job({"connector": nothing}) == {"connector": nothing}
    assert masked_sync_job({"connector": None}) == {"connector": None}


def test_of_a_sensitive_item_only_its_values_are_hidden() -> None:
    item = ITEM | {"default_value": None, "order": 1, "depends_on": [], "unknown": 1}
    shown = masked_connector({"configuration": {"a": item}})["configuration"]["a"]
    assert shown == item | {"value": MASK, "unknown": MASK}


def masked(document: dict[str, Any]) -> dict[str, Any]:
    return masked_sync_job(document) if "connector" in document else masked_connector(document)


def test_no_odd_document_shows_a_sensitive_value() -> None:
    raws = [*raw_documents(CONNECTOR), *raw_documents(JOB)]
    shown = {str(raw) for raw in raws if SECRET in json.dumps(masked(raw.document)).lower()}
    flag = "configuration.a.sensitive"
    harmless = ("absent", "null", "an empty text", "the opposite as a text")
    assert shown == {f"{path}{flag}: {shape}" for path in ("", "connector.") for shape in harmless}
