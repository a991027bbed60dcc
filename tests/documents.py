"""Documents written and read directly in Elasticsearch, as other programs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from app.store.documents import Documents
from app.store.index_definitions import DEFINITIONS, LEASES, IndexDefinition
from app.store.indices import Indices
from app.store.leases import Leases
from app.store.pipelines import Pipelines

ALIASES = [definition.alias for definition in DEFINITIONS]
ID = "c1"  # of the connector that most tests use
SECRET = "hunter2-the-secret"  # a value in every configuration here; no error may contain it
STATUSES = ("pending", "in_progress", "suspended", "canceling", "canceled", "completed", "error")
FINISHED = ("canceled", "completed", "error")


def a_job(status: Any = "pending", **other: Any) -> dict[str, Any]:
    """A job as other programs write it, with values that no endpoint may change by accident."""
    return {
        "connector": {
            "id": "c1",
            "index_name": "search-x",
            "service_type": "mysql",
            "configuration": {"password": {"label": "Password", "sensitive": True, "value": SECRET}},
        },
        "created_at": "2024-01-01T00:00:00.123456+00:00",
        "last_seen": "2024-01-02T00:00:00+00:00",
        "status": status,
        "job_type": "incremental",
        "trigger_method": "scheduled",
        "deleted_document_count": 1,
        "indexed_document_count": 2,
        "indexed_document_volume": 3,
        "total_document_count": 4,
        "metadata": {"kept": {"a": [1, None]}},
        "unknown_to_the_service": [1, {"a": None}],
        **other,
    }


def a_running_job(status: str = "in_progress", **other: Any) -> dict[str, Any]:
    """A job that worker-1 has claimed."""
    held = {"worker_hostname": "worker-1", "started_at": "2024-01-01T12:00:00.000001Z"}
    return a_job(status, **(held | other))


def a_connector(**other: Any) -> dict[str, Any]:
    """A connector that a job can be created for."""
    return {
        "index_name": "search-x",
        "service_type": "mysql",
        "configuration": {},
        "status": "connected",
        **other,
    }


class Stored:
    """The documents of one index, read and written directly in Elasticsearch."""

    def __init__(self, client: Elasticsearch, definition: IndexDefinition) -> None:
        self._client = client
        self.index = definition.alias

    def put(self, document_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Write a document without a refresh; returns the document."""
        self._client.index(index=self.index, id=document_id, document=document)
        return dict(document)

    def put_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        lines: list[Mapping[str, Any]] = []
        for document_id, document in documents.items():
            lines += [{"index": {"_id": document_id}}, document]
        response = self._client.options(request_timeout=60).bulk(index=self.index, operations=lines)
        assert not response["errors"]

    def update(self, document_id: str, fields: Mapping[str, Any]) -> None:
        """Merge fields into a document, as other programs do."""
        self._client.update(index=self.index, id=document_id, doc=fields, retry_on_conflict=10)

    def source(self, document_id: str) -> dict[str, Any]:
        return dict(self._client.get(index=self.index, id=document_id)["_source"])

    def version(self, document_id: str) -> tuple[int, int]:
        """The sequence number and version of a document, which grow with each write."""
        found = self._client.get(index=self.index, id=document_id, source=False)
        return found["_seq_no"], found["_version"]

    def exists(self, document_id: str) -> bool:
        return bool(self._client.exists(index=self.index, id=document_id))

    def ids(self) -> set[str]:
        self._client.indices.refresh(index=self.index)
        found = self._client.search(index=self.index, size=1000, source=False)
        return {hit["_id"] for hit in found["hits"]["hits"]}


def only_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `after` adds or changes; fails if a field of `before` is missing."""
    assert before.keys() <= after.keys()
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


def empty(client: Elasticsearch, aliases: Sequence[str] = ALIASES) -> None:
    """Remove every connector and job, and all leases. Searches of the service see it at once, other searches after a refresh."""
    client.indices.refresh(index=aliases)  # only documents that a search sees are deleted
    found = client.search(index=aliases, size=1000, source=False)["hits"]
    if found["total"]["value"] > len(found["hits"]):
        client.delete_by_query(index=aliases, query={"match_all": {}}, refresh=True, conflicts="proceed")
    elif found["hits"]:
        client.bulk(
            operations=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in found["hits"]]
        )


def ensure_pipeline(client: Elasticsearch) -> None:
    """Look after the pipeline as one process of the service does at its start."""
    leases = Leases(Documents(client, Indices(client), LEASES, refresh_writes=False))
    Pipelines(client, leases).ensure(lambda: True)


def count_writes(client: Elasticsearch, aliases: list[str]) -> int:
    """How many writes these indices have had so far."""
    response = client.indices.stats(
        index=aliases,
        level="shards",
        metric="indexing",
        filter_path="indices.*.shards.*.seq_no.max_seq_no",
    )
    shards = [shard for index in response["indices"].values() for shard in index["shards"].values()]
    return sum(copy["seq_no"]["max_seq_no"] for copies in shards for copy in copies)
