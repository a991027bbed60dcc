"""The API reference on a secured cluster: who gets it, and what it says of callers who lack credentials or privileges."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.api_reference.document import OPERATIONS
from tests.reference.calls import first_call, operation_id, operations, violations
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES
from tests.service import Service

PAGES = ("/_connector/_openapi", "/_connector/_openapi.json", "/_connector/_openapi/swagger-ui.css")
CONNECTOR = "/_connector/my-connector"


@pytest.fixture(scope="module")
def document(guarded: Service, callers: SimpleNamespace) -> dict[str, Any]:
    return dict(guarded.http.get("/_connector/_openapi.json", headers=callers.nothing).json())


@pytest.mark.parametrize("path", PAGES)
def test_reference_needs_credentials_but_no_privilege(
    guarded: Service, callers: SimpleNamespace, path: str
) -> None:
    refused = guarded.http.get(path)
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
    # A browser asks its user for a name and a password.
    assert "Basic realm=" in refused.headers["WWW-Authenticate"]
    assert guarded.http.get(path, headers=callers.wrong).status_code == 401
    assert guarded.http.get(path, headers=callers.nothing).status_code == 200


@pytest.mark.parametrize(("caller", "status"), [("none", 401), ("nothing", 403)])
def test_every_endpoint_refuses_callers_as_documented(
    document: dict[str, Any], guarded: Service, callers: SimpleNamespace, caller: str, status: int
) -> None:
    """Whoever may do nothing gets exactly the endpoints for which the reference names no privilege."""
    headers = getattr(callers, caller)
    for endpoint in OPERATIONS:
        sent = first_call(document, endpoint)
        response = sent.send(guarded.http, headers=headers)
        documented = document["paths"][sent.path][sent.method.lower()]["responses"]
        if str(status) in documented:
            assert response.status_code == status, (endpoint, response.text)
            assert violations(document, sent, response) == []
        else:
            assert response.status_code == 200, (endpoint, response.text)


def test_refusals_are_those_that_the_reference_shows(
    document: dict[str, Any], guarded: Service, callers: SimpleNamespace
) -> None:
    examples = document["components"]["examples"]
    assert guarded.http.get(CONNECTOR).json() == examples["no_credentials"]["value"]
    if KNOWS_CONNECTOR_PRIVILEGES:
        refused = guarded.http.get(CONNECTOR, headers=callers.nothing)
        assert refused.json() == examples["no_privilege"]["value"]


def test_privileges_of_the_reference_are_those_of_the_refusals(
    document: dict[str, Any], guarded: Service, callers: SimpleNamespace
) -> None:
    if not KNOWS_CONNECTOR_PRIVILEGES:
        pytest.skip("this Elasticsearch names index privileges instead")
    by_id = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for endpoint in OPERATIONS:
        response = first_call(document, endpoint).send(guarded.http, headers=callers.nothing)
        if response.status_code == 403:
            granted = response.json()["error"]["reason"].partition("cluster privileges [")[2].rstrip("]")
            assert [*by_id[operation_id(endpoint)]["x-privileges"], "manage", "all"] == granted.split(",")
