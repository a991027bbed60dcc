"""The worker's conversation on a secured node, with exactly the role that docs/connect-a-worker.md shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from app.store.pipelines import DEFAULT_PIPELINE
from scripts.elasticsearch import EmbeddedNode
from scripts.gateway import Gateway
from tests.documents import empty, ensure_pipeline
from tests.environment import has_processors
from tests.gateway import test_worker_conversation as conversation
from tests.gateway.worker import Document, Worker
from tests.secured import basic
from tests.service import Http, Service, free_port

ACCESS_CONTROL_INDEX = f".search-acl-filter-{conversation.INDEX}"

connector = conversation.connector  # made by the worker of this module


@pytest.fixture(scope="module")
def secured_gateway(nginx: str, guarded: Service, secured: EmbeddedNode) -> Iterator[str]:
    """The URL of a gateway in front of the secured node and its service."""
    port = free_port()
    with Gateway("127.0.0.1", port, guarded.url, secured.url):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def worker(secured_gateway: str, admin: Elasticsearch) -> Iterator[Worker]:
    """A worker with the documented role. There are no documents, no content indices, and the service's pipeline."""
    empty(admin)
    indices = [conversation.INDEX, ACCESS_CONTROL_INDEX]
    admin.indices.delete(index=indices, ignore_unavailable=True)
    if has_processors(admin):
        ensure_pipeline(admin)
    else:
        admin.ingest.put_pipeline(id=DEFAULT_PIPELINE, processors=[])
    one = Worker(secured_gateway, authorization=basic("worker")["Authorization"])
    yield one
    one.close()
    admin.indices.delete(index=indices, ignore_unavailable=True)


@pytest.fixture
def http(secured_gateway: str) -> Iterator[Http]:
    """An HTTP client with the worker's credentials."""
    http = Http(secured_gateway, basic("worker"))
    yield http
    http.close()


def test_role_is_enough_for_a_full_sync(worker: Worker, connector: Document, admin: Elasticsearch) -> None:
    assert worker.call("GET", f"/_ingest/pipeline/{DEFAULT_PIPELINE}").keys() == {DEFAULT_PIPELINE}
    assert worker.call("GET", "/_license")["license"]["status"] == "active"
    conversation.test_full_sync(worker, connector, DEFAULT_PIPELINE, conversation.INDEX, admin)


def test_role_is_enough_to_activate_a_draft(worker: Worker, connector: Document) -> None:
    conversation.test_edited_draft_is_validated_activated_and_part_of_the_next_job(worker, connector)


def test_role_is_enough_for_the_index_of_access_control(
    worker: Worker, connector: Document, http: Http
) -> None:
    conversation.test_access_control_job_has_its_own_index(worker, connector)
    # The conversation's worker refuses warnings, and Elasticsearch warns of names that begin with a dot.
    assert http.put(f"/{ACCESS_CONTROL_INDEX}").status_code == 200
    assert http.put(f"/{ACCESS_CONTROL_INDEX}/_doc/1?refresh", json={"id": "1"}).status_code == 201
    assert http.post(f"/{ACCESS_CONTROL_INDEX}/_refresh").status_code == 200
    assert http.post(f"/{ACCESS_CONTROL_INDEX}/_count").json()["count"] == 1


def test_role_is_only_for_what_a_worker_needs(http: Http) -> None:
    assert http.get("/_security/user").status_code == 403
    assert http.put("/other").status_code == 403
    assert http.get("/connector-secrets-v1/_search").status_code == 403
