"""Jobs for crowds of clients that act at the same moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from elasticsearch import Elasticsearch, helpers

from app.store.index_definitions import SYNC_JOBS


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
