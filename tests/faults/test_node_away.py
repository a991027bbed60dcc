"""Elasticsearch is killed, hangs, refuses requests or loses its indices: responses meanwhile, and automatic recovery."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, DEFINITIONS, SYNC_JOBS
from tests.fault_proxy import FaultProxy
from tests.service import Http, Service

ACKNOWLEDGED = 1000
CONNECTOR = {"name": "c", "index_name": "search-c", "service_type": "mysql"}


def assert_unavailable(response) -> None:
    body = response.json()
    assert (response.status_code, body["status"]) == (503, 503)
    assert body["error"]["root_cause"] == [{key: body["error"][key] for key in ("type", "reason")}]
    assert response.headers["X-Elastic-Product"] == "Elasticsearch"
    assert "Traceback" not in response.text


class Writer(threading.Thread):
    """Creates and claims jobs until it is stopped; records acknowledged jobs, and every response that is an error."""

    def __init__(self, url: str, name: str, stop: threading.Event) -> None:
        super().__init__(name=name)
        self.http, self.stop = Http(url), stop
        self.created: list[str] = []
        self.claimed: list[str] = []
        self.refused: list = []

    @property
    def acknowledged(self) -> int:
        return len(self.created) + len(self.claimed)

    def run(self) -> None:
        while not self.stop.is_set():
            response = self.http.post("/_connector/_sync_job", json={"id": "c"})
            if response.status_code != 201:
                self.refused.append(response)
                time.sleep(0.05)
                continue
            job = response.json()["id"]
            self.created.append(job)
            response = self.http.put(
                f"/_connector/_sync_job/{job}/_claim", json={"worker_hostname": self.name}
            )
            if response.status_code == 200:
                self.claimed.append(job)
            else:
                self.refused.append(response)


@pytest.mark.timeout(240)
def test_acknowledged_writes_survive_a_killed_node(killable_node, surviving_service) -> None:
    assert surviving_service.http.put("/_connector/c", json=CONNECTOR).status_code in (200, 201)
    stop = threading.Event()
    writers = [Writer(surviving_service.url, f"worker-{number}", stop) for number in range(8)]
    for writer in writers:
        writer.start()
    try:
        surviving_service.wait_for(lambda: sum(w.acknowledged for w in writers) >= ACKNOWLEDGED, 120)
        killable_node.kill()
        surviving_service.wait_for(lambda: all(w.refused for w in writers))
        before = sum(w.acknowledged for w in writers)
        killable_node.start()
        surviving_service.wait_for(lambda: sum(w.acknowledged for w in writers) >= before + 100)
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)

    for writer in writers:
        for response in writer.refused:
            assert_unavailable(response)
    with Elasticsearch(killable_node.url) as client:
        documents = {
            doc["_id"]: doc.get("_source")
            for writer in writers
            for doc in client.mget(index=SYNC_JOBS.alias, ids=writer.created)["docs"]
        }
    for writer in writers:
        assert all(documents[job] is not None for job in writer.created)
        for job in writer.claimed:
            assert documents[job]["status"] == "in_progress"
            assert documents[job]["worker_hostname"] == writer.name


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


def test_request_to_a_hanging_node_ends_at_the_timeout(killable_node, surviving_service) -> None:
    surviving_service.http.put("/_connector/c", json=CONNECTOR)
    with paused(killable_node.pid):
        responses = [
            surviving_service.http.post("/_connector/_sync_job", json={"id": "c"}, timeout=20),
            surviving_service.http.get("/_connector/_sync_job", timeout=20),
            surviving_service.http.get("/readyz", timeout=20),
        ]
        for response in responses:
            assert_unavailable(response)
        assert surviving_service.http.get("/healthz").status_code == 200
    surviving_service.wait_until_ready()
    assert surviving_service.http.post("/_connector/_sync_job", json={"id": "c"}).status_code == 201


def test_threads_are_free_again_after_a_hanging_node(killable_node, surviving_service) -> None:
    """There are more requests than threads; afterwards all threads are free again."""
    clients = [Http(surviving_service.url) for _ in range(80)]

    def statuses() -> set[int]:
        return set(crowd.map(lambda client: client.get("/_connector/_sync_job").status_code, clients))

    with ThreadPoolExecutor(len(clients)) as crowd:
        with paused(killable_node.pid):
            assert statuses() == {503}
        surviving_service.wait_until_ready()
        assert statuses() == {200}
    for client in clients:
        client.close()


@pytest.fixture
def client(killable_node) -> Iterator[Elasticsearch]:
    with Elasticsearch(killable_node.url) as client:
        yield client


def test_429_of_elasticsearch_is_passed_on(surviving_service, client) -> None:
    """If the disk is full, Elasticsearch blocks the index and responds with 429."""
    surviving_service.http.put("/_connector/c", json=CONNECTOR)
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=SYNC_JOBS.alias, settings={block: True})
    try:
        response = surviving_service.http.post("/_connector/_sync_job", json={"id": "c"})
        assert (response.status_code, response.json()["status"]) == (429, 429)
        assert response.json()["error"]["type"] == "cluster_block_exception"
    finally:
        client.indices.put_settings(index=SYNC_JOBS.alias, settings={block: None})


def test_request_too_long_for_elasticsearch_is_413_without_a_retry(
    killable_node, surviving_service, client
) -> None:
    """Elasticsearch responds with an empty 413. The request is not retried, since it would fail again."""
    surviving_service.http.put("/_connector/c", json=CONNECTOR)
    job = surviving_service.http.post("/_connector/_sync_job", json={"id": "c"}).json()["id"]
    claim = {"worker_hostname": "w", "sync_cursor": {"a": "x" * 2**20}}
    with (
        FaultProxy(killable_node.url) as proxy,
        Service(proxy.url, WORKERS="1") as near,
        proxy.recording() as recorded,
    ):
        near.wait_until_ready()
        for method, path, body in (
            ("PUT", f"/_connector/_sync_job/{job}/_claim", claim),
            ("POST", "/_connector", {"description": "x" * 2**20}),
        ):
            response = near.http.request(method, path, json=body)
            error = response.json()["error"]
            assert (response.status_code, error["type"]) == (413, "too_long_http_content_exception")
            assert "[http.max_content_length]" in error["reason"]
    assert len([request for request in recorded if len(request.body) > 2**20]) == 2
    assert client.get(index=SYNC_JOBS.alias, id=job)["_source"]["status"] == "pending"


def test_deleted_indices_are_created_again_with_the_next_write(surviving_service: Service, client) -> None:
    client.indices.delete(index=[definition.name for definition in DEFINITIONS])
    assert surviving_service.http.get("/_connector/_sync_job").json() == {"count": 0, "results": []}
    missing = surviving_service.http.post("/_connector/_sync_job", json={"id": "c"})
    assert (missing.status_code, missing.json()["error"]["reason"]) == (
        404,
        f"no such index [{CONNECTORS.name}]",
    )
    gone = surviving_service.http.put("/_connector/_sync_job/j/_cancel")
    assert (gone.status_code, gone.json()["error"]["reason"]) == (404, "connector sync job [j] not found")
    assert surviving_service.http.put("/_connector/c", json=CONNECTOR).status_code == 201
    job = surviving_service.http.post("/_connector/_sync_job", json={"id": "c"})
    assert job.status_code == 201
    names = [definition.name for definition in DEFINITIONS]
    assert set(client.indices.get(index=names, expand_wildcards="all")) == set(names)


def test_service_can_start_before_its_node(killable_node) -> None:
    killable_node.stop()
    with Service(killable_node.url, ELASTICSEARCH_TIMEOUT="2") as early:
        assert early.http.get("/healthz").status_code == 200
        assert_unavailable(early.http.get("/readyz"))
        assert_unavailable(early.http.put("/_connector/c", json=CONNECTOR))
        killable_node.start()
        early.wait_until_ready()
        assert early.http.put("/_connector/c", json=CONNECTOR).status_code in (200, 201)
