"""The requests of the public connector service, and the parts of the responses that it reads.

It has one address for Elasticsearch and the Connector API. Most of its writes go directly to the indices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.service import Http

CONNECTORS = ".elastic-connectors"
JOBS = ".elastic-connectors-sync-jobs"
JSON = "application/vnd.elasticsearch+json; compatible-with=8"
LINES = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"
RESPONSE_TYPE = JSON.replace("; ", ";")

Document = dict[str, Any]


class Conflict(Exception):
    """A 409: the document has changed since it was read."""


class Read:
    """A document as it was read, with the condition for a conditional write."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        self.id: str = response["_id"]
        self.source: Document = response["_source"]
        self.seq_no: int = response["_seq_no"]
        self.condition = f"?if_seq_no={response['_seq_no']}&if_primary_term={response['_primary_term']}"


class Worker:
    """One worker process. It asserts status and headers of every response."""

    def __init__(
        self, url: str, hostname: str = "worker-1", authorization: str = "Basic ZWxhc3RpYzpjaGFuZ2VtZQ=="
    ) -> None:
        self.hostname = hostname
        self._authorization = authorization
        self._http = Http(url)

    def close(self) -> None:
        self._http.close()

    def send(
        self, method: str, path: str, body: Any = None, *, lines: bytes | None = None
    ) -> requests.Response:
        """Send a request with the headers of the worker's client, also those that it sends without a body."""
        headers = {
            "Accept": JSON,
            "Accept-Encoding": None,
            "Authorization": self._authorization,
            "User-Agent": "elastic-connectors-9.4.3/service",
            "X-elastic-client-meta": "es=8.18.0,py=3.11.2,t=8.17.1,ai=3.12.13,h=bp",
            "X-elastic-product-origin": "connectors",
        }
        data = b""
        if lines is not None:
            headers["Content-Type"], data = LINES, lines
        elif body is not None:
            headers["Content-Type"], data = JSON, json.dumps(body).encode()
        elif method in ("POST", "PUT"):
            headers["Content-Type"] = "application/octet-stream"
        response = self._http.request(method, path, headers=headers, data=data)
        assert response.headers["X-Elastic-Product"] == "Elasticsearch"
        assert "Content-Encoding" not in response.headers
        assert "Warning" not in response.headers
        return response

    def call(
        self, method: str, path: str, body: Any = None, *, status: int = 200, lines: bytes | None = None
    ) -> Any:
        """Send a request whose response must have this status and the accepted media type; returns its JSON."""
        response = self.send(method, path, body, lines=lines)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        if method == "HEAD":
            assert response.content == b""
            return None
        assert response.headers["Content-Type"] == RESPONSE_TYPE
        return response.json()

    # --- Direct requests to Elasticsearch ---

    def refresh(self, alias: str) -> None:
        response = self.call("POST", f"/{alias}/_refresh")
        assert response == {"_shards": {"total": 1, "successful": 1, "failed": 0}}

    def search(self, alias: str, query: Mapping[str, Any], sort: Sequence[Any] = ()) -> list[Read]:
        """All documents that a query finds, after a refresh as before each search of the worker."""
        self.refresh(alias)
        request = {"from": 0, "size": 100, "seq_no_primary_term": True, "query": query}
        if sort:
            request["sort"] = sort
        response = self.call("POST", f"/{alias}/_search?expand_wildcards=hidden", request)
        found = [Read(hit) for hit in response["hits"]["hits"]]
        assert response["hits"]["total"] == {"value": len(found), "relation": "eq"}
        return found

    def read(self, alias: str, document_id: str) -> Read:
        self.refresh(alias)
        response = self.call("GET", f"/{alias}/_doc/{document_id}")
        assert (response["_index"], response["_id"], response["found"]) == (f"{alias}-v1", document_id, True)
        return Read(response)

    def is_gone(self, alias: str, document_id: str) -> bool:
        self.refresh(alias)
        return self.call("GET", f"/{alias}/_doc/{document_id}", status=404)["found"] is False

    def update(self, alias: str, document_id: str, doc: Mapping[str, Any], condition: str = "") -> None:
        """Merge `doc` into a document. Raises `Conflict` on 409."""
        response = self.send("POST", f"/{alias}/_update/{document_id}{condition}", {"doc": doc})
        assert response.headers["Content-Type"] == RESPONSE_TYPE
        if response.status_code == 409:
            error = response.json()["error"]
            assert error["type"] == "version_conflict_engine_exception"
            assert error["reason"].startswith(f"[{document_id}]: version conflict")
            raise Conflict
        assert response.status_code == 200, response.text
        body = response.json()
        assert (body["_index"], body["_id"], body["result"]) == (f"{alias}-v1", document_id, "updated")

    # --- Steps of the worker ---

    def supported_connectors(self, *ids: str) -> list[Read]:
        return self.search(
            CONNECTORS,
            {"bool": {"must_not": [{"term": {"deleted": True}}], "filter": [{"terms": {"_id": ids}}]}},
        )

    def waiting_jobs(self, *connector_ids: str, access_control: bool = False) -> list[Read]:
        types = ["access_control"] if access_control else ["full", "incremental"]
        must = [
            {"terms": {"status": ["pending", "suspended"]}},
            {"terms": {"connector.id": connector_ids}},
            {"terms": {"job_type": types}},
        ]
        return self.search(JOBS, {"bool": {"must": must}}, [{"created_at": "asc"}])

    def idle_jobs(self, *connector_ids: str) -> list[Read]:
        filter_ = [
            {"terms": {"connector.id": connector_ids}},
            {"terms": {"status": ["in_progress", "canceling"]}},
            {"range": {"last_seen": {"lte": "now-300s"}}},
        ]
        return self.search(JOBS, {"bool": {"filter": filter_}})

    def orphaned_jobs(self, *connector_ids: str) -> list[Read]:
        must_not = [{"terms": {"connector.id": connector_ids}}]
        filter_ = [{"terms": {"status": ["in_progress", "canceling"]}}]
        return self.search(JOBS, {"bool": {"must_not": must_not, "filter": filter_}})

    def lock(self, connector_id: str, meanwhile: Callable[[], object] = lambda: None) -> bool:
        """Lock the connector for a sync; False if another worker has it. After conflicts, it tries up to three times.

        `meanwhile` is called between each read and write.
        """
        for _ in range(3):
            connector = self.read(CONNECTORS, connector_id)
            if connector.source.get("last_sync_status") == "in_progress":
                return False
            meanwhile()
            try:
                self.update(
                    CONNECTORS,
                    connector_id,
                    {
                        "status": "connected",
                        "error": None,
                        "last_sync_status": "in_progress",
                        "last_sync_error": None,
                    },
                    connector.condition,
                )
            except Conflict:
                continue
            return True
        raise Conflict

    def claim(self, job_id: str, sync_cursor: Any = None, result: str = "updated") -> None:
        body = {"worker_hostname": self.hostname}
        if sync_cursor is not None:
            body["sync_cursor"] = sync_cursor
        assert self.call("PUT", f"/_connector/_sync_job/{job_id}/_claim", body) == {"result": result}

    def report(self, job_id: str, indexed: int = 0, volume: int = 0, deleted: int = 0) -> Document:
        counters = {
            "indexed_document_count": indexed,
            "indexed_document_volume": volume,
            "deleted_document_count": deleted,
        }
        response = self.call("PUT", f"/_connector/_sync_job/{job_id}/_stats", {**counters, "metadata": {}})
        assert response == {"result": "updated"}
        return counters

    def end(self, job_id: str, status: str, error: str | None = None, **more: Any) -> Document:
        """Write the end of a job directly into Elasticsearch; returns the written fields."""
        doc = {
            "last_seen": now(),
            "status": status,
            "error": error,
            "indexed_document_count": 4,
            "indexed_document_volume": 0,
            "deleted_document_count": 0,
            **more,
        }
        if status != "suspended":
            doc["completed_at"] = now()
        if status == "canceled":
            doc["canceled_at"] = now()
        self.update(JOBS, job_id, doc)
        return doc

    def unlock(self, connector_id: str, status: str, error: str | None = None, **more: Any) -> Document:
        """Write the result of a sync directly into the connector; returns the written fields."""
        doc = {
            "last_synced": now(),
            "status": "error" if error else "connected",
            "error": error,
            "last_sync_status": status,
            "last_sync_error": error,
            "sync_cursor": None,
            "last_indexed_document_count": 4,
            "last_deleted_document_count": 0,
            **more,
        }
        self.update(CONNECTORS, connector_id, doc)
        return doc


def now(**ago: float) -> str:
    """A timestamp as the worker writes it."""
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


class RecentTimestamp:
    """Equal to every timestamp of the service within the last minute."""

    def __eq__(self, other: object) -> bool:
        if not (isinstance(other, str) and other.endswith("Z")):
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(other)
        return timedelta(0) <= age < timedelta(minutes=1)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<a timestamp within the last minute>"


RECENT = RecentTimestamp()
