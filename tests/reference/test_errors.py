"""Every error of the API reference is a real one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from app.api_reference.document import OPERATIONS
from app.api_reference.errors import ERRORS, OF_ALL, OF_BODIES, OF_SOME, WITHOUT_ENDPOINT
from app.api_reference.example_values import CLAIMED_AT, CONNECTOR_ID, JOB_ID, SECRET_ID
from tests.documents import a_running_job
from tests.endpoints import JOBS, ROOT
from tests.fault_proxy import FaultProxy, to
from tests.reference.calls import Call, first_call, violations
from tests.reference.world import World
from tests.service import Http, Service

CONNECTOR = f"{ROOT}/{CONNECTOR_ID}"
TARGET = re.compile(r"to \[\w+]")

# --- Errors of single endpoints ---

OF_ENDPOINTS = [
    (endpoint, error)
    for endpoint, said in OPERATIONS.items()
    for error in said.errors
    if error in OF_SOME and error != "no_secrets_key"
]
Change = Callable[[World, Call], Call]


def nothing_there(world: World, sent: Call) -> Call:
    world.no_secret()
    return sent


def finished(world: World, sent: Call) -> Call:
    world.jobs.put(JOB_ID, a_running_job("completed"))
    return sent


def finished_without_a_name(world: World, sent: Call) -> Call:
    """With the name of its worker, some of these requests may be sent again."""
    return replace(finished(world, sent), query={})


def held(world: World, sent: Call) -> Call:
    world.jobs.put(JOB_ID, a_running_job(claimed_at=CLAIMED_AT))
    other = {"worker_hostname": "worker-2"}
    return replace(sent, body=other) if sent.path.endswith("_claim") else replace(sent, query=other)


def active(world: World, sent: Call) -> Call:
    world.connector()
    world.jobs.put(JOB_ID, a_running_job(job_type="full", connector={"id": CONNECTOR_ID}))
    return replace(sent, query={"if_active": "refuse"})


def key_used(world: World, sent: Call) -> Call:
    world.connector()
    keyed = replace(sent, headers={"Idempotency-Key": world.job()})
    keyed.send(world.http)
    return replace(keyed, body={**sent.body, "trigger_method": "scheduled"})


def index_used(world: World, sent: Call) -> Call:
    world.sent("PUT", CONNECTOR)
    world.sent("PUT", f"{ROOT}/other", {"index_name": "search-customers"})
    return replace(sent, body={"index_name": "search-customers"})


def new_connector(world: World, sent: Call) -> Call:
    world.sent("PUT", CONNECTOR)
    return replace(sent, body={"status": "connected"})


def unknown_item(world: World, sent: Call) -> Call:
    world.connector()
    return replace(sent, body={"values": {"hots": "db.example.org"}})


def edited(world: World, sent: Call) -> Call:
    world.edited()
    return sent


def foreign_secret(world: World, sent: Call) -> Call:
    world.secret()
    world.secrets.put(SECRET_ID, {"value": "in clear"})
    return sent


PROVOKED: dict[str, Change] = {
    **dict.fromkeys(
        ("no_job", "no_job_to_report", "no_connector_to_sync", "no_connector", "no_secret"), nothing_there
    ),
    "job_status": finished_without_a_name,
    "finished": finished,
    "claimed": held,
    "not_held": held,
    "active": active,
    "key_used": key_used,
    "no_filter": lambda _, sent: replace(sent, body={}),
    "index_used": index_used,
    "connector_status": new_connector,
    "unknown_item": unknown_item,
    "draft_not_valid": edited,
    "foreign_secret": foreign_secret,
}


@pytest.mark.parametrize(("endpoint", "error"), OF_ENDPOINTS)
def test_error_of_an_endpoint_is_the_one_that_the_reference_shows(
    document: dict[str, Any], world: World, endpoint: str, error: str
) -> None:
    sent = PROVOKED[error](world, first_call(document, endpoint))
    assert_documented(document, sent, sent.send(world.http), error)


def test_every_error_is_provoked() -> None:
    assert {error for _, error in OF_ENDPOINTS} == OF_SOME.keys() - {"no_secrets_key"}
    assert PROVOKED.keys() == OF_SOME.keys() - {"no_secrets_key"}


def assert_documented(document: dict[str, Any], sent: Call, response: requests.Response, error: str) -> None:
    """The response is the document's example of that error, and conforms to its schema."""
    shown = document["components"]["examples"][error]["value"]
    assert response.status_code == ERRORS[error].error.status, response.text
    # The example of a refused transition is that of one endpoint.
    assert json.loads(TARGET.sub("to []", response.text)) == json.loads(
        TARGET.sub("to []", json.dumps(shown))
    )
    assert violations(document, sent, response) == []


# --- Errors of all endpoints ---


