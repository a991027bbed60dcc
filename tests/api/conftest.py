"""What the tests of the endpoints share: documents as Elasticsearch has them, and answers in a form to compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS, IndexDefinition
from tests.service import Http, Service

JOBS = "/_connector/_sync_job"
SECRET = "hunter2-the-secret"  # stands in every configuration here, and must stand in no error
STATUSES = ("pending", "in_progress", "suspended", "canceling", "canceled", "completed", "error")
FINISHED = ("canceled", "completed", "error")
OWN_ID = re.compile(r"[A-Za-z0-9_-]{20}")

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z")
_LOCATION = re.compile(r"^\[(?:\d+:\d+|-1:-1)] ")


COUNTERS = {"deleted_document_count": 10, "indexed_document_count": 20, "indexed_document_volume": 30}


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the sync jobs, with the job `j1` in its path and a body that it takes, if it takes one."""

    name: str
    method: str
    path: str
    body: Any = None

    def send(self, http: Http, suffix: str = "", **options: Any) -> requests.Response:
        if self.body is not None:
            options.setdefault("json", self.body)
        return http.request(self.method, self.path + suffix, **options)


ENDPOINTS = [
    Endpoint("create", "POST", JOBS, {"id": "c1"}),
    Endpoint("list", "GET", JOBS),
    Endpoint("get", "GET", f"{JOBS}/j1"),
    Endpoint("delete", "DELETE", f"{JOBS}/j1"),
    Endpoint("cancel", "PUT", f"{JOBS}/j1/_cancel"),
    Endpoint("check in", "PUT", f"{JOBS}/j1/_check_in"),
    Endpoint("claim", "PUT", f"{JOBS}/j1/_claim", {"worker_hostname": "w"}),
    Endpoint("error", "PUT", f"{JOBS}/j1/_error", {"error": "it broke"}),
    Endpoint("stats", "PUT", f"{JOBS}/j1/_stats", COUNTERS),
]


class Stored:
    """The documents of one index, past the service: to write them as other programs do, and to look at them."""

    def __init__(self, client: Elasticsearch, definition: IndexDefinition) -> None:
        self._client = client
        self.index = definition.alias

    def put(self, document_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Write a document, without a refresh; the document."""
        self._client.index(index=self.index, id=document_id, document=document)
        return dict(document)

    def put_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        lines: list[Mapping[str, Any]] = []
        for document_id, document in documents.items():
            lines += [{"index": {"_id": document_id}}, document]
        answer = self._client.options(request_timeout=60).bulk(index=self.index, operations=lines)
        assert not answer["errors"]

    def source(self, document_id: str) -> dict[str, Any]:
        return dict(self._client.get(index=self.index, id=document_id)["_source"])

    def version(self, document_id: str) -> tuple[int, int]:
        """What grows with each write of the document: its sequence number and version."""
        found = self._client.get(index=self.index, id=document_id, source=False)
        return found["_seq_no"], found["_version"]

    def exists(self, document_id: str) -> bool:
        return bool(self._client.exists(index=self.index, id=document_id))

    def ids(self) -> set[str]:
        self._client.indices.refresh(index=self.index)
        found = self._client.search(index=self.index, size=1000, source=False)
        return {hit["_id"] for hit in found["hits"]["hits"]}


@pytest.fixture
def jobs(service: Service, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.fixture
def connectors(service: Service, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, CONNECTORS)


def a_job(status: Any = "pending", **other: Any) -> dict[str, Any]:
    """A job as other programs leave it, with values in it that no endpoint may touch by accident."""
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
    """A job that worker-1 holds."""
    held = {"worker_hostname": "worker-1", "started_at": "2024-01-01T12:00:00.000001Z"}
    return a_job(status, **(held | other))


def a_connector(**other: Any) -> dict[str, Any]:
    """A connector that a job can be made for."""
    return {
        "index_name": "search-x",
        "service_type": "mysql",
        "configuration": {},
        "status": "connected",
        **other,
    }


def told(response: requests.Response) -> dict[str, Any]:
    """The error that an answer carries, with `[l:c]` where a reason names a place in the body."""
    body = response.json()
    assert body.get("status") == response.status_code
    return dict(_without_locations(body))


def refused(
    status: int,
    kind: str,
    reason: str,
    *causes: tuple[str, str],
    root: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The whole error envelope; `causes` from the outer to the inner one, `root` where it is another than the outer."""
    described = {"type": kind, "reason": reason}
    caused_by: dict[str, Any] | None = None
    for cause_type, cause_reason in reversed(causes):
        nested = {"caused_by": caused_by} if caused_by else {}
        caused_by = {"type": cause_type, "reason": cause_reason, **nested}
    error = {
        "root_cause": [dict(zip(("type", "reason"), root, strict=True)) if root else described],
        **described,
    }
    return {"error": error | ({"caused_by": caused_by} if caused_by else {}), "status": status}


def illegal(reason: str, *causes: tuple[str, str]) -> dict[str, Any]:
    return refused(400, "illegal_argument_exception", reason, *causes)


def unreadable(reason: str, *causes: tuple[str, str], root: tuple[str, str] | None = None) -> dict[str, Any]:
    return refused(400, "x_content_parse_exception", reason, *causes, root=root)


def invalid(*messages: str) -> dict[str, Any]:
    numbered = "".join(f"{number}: {message};" for number, message in enumerate(messages, 1))
    return refused(400, "action_request_validation_exception", f"Validation Failed: {numbered}")


def missing(reason: str) -> dict[str, Any]:
    return refused(404, "resource_not_found_exception", reason)


def bad_transition(status: str, target: str) -> str:
    return (
        f"Invalid transition attempt from [{status}] to [{target}]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )


def no_such_transition(status: str, target: str) -> dict[str, Any]:
    reason = bad_transition(status, target)
    cause = "connector_sync_job_invalid_status_transition_exception"
    return refused(400, "status_exception", reason, (cause, reason))


def is_now(text: Any, since: datetime) -> bool:
    """Is it an instant as the service writes them, between `since` and now?"""
    assert isinstance(text, str)
    assert _INSTANT.fullmatch(text), text
    return since <= datetime.fromisoformat(text) <= datetime.now(UTC)


def only_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What `after` has other than `before`, when nothing of `before` is gone."""
    assert before.keys() <= after.keys()
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


def ids_of(response: requests.Response) -> list[str]:
    """The ids of a list's answer."""
    assert response.status_code == 200, response.text
    return [job["id"] for job in response.json()["results"]]


def named(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table as parameters; their first column is the test's name."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def _without_locations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_locations(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_locations(inner) for inner in value]
    return _LOCATION.sub("[l:c] ", value) if isinstance(value, str) else value
