"""The configurations of the public connector types: registered, given values, and carried into jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.public_configurations import PUBLIC, Item
from tests.documents import ID, Stored, a_connector
from tests.endpoints import JOBS, ROOT
from tests.responses import error
from tests.service import Http

CONFIGURATION = f"{ROOT}/{ID}/_configuration"
ALWAYS_STORED = {"default_value": None, "required": False, "sensitive": False, "value": None}

every_type = pytest.mark.parametrize("service_type", PUBLIC)
TEXTS, ARRAYS, EMPTY = "texts", "arrays", "empty arrays"


def every_type_with_lists_as(*forms: str) -> pytest.MarkDecorator:
    """Every type in the first form of lists, and those that have lists in the other forms."""
    with_lists = [
        name
        for name, fields in PUBLIC.items()
        if any(field.item["type"] == "list" for field in fields.values())
    ]
    cases = [(name, form) for form in forms for name in (PUBLIC if form == forms[0] else with_lists)]
    return pytest.mark.parametrize(("service_type", "lists"), cases)


def values_of(service_type: str, lists: str) -> dict[str, Any]:
    """What a user enters, or what a worker does."""
    in_form = {TEXTS: ",".join, ARRAYS: list, EMPTY: lambda _: []}[lists]
    return {
        name: in_form(field.example) if field.item["type"] == "list" else field.example
        for name, field in PUBLIC[service_type].items()
    }


def register(http: Http, service_type: str) -> dict[str, Item]:
    """A new connector of the type, with its configuration; the items as they should be stored."""
    connector = {"name": "n", "index_name": "search-x", "service_type": service_type}
    assert http.put(f"{ROOT}/{ID}", json=connector).status_code == 201
    configuration = {name: field.item for name, field in PUBLIC[service_type].items()}
    response = http.put(CONFIGURATION, json={"configuration": configuration})
    assert response.status_code == 200, response.text
    return {name: ALWAYS_STORED | item for name, item in configuration.items()}


def set_values(http: Http, items: dict[str, Item], values: dict[str, Any]) -> dict[str, Item]:
    """The items as they should be stored with these values."""
    response = http.put(CONFIGURATION, json={"values": values})
    assert response.status_code == 200, response.text
    return {name: item | {"value": values[name]} for name, item in items.items()}


def shown(http: Http) -> dict[str, Item]:
    return dict(http.get(f"{ROOT}/{ID}").json()["configuration"])


def configuration_of_a_job(http: Http, jobs: Stored) -> dict[str, Item]:
    response = http.post(JOBS, json={"id": ID})
    assert response.status_code == 201, response.text
    return dict(jobs.source(response.json()["id"])["connector"]["configuration"])


def test_types_use_all_that_an_item_can_say() -> None:
    items = [field.item for fields in PUBLIC.values() for field in fields.values()]
    assert len(PUBLIC) >= 25
    assert {item["type"] for item in items} == {"str", "int", "bool", "list"}
    assert {key for item in items for key in item} >= {
        *("default_value", "depends_on", "display", "label", "options", "order", "placeholder"),
        *("required", "sensitive", "tooltip", "type", "ui_restrictions", "validations", "value"),
    }


@every_type
def test_configuration_is_stored_whole(http: Http, service_type: str) -> None:
    assert register(http, service_type) == shown(http)


@every_type_with_lists_as(TEXTS, ARRAYS)
def test_values_are_stored_as_they_are_sent(http: Http, service_type: str, lists: str) -> None:
    items = register(http, service_type)
    assert set_values(http, items, values_of(service_type, lists)) == shown(http)


@every_type
def test_value_of_an_unknown_field_is_refused_by_name(http: Http, service_type: str) -> None:
    items = register(http, service_type)
    values = values_of(service_type, ARRAYS) | {"no_such_field": 1}
    assert error(http.put(CONFIGURATION, json={"values": values})) == (
        400,
        "status_exception",
        (
            "Unknown [configuration] fields in the request payload: [no_such_field]. "
            "Remove them from request or register their schema first."
        ),
    )
    assert shown(http) == items


@every_type_with_lists_as(TEXTS, ARRAYS)
def test_job_carries_the_values(http: Http, jobs: Stored, service_type: str, lists: str) -> None:
    items = set_values(http, register(http, service_type), values_of(service_type, lists))
    assert configuration_of_a_job(http, jobs) == items


@every_type_with_lists_as(ARRAYS, EMPTY)
def test_job_carries_what_a_worker_wrote_into_the_index(
    http: Http, connectors: Stored, jobs: Stored, service_type: str, lists: str
) -> None:
    """Workers write their own items: some without the keys that the service always stores, some with more."""
    fields = PUBLIC[service_type]
    known = {
        name: {"label": fields[name].item["label"], "type": fields[name].item["type"], "value": value}
        for name, value in values_of(service_type, lists).items()
    }
    written = {name: item | {"of_the_worker": {"a": [1]}} for name, item in known.items()}
    connectors.put(ID, a_connector(service_type=service_type, configuration=written))
    carried = configuration_of_a_job(http, jobs)
    assert {name: {key: carried[name].get(key) for key in item} for name, item in known.items()} == known
    assert carried.keys() == known.keys()
