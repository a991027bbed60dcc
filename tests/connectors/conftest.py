"""Fixtures to create connectors over HTTP, to write them directly into Elasticsearch, and to read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from elasticsearch import Elasticsearch

from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import ID, empty
from tests.endpoints import ROOT
from tests.service import Http, Service

Call = Callable[..., requests.Response]


@pytest.fixture
def clients(clients: list[Http]) -> list[Http]:
    """Eight HTTP clients of three services. There are no documents."""
    return clients[:8]


@pytest.fixture
def bare(running_service: Service) -> Http:
    """An HTTP client for requests that are refused before any document is read; documents are not removed."""
    return running_service.http


@pytest.fixture
def connector(http: Http) -> str:
    """Create a connector; returns its id."""
    assert http.put(f"{ROOT}/{ID}", json={"name": "first", "service_type": "s3"}).status_code == 201
    return ID


@pytest.fixture
def put(http: Http, connector: str) -> Call:
    """`put("_name", {...})` sends an update of that connector."""
    return lambda path, body=None: http.put(f"{ROOT}/{connector}/{path}", json=body)


@pytest.fixture
def write(elasticsearch: Elasticsearch) -> Callable[..., None]:
    """Write a connector directly into Elasticsearch, as other programs do."""

    def index(document: dict[str, Any], connector_id: str = ID) -> None:
        elasticsearch.index(index=CONNECTORS.alias, id=connector_id, document=document)

    return index


@pytest.fixture
def stored(elasticsearch: Elasticsearch) -> Callable[..., dict[str, Any]]:
    return lambda connector_id=ID: dict(elasticsearch.get(index=CONNECTORS.alias, id=connector_id)["_source"])


@pytest.fixture
def job_ids(elasticsearch: Elasticsearch) -> Callable[[], set[str]]:
    def ids() -> set[str]:
        elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
        found = elasticsearch.search(index=SYNC_JOBS.alias, size=10_000, source=False)
        return {hit["_id"] for hit in found["hits"]["hits"]}

    return ids


@pytest.fixture
def store(store: Store, elasticsearch: Elasticsearch) -> Store:
    """The store in this process. There are no documents."""
    empty(elasticsearch)
    return store
