"""What tests share: a real Elasticsearch, and the service as real processes beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from scripts.elasticsearch import Source, for_tests
from tests.service import Http, Service


@pytest.fixture(scope="session")
def node() -> Iterator[Source]:
    """A real Elasticsearch that tests may fill and empty; never the one of ELASTICSEARCH_URL."""
    with for_tests() as source:
        yield source


@pytest.fixture(scope="session")
def node_url(node: Source) -> str:
    return node.url


@pytest.fixture(scope="session")
def elasticsearch(node_url: str) -> Iterator[Elasticsearch]:
    """A client of that node, for looking at documents and for writing them as other programs do."""
    with Elasticsearch(node_url, request_timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def running_service(node_url: str) -> Iterator[Service]:
    """The service as `make run` runs it: gunicorn, two processes."""
    with Service(node_url) as service:
        yield service


@pytest.fixture
def service(running_service: Service, elasticsearch: Elasticsearch) -> Service:
    """The running service, ready, with no documents."""
    running_service.wait_until_ready()
    empty(elasticsearch)
    return running_service


@pytest.fixture
def http(service: Service) -> Http:
    """Requests to the service, paths from its root."""
    return service.http


def empty(client: Elasticsearch) -> None:
    """Remove every connector and every job."""
    for index in (CONNECTORS.alias, SYNC_JOBS.alias):
        client.indices.refresh(index=index, ignore_unavailable=True)  # deletes only what searches see
        client.delete_by_query(
            index=index, query={"match_all": {}}, refresh=True, conflicts="proceed", ignore_unavailable=True
        )
