"""A closed index, or an alias on two indices: a 503 that says how to fix it, since it is not a client error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS, IndexDefinition
from tests.documents import Stored, a_connector, a_job, a_running_job
from tests.endpoints import ENDPOINTS, JOBS, OF_JOBS, Endpoint
from tests.responses import error_body
from tests.service import Http, Service

SECOND = "unusable-index-second"
USE_JOBS = [endpoint.of("j1") for endpoint in OF_JOBS]
# They search, which an alias on two indices allows, and here write nothing.
SEARCHES = [f"sync_job/{name}" for name in ("list", "summary", "prune", "claim_next")]
USE_CONNECTORS = [
    *(
        ENDPOINTS[action].of("c1")
        for action in ("get", "list", "put", "update_index_name", "update_last_seen", "delete")
    ),
    ENDPOINTS["sync_job/post"],
]
WITH_JOBS = Endpoint("delete", "DELETE", "/_connector/c1?delete_sync_jobs=true")


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


def assert_unusable(response: requests.Response, fix: str) -> None:
    error = error_body(response)["error"]
    assert (response.status_code, error["type"]) == (503, "status_exception"), response.text
    assert fix in error["reason"]


@pytest.mark.parametrize(
    ("definition", "endpoints"),
    [(SYNC_JOBS, [*USE_JOBS, WITH_JOBS]), (CONNECTORS, USE_CONNECTORS)],
    ids=["jobs", "connectors"],
)
def test_closed_index_is_503_with_the_fix(
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
            assert_unusable(endpoint.send(http), f"open it (POST /{definition.alias}/_open)")
    assert (connectors.version("c1"), jobs.version("j1")) == before
    assert http.get(JOBS).json()["count"] == 1
    assert http.get("/_connector").json()["count"] == 1


@pytest.mark.parametrize(
    ("definition", "endpoints"),
    [
        (SYNC_JOBS, [each for each in USE_JOBS if each.action not in SEARCHES]),
        (CONNECTORS, [each for each in USE_CONNECTORS if each.action != "list"]),
    ],
    ids=["jobs", "connectors"],
)
def test_alias_on_two_indices_is_503_with_the_fix(
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
            assert_unusable(endpoint.send(http), "take the alias off the others")
    assert (connectors.version("c1"), jobs.version("j1")) == before


@contextmanager
def named_as_the_alias(client: Elasticsearch, definition: IndexDefinition) -> Iterator[None]:
    client.indices.delete(index=definition.name)
    client.indices.create(index=definition.alias, mappings=definition.mappings)
    try:
        yield
    finally:
        client.indices.delete(index=definition.alias)


@pytest.mark.filterwarnings("ignore::elasticsearch.ElasticsearchWarning")  # about names that begin with a dot
@pytest.mark.parametrize(
    ("definition", "endpoints"),
    [
        (SYNC_JOBS, [each for each in USE_JOBS if each.method == "PUT"]),
        (CONNECTORS, [each for each in USE_CONNECTORS if each.method == "PUT"]),
    ],
    ids=["jobs", "connectors"],
)
def test_index_with_the_name_of_the_alias_is_503_with_the_fix(
    http: Http,
    service: Service,
    elasticsearch: Elasticsearch,
    definition: IndexDefinition,
    endpoints: list[Endpoint],
) -> None:
    with named_as_the_alias(elasticsearch, definition):
        for endpoint in endpoints:
            assert_unusable(endpoint.send(http), f"[{definition.alias}] is an index, but must be an alias")
        assert elasticsearch.count(index=definition.alias)["count"] == 0
    service.wait_until_ready()
    missing = http.put(f"{JOBS}/j1/_cancel")
    assert missing.status_code == 404


def test_connector_whose_jobs_cannot_be_deleted_is_kept(
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
