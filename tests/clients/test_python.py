"""elasticsearch-py: exceptions, response headers, compression and retries."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import elasticsearch as elasticsearch_py
import pytest
from elastic_transport import ObjectApiResponse
from elasticsearch import (
    ApiError,
    AsyncElasticsearch,
    BadRequestError,
    ConflictError,
    Elasticsearch,
    NotFoundError,
)

from app.store.index_definitions import SYNC_JOBS
from tests.clients.calls import CONNECTOR, JOB, RUNNING
from tests.clients.official_clients import logged_statuses
from tests.service import Service

# The client warns before each request that these methods are not yet stable.
pytestmark = pytest.mark.filterwarnings("ignore::elasticsearch.exceptions.GeneralAvailabilityWarning")

MAJOR = elasticsearch_py.__version__[0]
CURSOR = {"pages": [{"token": "é" * 50, "number": number} for number in range(2000)]}


class Call:
    """Calls of `client.connector` that return when they are done, for the sync and the async client."""

    def __init__(self, asynchronous: bool) -> None:
        self.kind = AsyncElasticsearch if asynchronous else Elasticsearch
        self._loop = asyncio.Runner()
        self._clients: list[Any] = []

    def client(self, *urls: str, **options: Any) -> Any:
        self._clients.append(self.kind(list(urls), **options))
        return self._clients[-1]

    def __call__(self, client: Any, method: str, **arguments: Any) -> Any:
        return self._done(getattr(client.connector, method)(**arguments))

    def close(self) -> None:
        for client in self._clients:
            self._done(client.close())
        self._loop.close()

    def _done(self, result: Any) -> Any:
        return self._loop.run(result) if inspect.isawaitable(result) else result


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Iterator[Call]:
    made = Call(request.param)
    yield made
    made.close()


def test_not_found_error(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url)
    with pytest.raises(NotFoundError) as raised:
        call(client, "sync_job_get", connector_sync_job_id="gone")
    error = raised.value
    assert (error.status_code, error.meta.status) == (404, 404)
    assert error.error == error.message == "resource_not_found_exception"
    described = {"type": "resource_not_found_exception", "reason": "gone"}
    assert error.info == error.body == {"error": {"root_cause": [described], **described}, "status": 404}
    assert str(error) == "NotFoundError(404, 'resource_not_found_exception', 'gone')"


def test_bad_request_error(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url)
    with pytest.raises(BadRequestError) as raised:
        call(client, "sync_job_error", connector_sync_job_id=JOB, error="Oops")
    reason = (
        "Invalid transition attempt from [pending] to [error]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )
    assert (raised.value.status_code, raised.value.error) == (400, "status_exception")
    # The client appends the cause, which has the same reason.
    assert str(raised.value) == f"BadRequestError(400, 'status_exception', {reason!r}, {reason})"


def test_conflict_error(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url)
    call(client, "sync_job_claim", connector_sync_job_id=JOB, worker_hostname="worker-1")
    with pytest.raises(ConflictError) as raised:
        call(client, "sync_job_claim", connector_sync_job_id=JOB, worker_hostname="worker-2")
    assert (raised.value.status_code, raised.value.error) == (409, "status_exception")
    assert f"Sync job [{JOB}] was claimed by [worker-1] at [" in str(raised.value)

    call(client, "sync_job_error", connector_sync_job_id=JOB, error="Oops")
    with pytest.raises(ConflictError) as raised:
        call(client, "sync_job_check_in", connector_sync_job_id=JOB)
    assert f"'Sync job [{JOB}] is finished with status [error] and takes no more" in str(raised.value)


def test_ignored_error_status_is_returned_as_a_response(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url).options(ignore_status=[404, 409])
    response = call(client, "get", connector_id="gone")
    assert (response.meta.status, response["error"]["reason"]) == (404, "connector [gone] not found")


def test_response_has_the_headers_of_elasticsearch(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url).options(opaque_id="worker-1 at work")
    response = call(client, "sync_job_get", connector_sync_job_id=JOB)
    assert isinstance(response, ObjectApiResponse)
    assert (response.meta.status, response.meta.http_version) == (200, "1.1")
    headers = response.meta.headers
    assert headers["x-elastic-product"] == "Elasticsearch"
    assert headers["content-type"] == f"application/vnd.elasticsearch+json;compatible-with={MAJOR}"
    assert headers["x-opaque-id"] == "worker-1 at work"
    assert (response["id"], response.body["status"]) == (JOB, "pending")

    made = call(client, "sync_job_post", id=CONNECTOR)
    assert made.meta.status == 201


def test_error_has_the_headers_of_elasticsearch(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url).options(opaque_id="worker-1 at work")
    with pytest.raises(NotFoundError) as raised:
        call(client, "check_in", connector_id="gone")
    headers = raised.value.meta.headers
    assert headers["x-elastic-product"] == "Elasticsearch"
    assert headers["content-type"] == f"application/vnd.elasticsearch+json;compatible-with={MAJOR}"
    assert headers["x-opaque-id"] == "worker-1 at work"


def test_responses_can_be_filtered(call: Call, prepared_service: Service) -> None:
    client = call.client(prepared_service.url)
    response = call(client, "sync_job_list", filter_path=["count", "results.id"])
    assert response.body == {"count": 2, "results": [{"id": JOB}, {"id": RUNNING}]}
    response = call(
        client, "get", connector_id=CONNECTOR, filter_path="-configuration,-filtering,-scheduling"
    )
    assert response["name"] == "Old"
    assert not response.body.keys() & {"configuration", "filtering", "scheduling"}


def test_null_can_be_sent_in_a_body(call: Call, prepared_service: Service) -> None:
    """The client omits arguments that are `None`."""
    client = call.client(prepared_service.url)
    call(client, "update_error", connector_id=CONNECTOR, error="Broken")
    call(client, "update_error", connector_id=CONNECTOR, body={"error": None})
    call(client, "update_index_name", connector_id=CONNECTOR, body={"index_name": None})
    connector = call(client, "get", connector_id=CONNECTOR)
    assert (connector["error"], connector["status"], connector["index_name"]) == (None, "connected", None)


def test_bodies_can_be_compressed(
    call: Call, prepared_service: Service, elasticsearch: Elasticsearch
) -> None:
    client = call.client(prepared_service.url, http_compress=True)
    arguments = {"connector_sync_job_id": JOB, "worker_hostname": "worker-1", "sync_cursor": CURSOR}
    assert call(client, "sync_job_claim", **arguments) == {"result": "updated"}
    stored = elasticsearch.get(index=SYNC_JOBS.alias, id=JOB)["_source"]
    assert stored["connector"]["sync_cursor"] == CURSOR
    job = call(client, "sync_job_get", connector_sync_job_id=JOB)
    assert job["connector"]["sync_cursor"] == CURSOR
    with pytest.raises(ConflictError):
        call(client, "sync_job_claim", **arguments | {"worker_hostname": "worker-2"})


def test_concurrent_claims_have_one_winner(prepared_service: Service) -> None:
    names = [f"worker-{number}" for number in range(10)]

    async def claim_at_once() -> list[Any]:
        async with AsyncElasticsearch(prepared_service.url) as client:
            claims = [
                client.connector.sync_job_claim(connector_sync_job_id=JOB, worker_hostname=name)
                for name in names
            ]
            return await asyncio.gather(*claims, return_exceptions=True)

    results = asyncio.run(claim_at_once())
    [winner] = [
        name for name, result in zip(names, results, strict=True) if not isinstance(result, Exception)
    ]
    losers = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(result, ConflictError) for result in losers), losers
    assert all(f"was claimed by [{winner}]" in str(result) for result in losers)


def test_503_is_retried_and_then_raised(
    request: pytest.FixtureRequest, call: Call, without_elasticsearch: Service
) -> None:
    opaque_id = request.node.name
    client = call.client(without_elasticsearch.url, max_retries=2).options(opaque_id=opaque_id)
    with pytest.raises(ApiError) as raised:
        call(client, "sync_job_claim", connector_sync_job_id=JOB, worker_hostname="worker-1")
    assert (type(raised.value), raised.value.status_code) == (ApiError, 503)
    assert "Elasticsearch cannot be reached. The request can be sent again." in str(raised.value)
    assert raised.value.body["status"] == 503
    assert logged_statuses(without_elasticsearch, opaque_id) == [503] * 3


def test_503_of_one_replica_is_retried_with_another(
    request: pytest.FixtureRequest, call: Call, without_elasticsearch: Service, prepared_service: Service
) -> None:
    opaque_id = request.node.name
    client = call.client(without_elasticsearch.url, prepared_service.url, randomize_nodes_in_pool=False)
    for _ in range(4):
        beating = client.options(opaque_id=opaque_id)
        assert call(beating, "sync_job_check_in", connector_sync_job_id=RUNNING) == {"result": "updated"}
    assert set(logged_statuses(without_elasticsearch, opaque_id)) == {503}