@pytest.fixture(scope="module")
def cut_off(proxy: FaultProxy) -> Iterator[Service]:
    """A service whose Elasticsearch can be taken away. It takes short bodies only, and has no key for secrets."""
    with Service(proxy.url, SECRETS_KEYS="", MAX_BODY_BYTES="1024", WORKERS="1") as service:
        service.wait_until_ready()
        yield service


def test_errors_of_elasticsearch_are_those_that_the_reference_shows(
    document: dict[str, Any], proxy: FaultProxy, cut_off: Service
) -> None:
    sent = first_call(document, "connectors.get")
    refusal = json.dumps(document["components"]["examples"]["busy"]["value"])
    with proxy.responding(to("_doc/"), 429, refusal):
        assert_documented(document, sent, sent.send(cut_off.http), "busy")
    with proxy.losing(lambda _: True):
        assert_documented(document, sent, sent.send(cut_off.http), "unavailable")


def test_secrets_without_a_key_are_the_error_that_the_reference_shows(
    document: dict[str, Any], cut_off: Service
) -> None:
    for endpoint, said in OPERATIONS.items():
        if "no_secrets_key" in said.errors:
            sent = first_call(document, endpoint)
            assert_documented(document, sent, sent.send(cut_off.http), "no_secrets_key")
    assert sum("no_secrets_key" in said.errors for said in OPERATIONS.values()) == 4


def test_large_body_is_the_error_that_the_reference_shows(document: dict[str, Any], cut_off: Service) -> None:
    sent = first_call(document, "connectors.name")
    response = replace(sent, body={"name": "x" * 1024}).send(cut_off.http)
    shown = document["components"]["examples"]["too_large"]["value"]
    assert response.status_code == 413
    assert response.json() == json.loads(json.dumps(shown).replace("104857600", "1024"))


CANONICAL: dict[str, Callable[[Http], requests.Response]] = {
    "unknown_parameter": lambda http: http.get(f"{CONNECTOR}?include_delete=true"),
    "format": lambda http: http.get(f"{CONNECTOR}?format=yaml"),
    "unknown_field": lambda http: http.put(f"{CONNECTOR}/_name", json={"descripton": "All customers"}),
    "content_type": lambda http: http.put(
        f"{CONNECTOR}/_name", data="x", headers={"Content-Type": "text/plain"}
    ),
    "wrong_method": lambda http: http.delete(JOBS),
    "unknown_path": lambda http: http.put(f"{CONNECTOR}/_nmae"),
}


@pytest.mark.parametrize("error", CANONICAL)
def test_shared_error_is_the_one_that_the_reference_shows(
    document: dict[str, Any], http: Http, error: str
) -> None:
    response = CANONICAL[error](http)
    assert response.status_code == ERRORS[error].error.status
    assert response.json() == document["components"]["examples"][error]["value"]


def test_every_shared_error_is_provoked_somewhere() -> None:
    """Here, by callers (`test_callers.py`), or by clients that stall (`tests/faults`)."""
    elsewhere = {"busy", "too_large", "unavailable", "no_credentials", "no_privilege", "stalled"}
    assert CANONICAL.keys() | elsewhere == OF_ALL.keys() | OF_BODIES.keys() | WITHOUT_ENDPOINT.keys()


SHARED: dict[str, Callable[[Call, Http], requests.Response]] = {
    "unknown_parameter": lambda sent, http: replace(sent, query={"no_such": 1}).send(http),
    "format": lambda sent, http: replace(sent, query={"format": "yaml"}).send(http),
    "unknown_field": lambda sent, http: replace(sent, body={"no_such": 1}).send(http),
    "content_type": lambda sent, http: replace(sent, body="").send(
        http, headers={"Content-Type": "text/plain"}
    ),
}


@pytest.mark.parametrize("error", SHARED)
def test_every_endpoint_has_the_shared_errors_that_are_documented(
    document: dict[str, Any], http: Http, error: str
) -> None:
    wrong = []
    for endpoint in OPERATIONS:
        sent = first_call(document, endpoint)
        if error not in documented_errors(document, sent):
            continue
        response = SHARED[error](sent, http)
        expected = ERRORS[error].body
        kind = expected["error"]["type"] if isinstance(expected["error"], dict) else None
        found = response.json()["error"]
        as_documented = response.status_code == expected["status"] and (
            (found["type"] if isinstance(found, dict) else None) == kind
        )
        if not as_documented or violations(document, sent, response):
            wrong.append((endpoint, response.text))
    assert not wrong


def documented_errors(document: dict[str, Any], sent: Call) -> set[str]:
    """The names of the errors that the document shows for an endpoint."""
    responses = document["paths"][sent.path][sent.method.lower()]["responses"]
    return set(re.findall(r"#/components/(?:responses|examples)/(\w+)", json.dumps(responses)))
