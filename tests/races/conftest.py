"""Several services beside one Elasticsearch, and crowds of clients that act at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from elasticsearch import Elasticsearch, helpers

from app.store.index_definitions import SYNC_JOBS
from tests.conftest import empty
from tests.service import Service


@pytest.fixture(scope="session")
def running_services(node_url: str) -> Iterator[list[Service]]:
    """Three services: six processes in all."""
    with ExitStack() as stack:
        yield [stack.enter_context(Service(node_url, THREADS="16")) for _ in range(3)]


@pytest.fixture
def services(running_services: list[Service], elasticsearch: Elasticsearch) -> list[Service]:
    for service in running_services:
        service.wait_until_ready()
    empty(elasticsearch)
    return running_services


@pytest.fixture
def put_jobs(elasticsearch: Elasticsearch) -> Callable[..., list[str]]:
    """Write so many jobs of a status, as other programs do; their ids."""

    def put(count: int, status: str = "pending", **fields: object) -> list[str]:
        ids = [f"job-{number}" for number in range(count)]
        document = {
            "status": status,
            "connector": {"id": "c"},
            "created_at": "2024-01-01T00:00:00Z",
            **fields,
        }
        helpers.bulk(elasticsearch, [{"_index": SYNC_JOBS.alias, "_id": id_, **document} for id_ in ids])
        return ids

    return put
