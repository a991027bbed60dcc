"""An index that is closed, or an alias that stands for two: the operator's fault, so 503 with the cure, and no client's 400."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS, IndexDefinition
from tests.api.conftest import ENDPOINTS, JOBS, Endpoint, Stored, a_connector, a_job, a_running_job, told
from tests.service import Http

SECOND = "unusable-index-second"
CONNECTOR = [
    Endpoint("get connector", "GET", "/_connector/c1"),
    Endpoint("list connectors", "GET", "/_connector"),
    Endpoint("put connector", "PUT", "/_connector/c1", {"name": "n"}),
    Endpoint("attach an index", "PUT", "/_connector/c1/_index_name", {"index_name": "search-z"}),
    Endpoint("check in connector", "PUT", "/_connector/c1/_check_in"),
    Endpoint("delete connector", "DELETE", "/_connector/c1"),
]


@contextmanager
def closed(client: Elasticsearch, definition: IndexDefinition) -> Iterator[None]:
    client.indices.close(index=definition.name)
    try:
        yield
    finally:
        client.indices.open(index=definition.name)
        client.cluster.health(index=definition.name, wait_for_status="yellow")


@contextmanager
def doubled(client: Elasticsearch, definition: IndexDefinition) -> Iterator[None]:
    client.indices.create(index=SECOND, aliases={definition.alias: {}}, mappings=definition.mappings)
    try:
        yield
    finally:
        client.indices.delete(index=SECOND)


def assert_tells_the_operator(answer: requests.Response, cure: str) -> None:
    error = told(answer)["error"]
    assert (answer.status_code, error["type"]) == (503, "status_exception"), answer.text
    assert cure in error["reason"]


@pytest.mark.parametrize(
    ("definition", "endpoints"),
    [(SYNC_JOBS, [*ENDPOINTS, Endpoint("with jobs", "DELETE", "/_connector/c1?delete_sync_jobs=true")]),
     (CONNECTORS, [*CONNECTOR, ENDPOINTS[0]])],
    ids=["jobs", "connectors"],
)  # fmt: skip
def test_a_closed_index(
    http: Http,
    jobs: Stored,
    connectors: Stored,
    elasticsearch: Elasticsearch,
    definition: IndexDefinition,
    endpoints: list[Endpoint],
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", a_running_job())
    before = connectors.version("c1"), jobs.version("j1")
    with closed(elasticsearch, definition):
        for endpoint in endpoints:
            assert_tells_the_operator(endpoint.send(http), f"open it (POST /{definition.alias}/_open)")
    assert (connectors.version("c1"), jobs.version("j1")) == before
    assert http.get(JOBS).json()["count"] == 1
    assert http.get("/_connector").json()["count"] == 1


@pytest.mark.parametrize(
    ("definition", "endpoints"),
    [(SYNC_JOBS, [each for each in ENDPOINTS if each.name != "list"]),
     (CONNECTORS, [*(each for each in CONNECTOR if "list" not in each.name), ENDPOINTS[0]])],
    ids=["jobs", "connectors"],
)  # fmt: skip
def test_an_alias_on_two_indices(
    http: Http,
    jobs: Stored,
    connectors: Stored,
    elasticsearch: Elasticsearch,
    definition: IndexDefinition,
    endpoints: list[Endpoint],
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", a_running_job())
    before = connectors.version("c1"), jobs.version("j1")
    with doubled(elasticsearch, definition):
        for endpoint in endpoints:
            assert_tells_the_operator(endpoint.send(http), "take the alias off the others")
    assert (connectors.version("c1"), jobs.version("j1")) == before


def test_jobs_that_cannot_be_deleted_keep_their_connector(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", a_job())
    delete = "/_connector/c1?hard=true&delete_sync_jobs=true"
    with closed(elasticsearch, SYNC_JOBS):
        assert http.delete(delete).status_code == 503
    assert http.get("/_connector/c1").status_code == 200
    assert http.delete(delete).status_code == 200
    assert jobs.ids() == set()
