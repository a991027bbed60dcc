"""Shared fixtures: a real Elasticsearch, and the service running beside it as real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from app import settings
from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from scripts.elasticsearch import Source, for_tests
from tests.documents import ID, Stored, count_writes, empty
from tests.fault_proxy import FaultProxy
from tests.groups import pytest_collection_modifyitems, pytest_xdist_make_scheduler  # noqa: F401
from tests.secured import admin, callers, guarded, secured, set_up, start_service  # noqa: F401
from tests.service import SECRETS_KEY, Http, Service


@pytest.fixture(scope="session")
def node() -> Iterator[Source]:
    """A real Elasticsearch that tests may write to and empty; never the cluster of ELASTICSEARCH_URL."""
    with for_tests() as source:
        yield source


@pytest.fixture(scope="session")
def node_url(node: Source) -> str:
    return node.url


@pytest.fixture(scope="session")
def elasticsearch(node_url: str) -> Iterator[Elasticsearch]:
    """A client of that node, to read documents and to write them as other programs do."""
    with Elasticsearch(node_url, request_timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def running_service(node_url: str) -> Iterator[Service]:
    """The service as `make run` runs it: gunicorn, two processes. It has a key for secrets and logs at debug level."""
    with Service(node_url, SECRETS_KEYS=SECRETS_KEY, LOG_FORMAT="json", LOG_LEVEL="debug") as service:
        yield service


@pytest.fixture
def service(running_service: Service, elasticsearch: Elasticsearch) -> Service:
    """The running service, ready, without documents."""
    try:
        empty(elasticsearch)
    except NotFoundError:  # the service has only just started, or a test deleted an index
        running_service.wait_until_ready()
        empty(elasticsearch)
    return running_service


@pytest.fixture
def http(service: Service) -> Http:
    """An HTTP client of the service; paths start at its root."""
    return service.http


@pytest.fixture
def jobs(service: Service, elasticsearch: Elasticsearch) -> Stored:
    """The stored sync jobs, read and written directly in Elasticsearch."""
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.fixture
def connectors(service: Service, elasticsearch: Elasticsearch) -> Stored:
    """The stored connectors, read and written directly in Elasticsearch."""
    return Stored(elasticsearch, CONNECTORS)


@pytest.fixture
def put_jobs(elasticsearch: Elasticsearch) -> Callable[..., list[str]]:
    """Write `count` jobs of a connector directly into Elasticsearch; returns their ids."""

    def put(count: int, status: str = "pending", connector_id: str = ID, **fields: Any) -> list[str]:
        job = {"status": status, "connector": {"id": connector_id}, "created_at": "2024-01-01T00:00:00Z"}
        ids = [f"{connector_id}-{number}" for number in range(count)]
        Stored(elasticsearch, SYNC_JOBS).put_all(dict.fromkeys(ids, job | fields))
        return ids

    return put


@pytest.fixture(scope="session")
def running_services(node_url: str) -> Iterator[list[Service]]:
    """Three services with six worker processes in all."""
    with ExitStack() as stack:
        yield [stack.enter_context(Service(node_url, THREADS="16")) for _ in range(3)]


@pytest.fixture
def services(running_services: list[Service], elasticsearch: Elasticsearch) -> list[Service]:
    """Three running services, ready, without documents."""
    for each in running_services:
        each.wait_until_ready()
    empty(elasticsearch)
    return running_services


@pytest.fixture
def clients(services: list[Service]) -> Iterator[list[Http]]:
    """64 HTTP clients, spread over the three services. There are no documents."""
    found = [Http(services[number % len(services)].url) for number in range(64)]
    yield found
    for client in found:
        client.close()


@pytest.fixture(scope="module")
def proxy(node_url: str) -> Iterator[FaultProxy]:
    """A proxy in front of the node that drops the requests or responses that a test chooses."""
    with FaultProxy(node_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def store(node_url: str) -> Store:
    """A store in this process, for cases that no HTTP request can cause."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", node_url)
        store = Store(settings.load())
    store.indices.ensure()
    return store


@pytest.fixture
def writes(elasticsearch: Elasticsearch) -> Callable[[], int]:
    """Counts all writes to both indices so far; an unchanged count means that nothing was written."""
    return lambda: count_writes(elasticsearch, [CONNECTORS.alias, SYNC_JOBS.alias])
