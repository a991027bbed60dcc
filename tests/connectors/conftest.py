"""What the tests of the connector endpoints share: connectors made over HTTP or written past the service, and looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from elasticsearch import Elasticsearch

from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.api.conftest import Stored
from tests.conftest import empty
from tests.service import Http, Service

ROOT = "/_connector"
ID = "c1"

Call = Callable[..., requests.Response]


@pytest.fixture
def clients(services: list[Service]) -> Iterator[list[Http]]:
    """A connection for each of up to eight members of a crowd, spread over the services. No documents."""
    found = [Http(services[number % len(services)].url) for number in range(8)]
    yield found
    for client in found:
        client.close()


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
def connectors(service: Service, elasticsearch: Elasticsearch) -> Stored:
    """The documents of connectors, past the service."""
    return Stored(elasticsearch, CONNECTORS)


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


@pytest.fixture
def store(store: Store, elasticsearch: Elasticsearch) -> Store:
    """The store in this process; no documents."""
    empty(elasticsearch)
    return store
