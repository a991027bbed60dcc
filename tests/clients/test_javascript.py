"""@elastic/elasticsearch beyond the methods that all clients have."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.clients.calls import CONNECTOR, JOB, NEW, SECRET_CALLS, Call
from tests.clients.official_clients import ClientError, JavaScriptClient, logged_statuses
from tests.service import Service

CURSOR = {"pages": [{"token": "é" * 50, "number": number} for number in range(2000)]}


@pytest.fixture
def one_secret(javascript: JavaScriptClient, service: Service) -> None:
    """Store a secret with the id of the connector, and none with the new id."""
    javascript.call("secret_put", id=CONNECTOR, value="v")
    javascript.call_with({}, {"ignore": [404]}, "secret_delete", id=NEW)


@pytest.mark.parametrize("call", SECRET_CALLS, ids=lambda call: call.method)
def test_call_for_secrets_gets_the_expected_response(
    javascript: JavaScriptClient, one_secret: None, call: Call
) -> None:
    response = javascript.call(call.method, **call.arguments)
    assert (response.status, response.body) == (call.status, call.response)


@pytest.mark.parametrize("method", ["secret_get", "secret_delete"])
def test_missing_secret_is_not_found(javascript: JavaScriptClient, one_secret: None, method: str) -> None:
    with pytest.raises(ClientError) as raised:
        javascript.call(method, id=NEW)
    assert (raised.value.status, raised.value.exception) == (404, "ResponseError")
    assert raised.value.body["error"]["reason"] == f"No secret with id [{NEW}]"


def test_message_of_an_error_names_its_causes(
    javascript: JavaScriptClient, prepared_service: Service
) -> None:
    with pytest.raises(ClientError) as raised:
        javascript.call("sync_job_error", connector_sync_job_id=JOB, error="Oops")
    reason = (
        "Invalid transition attempt from [pending] to [error]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )
    assert [line.strip() for line in raised.value.message.splitlines()] == [
        "status_exception",
        "Caused by:",
        f"connector_sync_job_invalid_status_transition_exception: {reason}",
        "Root causes:",
        f"status_exception: {reason}",
    ]


def test_null_is_sent(javascript: JavaScriptClient, prepared_service: Service) -> None:
    javascript.call("update_error", connector_id=CONNECTOR, error="Broken")
    javascript.call("update_error", connector_id=CONNECTOR, error=None)
    javascript.call("update_index_name", connector_id=CONNECTOR, index_name=None)
    javascript.call("last_sync", connector_id=CONNECTOR, last_sync_status=None, sync_cursor=None)
    connector = javascript.call("get", connector_id=CONNECTOR).body
    assert (connector["error"], connector["status"], connector["index_name"]) == (None, "connected", None)


# Response types by whether the request has a body. Without one, the client also accepts plain text. Elasticsearch
# ignores an Accept header that is a list, and uses the Content-Type, even without a body.
TYPES = {
    "8": {True: "application/vnd.elasticsearch+json;compatible-with=8", False: "application/json"},
    "9": {
        True: "application/vnd.elasticsearch+json;compatible-with=9",
        False: "application/vnd.elasticsearch+json",
    },
}


def test_response_has_the_headers_of_elasticsearch(
    request: pytest.FixtureRequest, javascript: JavaScriptClient, prepared_service: Service
) -> None:
    types = TYPES[request.node.callspec.params["javascript"]]
    for has_body, method, arguments in (
        (False, "get", {}),
        (False, "check_in", {}),
        (True, "update_name", {"name": "New"}),
    ):
        response = javascript.call_with(
            {}, {"opaqueId": "from node"}, method, connector_id=CONNECTOR, **arguments
        )
        assert response.headers["x-elastic-product"] == "Elasticsearch"
        assert response.headers["content-type"] == types[has_body]
        assert response.headers["x-opaque-id"] == "from node"


def test_bodies_can_be_compressed(
    javascript: JavaScriptClient, prepared_service: Service, elasticsearch: Elasticsearch
) -> None:
    arguments = {"connector_sync_job_id": JOB, "worker_hostname": "worker-1", "sync_cursor": CURSOR}
    compressing = {"compression": True}
    response = javascript.call_with(compressing, {}, "sync_job_claim", **arguments)
    assert response.body == {"result": "updated"}
    stored = elasticsearch.get(index=SYNC_JOBS.alias, id=JOB)["_source"]
    assert stored["connector"]["sync_cursor"] == CURSOR
    response = javascript.call_with(compressing, {}, "sync_job_get", connector_sync_job_id=JOB)
    assert response.body["connector"]["sync_cursor"] == CURSOR


def test_503_is_retried_and_then_raised(
    request: pytest.FixtureRequest, javascript: JavaScriptClient, without_elasticsearch: Service
) -> None:
    opaque_id = request.node.name
    client_options = {"node": without_elasticsearch.url, "maxRetries": 1}
    with pytest.raises(ClientError) as raised:
        javascript.call_with(client_options, {"opaqueId": opaque_id}, "get", connector_id=CONNECTOR)
    assert (raised.value.status, raised.value.exception) == (503, "ResponseError")
    assert "Elasticsearch cannot be reached" in raised.value.body["error"]["reason"]
    assert logged_statuses(without_elasticsearch, opaque_id) == [503] * 2
