"""What the tests of the connector endpoints share: connectors made over HTTP or written past the service, and looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from elasticsearch import Elasticsearch

from app import settings
from app.store import Store
from app.store.index_definitions import CONNECTORS, DEFINITIONS, SYNC_JOBS
from tests.service import Http, Service

ROOT = "/_connector"
ID = "c1"
ALIASES = [definition.alias for definition in DEFINITIONS]

Call = Callable[..., requests.Response]


@pytest.fixture
def service(running_service: Service, elasticsearch: Elasticsearch) -> Service:
    """The running service, ready, with no documents, those included that no search has seen yet."""
    running_service.wait_until_ready()
    empty(elasticsearch)
    return running_service


@pytest.fixture(scope="session")
def many_running_services(node_url: str) -> Iterator[list[Service]]:
    """Three services: six processes in all."""
    with ExitStack() as stack:
        yield [stack.enter_context(Service(node_url, THREADS="16")) for _ in range(3)]


@pytest.fixture
def clients(many_running_services: list[Service], elasticsearch: Elasticsearch) -> Iterator[list[Http]]:
    """A connection for each of up to eight members of a crowd, spread over the services. No documents."""
    for each in many_running_services:
        each.wait_until_ready()
    empty(elasticsearch)
    found = [Http(many_running_services[number % 3].url) for number in range(8)]
    yield found
    for client in found:
        client.close()


def empty(client: Elasticsearch) -> None:
    """Remove all documents, those included that no search has seen yet. The service's searches will know at once."""
    client.indices.refresh(index=ALIASES)
    found = client.search(index=ALIASES, size=1000, source=False)["hits"]
    if found["total"]["value"] > len(found["hits"]):
        client.delete_by_query(index=ALIASES, query={"match_all": {}}, refresh=True, conflicts="proceed")
    elif found["hits"]:
        client.bulk(
            operations=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in found["hits"]]
        )


@pytest.fixture
def bare(running_service: Service) -> Http:
    """Requests that are refused before any document is looked at."""
    return running_service.http


@pytest.fixture
def connector(http: Http) -> str:
    """A new connector; its id."""
    assert http.put(f"{ROOT}/{ID}", json={"name": "first", "service_type": "s3"}).status_code == 201
    return ID


@pytest.fixture
def put(http: Http, connector: str) -> Call:
    """`put("_name", {...})`: a request for that connector."""
    return lambda path, body=None: http.put(f"{ROOT}/{connector}/{path}", json=body)


@pytest.fixture
def write(elasticsearch: Elasticsearch) -> Callable[..., None]:
    """Write a connector as other programs do."""

    def index(document: dict[str, Any], connector_id: str = ID) -> None:
        elasticsearch.index(index=CONNECTORS.alias, id=connector_id, document=document)

    return index


@pytest.fixture
def stored(elasticsearch: Elasticsearch) -> Callable[..., dict[str, Any]]:
    return lambda connector_id=ID: dict(elasticsearch.get(index=CONNECTORS.alias, id=connector_id)["_source"])


@pytest.fixture
def put_jobs(elasticsearch: Elasticsearch) -> Callable[..., None]:
    """Write so many jobs of a connector, as other programs do."""

    def index(count: int, connector_id: str = ID) -> None:
        job = {"status": "pending", "connector": {"id": connector_id}}
        lines: list[dict[str, Any]] = []
        for number in range(count):
            lines += [{"index": {"_id": f"{connector_id}-{number}"}}, job]
        assert not elasticsearch.bulk(index=SYNC_JOBS.alias, operations=lines)["errors"]

    return index


@pytest.fixture
def job_ids(elasticsearch: Elasticsearch) -> Callable[[], set[str]]:
    def ids() -> set[str]:
        elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
        found = elasticsearch.search(index=SYNC_JOBS.alias, size=10_000, source=False)
        return {hit["_id"] for hit in found["hits"]["hits"]}

    return ids


def error(answer: requests.Response) -> tuple[int, str, str]:
    """Status, type and reason, the location in a body left out."""
    told = answer.json()["error"]
    return answer.status_code, told["type"], told["reason"]


def chain(answer: requests.Response) -> list[tuple[str, str | None]]:
    """Types and reasons, from the outermost cause to the innermost; `[1:2] ` is left out."""
    links = []
    link = answer.json()["error"]
    while link:
        reason = link["reason"]
        if reason and reason.startswith("[") and "] " in reason and reason[1].isdigit():
            reason = reason.split("] ", 1)[1]
        links.append((link["type"], reason))
        link = link.get("caused_by")
    return links


def refused(message: str) -> tuple[int, str, str]:
    return 400, "action_request_validation_exception", f"Validation Failed: 1: {message};"


def missing(connector_id: str = ID) -> tuple[int, str, str]:
    return 404, "resource_not_found_exception", f"connector [{connector_id}] not found"


@pytest.fixture(scope="session")
def session_store(node_url: str) -> Store:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", node_url)
        store = Store(settings.load())
    store.indices.ensure()
    return store


@pytest.fixture
def store(session_store: Store, elasticsearch: Elasticsearch) -> Store:
    """The store in this process, for what no request can bring about; no documents."""
    empty(elasticsearch)
    return session_store
