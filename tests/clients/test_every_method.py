"""Every method of every official client, with every parameter; a new one in a newer client is detected."""

from __future__ import annotations

from typing import Any

import elasticsearch
import pytest

from tests.clients.calls import CALLS, CONNECTOR, SECRET_CALLS, SINCE_9, Call
from tests.clients.official_clients import ClientError, JavaScriptClient, Official, PythonClient
from tests.service import Service

GONE = "gone 1/x"


def missing_parameters(client: Official) -> set[tuple[str, str]]:
    """The parameters that this client lacks."""
    return SINCE_9 if isinstance(client, PythonClient) and elasticsearch.__version__[0] == 8 else set()


def known_arguments(client: Official, call: Call) -> dict[str, Any]:
    return {
        name: value
        for name, value in call.arguments.items()
        if (call.method, name) not in missing_parameters(client)
    }


def number(value: object) -> str | None:
    return f"{CALLS.index(value)}-{value.method}" if isinstance(value, Call) else None


def changed_document(client: Official, call: Call) -> dict[str, Any]:
    """The document that the call changed."""
    if "connector_id" in call.arguments:
        document = client.call("get", connector_id=call.arguments["connector_id"]).body
    else:
        job_id = call.arguments["connector_sync_job_id"]
        document = client.call("sync_job_get", connector_sync_job_id=job_id).body
    assert isinstance(document, dict)
    return document


def test_table_of_calls_has_every_method_and_parameter(official: Official) -> None:
    expected: dict[str, set[str]] = {}
    for call in [*CALLS, *(SECRET_CALLS if isinstance(official, JavaScriptClient) else [])]:
        expected.setdefault(call.method, set()).update(known_arguments(official, call))
    methods = official.methods()
    assert methods.keys() == expected.keys()
    assert {name: found for name, found in methods.items() if found is not None} == {
        name: sent for name, sent in expected.items() if methods[name] is not None
    }


@pytest.mark.parametrize("call", CALLS, ids=number)
def test_call_gets_the_expected_response(official: Official, prepared_service: Service, call: Call) -> None:
    response = official.call(call.method, **known_arguments(official, call))
    assert (response.status, response.body) == (call.status, call.response)
    if call.stored:
        document = changed_document(official, call)
        assert {name: document.get(name) for name in call.stored} == call.stored


# Methods for which a missing connector or job is an error.
OF_ONE = {
    call.method: (call, name)
    for call in CALLS
    for name in ("connector_id", "connector_sync_job_id")
    if name in call.arguments and call.method not in ("put", "sync_job_list")
}


def test_missing_document_is_not_found(official: Official, service: Service) -> None:
    for method, (call, name) in OF_ONE.items():
        with pytest.raises(ClientError) as raised:
            official.call(method, **known_arguments(official, call) | {name: GONE})
        if name == "connector_id":
            reason = f"connector [{GONE}] not found"
        elif method in ("sync_job_check_in", "sync_job_update_stats"):
            reason = f"connector sync job [{GONE}] not found"
        else:
            reason = GONE
        assert_client_error(official, raised.value, 404, "resource_not_found_exception", reason)


@pytest.mark.parametrize(
    "call", {call.method: call for call in CALLS}.values(), ids=lambda call: str(call.method)
)
@pytest.mark.parametrize("official", ["python"], indirect=True)
def test_common_parameters_are_accepted_by_every_method(
    official: Official, prepared_service: Service, call: Call
) -> None:
    common = {"pretty": True, "human": True, "error_trace": True, "filter_path": ["*"]}
    response = official.call(call.method, **known_arguments(official, call), **common)
    assert (response.status, response.body) == (call.status, call.response)


ILLEGAL_TRANSITION = "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
REFUSED = [
    ("put", {"connector_id": "n", "index_name": "_bad"}, 400, "action_request_validation_exception", None),
    (
        "put",
        {"connector_id": "n", "index_name": "content-old"},
        400,
        "status_exception",
        "Index name [content-old] is used by another connector.",
    ),
    ("list", {"size": -1}, 400, "illegal_argument_exception", "Parameter [size] cannot be < 0"),
    (
        "update_status",
        {"connector_id": CONNECTOR, "status": "connected"},
        400,
        "status_exception",
        (
            "Invalid transition attempt from [created] to [connected]. "
            "Such a status transition is not supported by the Connector Protocol."
        ),
    ),
    (
        "update_configuration",
        {"connector_id": CONNECTOR, "values": {"unknown": 1}},
        400,
        "status_exception",
        (
            "Unknown [configuration] fields in the request payload: [unknown]. "
            "Remove them from request or register their schema first."
        ),
    ),
    (
        "update_scheduling",
        {"connector_id": CONNECTOR, "scheduling": {"full": {"enabled": True, "interval": "at noon"}}},
        400,
        "x_content_parse_exception",
        None,
    ),
    (
        "sync_job_post",
        {"id": GONE},
        404,
        "resource_not_found_exception",
        f"Connector with id '{GONE}' does not exist.",
    ),
    ("sync_job_post", {"id": CONNECTOR, "job_type": "none"}, 400, "x_content_parse_exception", None),
    (
        "sync_job_list",
        {"status": "none"},
        400,
        "illegal_argument_exception",
        "Unknown ConnectorSyncStatus [none].",
    ),
    (
        "sync_job_error",
        {"connector_sync_job_id": "j 1/x", "error": "e"},
        400,
        "status_exception",
        f"Invalid transition attempt from [pending] to [error]. {ILLEGAL_TRANSITION}",
    ),
    (
        "sync_job_update_stats",
        {
            "connector_sync_job_id": "j 1/x",
            "deleted_document_count": -1,
            "indexed_document_count": 0,
            "indexed_document_volume": 0,
        },
        400,
        "action_request_validation_exception",
        "Validation Failed: 1: [deleted_document_count] cannot be negative.;",
    ),
]


@pytest.mark.parametrize(
    ("method", "arguments", "status", "kind", "reason"),
    REFUSED,
    ids=[f"{row[0]}-{row[3]}" for row in REFUSED],
)
def test_refused_call_raises_the_exception_of_the_client(
    official: Official,
    prepared_service: Service,
    method: str,
    arguments: dict[str, Any],
    status: int,
    kind: str,
    reason: str | None,
) -> None:
    with pytest.raises(ClientError) as raised:
        official.call(method, **arguments)
    assert_client_error(official, raised.value, status, kind, reason)


def assert_client_error(
    client: Official, error_raised: ClientError, status: int, kind: str, reason: str | None
) -> None:
    """Assert that the client raised its exception for that status, with the whole error envelope."""
    assert (error_raised.status, error_raised.exception) == (status, client.exceptions[status])
    assert error_raised.message.splitlines()[0] == kind
    error = error_raised.body["error"]
    assert (error["type"], error_raised.body["status"]) == (kind, status)
    assert error["root_cause"]
    if reason is not None:
        assert error["reason"] == reason
