"""Fixtures for one job, and one connector, in any state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from scripts.elasticsearch import client_major

JOB, CONNECTOR = "job", "connector"
# A timestamp so early that differences in milliseconds overflow. Elasticsearch 8.x does not store it.
ABSURDLY_EARLY = [-(2**63)] * (client_major() >= 9)


@pytest.fixture
def put_job(store: Store, elasticsearch: Elasticsearch) -> Callable[[dict[str, Any]], None]:
    def put(document: dict[str, Any]) -> None:
        elasticsearch.index(index=SYNC_JOBS.alias, id=JOB, document=document)

    return put


@pytest.fixture
def stored_job(elasticsearch: Elasticsearch) -> Callable[[], dict[str, Any]]:
    return lambda: dict(elasticsearch.get(index=SYNC_JOBS.alias, id=JOB)["_source"])


@pytest.fixture
def put_connector(store: Store, elasticsearch: Elasticsearch) -> Callable[[dict[str, Any]], None]:
    def put(document: dict[str, Any]) -> None:
        elasticsearch.index(index=CONNECTORS.alias, id=CONNECTOR, document=document)

    return put


@pytest.fixture
def stored_connector(elasticsearch: Elasticsearch) -> Callable[[], dict[str, Any]]:
    return lambda: dict(elasticsearch.get(index=CONNECTORS.alias, id=CONNECTOR)["_source"])
