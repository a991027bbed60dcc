"""Elasticsearch dies, hangs, refuses, loses its indices: what clients see meanwhile, and that it passes by itself."""

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


def assert_unavailable(answer) -> None:
    body = answer.json()
    assert (answer.status_code, body["status"]) == (503, 503)
    assert body["error"]["root_cause"] == [{key: body["error"][key] for key in ("type", "reason")}]
    assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
    assert "Traceback" not in answer.text


class Writer(threading.Thread):
    """Creates and claims jobs until told to stop; remembers what was acknowledged, and every other answer."""

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
            answer = self.http.post("/_connector/_sync_job", json={"id": "c"})
            if answer.status_code != 201:
                self.refused.append(answer)
                time.sleep(0.05)
                continue
            job = answer.json()["id"]
            self.created.append(job)
            answer = self.http.put(f"/_connector/_sync_job/{job}/_claim", json={"worker_hostname": self.name})
            if answer.status_code == 200:
                self.claimed.append(job)
            else:
                self.refused.append(answer)


@pytest.mark.timeout(240)
def test_every_acknowledged_write_survives_a_killed_node(mortal, survivor) -> None:
    assert survivor.http.put("/_connector/c", json=CONNECTOR).status_code in (200, 201)
    stop = threading.Event()
    writers = [Writer(survivor.url, f"worker-{number}", stop) for number in range(8)]
    for writer in writers:
        writer.start()
    try:
        survivor.wait_for(lambda: sum(w.acknowledged for w in writers) >= ACKNOWLEDGED, 120)
        mortal.kill()
        survivor.wait_for(lambda: all(w.refused for w in writers))
        before = sum(w.acknowledged for w in writers)
        mortal.start()
        survivor.wait_for(lambda: sum(w.acknowledged for w in writers) >= before + 100)
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)

    for writer in writers:
        for answer in writer.refused:
            assert_unavailable(answer)
    with Elasticsearch(mortal.url) as client:
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


def test_a_node_that_hangs_costs_no_more_than_the_timeout(mortal, survivor) -> None:
    survivor.http.put("/_connector/c", json=CONNECTOR)
    with paused(mortal.pid):
        answers = [
            survivor.http.post("/_connector/_sync_job", json={"id": "c"}, timeout=20),
            survivor.http.get("/_connector/_sync_job", timeout=20),
            survivor.http.get("/readyz", timeout=20),
        ]
        for answer in answers:
            assert_unavailable(answer)
        assert survivor.http.get("/healthz").status_code == 200
    survivor.wait_until_ready()
    assert survivor.http.post("/_connector/_sync_job", json={"id": "c"}).status_code == 201


def test_no_thread_stays_behind_when_the_node_hangs(mortal, survivor) -> None:
    """More requests than the service has threads; afterwards all threads are free again."""
    clients = [Http(survivor.url) for _ in range(80)]

    def statuses() -> set[int]:
        return set(crowd.map(lambda client: client.get("/_connector/_sync_job").status_code, clients))

    with ThreadPoolExecutor(len(clients)) as crowd:
        with paused(mortal.pid):
            assert statuses() == {503}
        survivor.wait_until_ready()
        assert statuses() == {200}
    for client in clients:
        client.close()


@pytest.fixture
def client(mortal) -> Iterator[Elasticsearch]:
    with Elasticsearch(mortal.url) as client:
        yield client


def test_too_many_requests_pass_through(survivor, client) -> None:
    """A full disk: Elasticsearch blocks the index, and says so with 429."""
    survivor.http.put("/_connector/c", json=CONNECTOR)
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=SYNC_JOBS.alias, settings={block: True})
    try:
        answer = survivor.http.post("/_connector/_sync_job", json={"id": "c"})
        assert (answer.status_code, answer.json()["status"]) == (429, 429)
        assert answer.json()["error"]["type"] == "cluster_block_exception"
    finally:
        client.indices.put_settings(index=SYNC_JOBS.alias, settings={block: None})


def test_a_request_too_long_for_elasticsearch_is_told_so_at_once(mortal, survivor, client) -> None:
    """Elasticsearch answers 413 with nothing in it. It is sent once: a megabyte more would not be taken either."""
    survivor.http.put("/_connector/c", json=CONNECTOR)
    job = survivor.http.post("/_connector/_sync_job", json={"id": "c"}).json()["id"]
    claim = {"worker_hostname": "w", "sync_cursor": {"a": "x" * 2**20}}
    with FaultProxy(mortal.url) as proxy, Service(proxy.url, WORKERS="1") as near, proxy.listening() as heard:
        near.wait_until_ready()
        for method, path, body in (
            ("PUT", f"/_connector/_sync_job/{job}/_claim", claim),
            ("POST", "/_connector", {"description": "x" * 2**20}),
        ):
            answer = near.http.request(method, path, json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["type"]) == (413, "too_long_http_content_exception")
            assert "[http.max_content_length]" in error["reason"]
    assert len([request for request in heard if len(request.body) > 2**20]) == 2
    assert client.get(index=SYNC_JOBS.alias, id=job)["_source"]["status"] == "pending"


def test_deleted_indices_come_back_with_the_next_write(survivor: Service, client) -> None:
    client.indices.delete(index=[definition.name for definition in DEFINITIONS])
    assert survivor.http.get("/_connector/_sync_job").json() == {"count": 0, "results": []}
    missing = survivor.http.post("/_connector/_sync_job", json={"id": "c"})
    assert (missing.status_code, missing.json()["error"]["reason"]) == (
        404,
        f"no such index [{CONNECTORS.name}]",
    )
    gone = survivor.http.put("/_connector/_sync_job/j/_cancel")
    assert (gone.status_code, gone.json()["error"]["reason"]) == (404, "connector sync job [j] not found")
    assert survivor.http.put("/_connector/c", json=CONNECTOR).status_code == 201
    job = survivor.http.post("/_connector/_sync_job", json={"id": "c"})
    assert job.status_code == 201
    names = [definition.name for definition in DEFINITIONS]
    assert set(client.indices.get(index=names, expand_wildcards="all")) == set(names)


def test_the_service_starts_before_its_node(mortal) -> None:
    mortal.stop()
    with Service(mortal.url, ELASTICSEARCH_TIMEOUT="2") as early:
        assert early.http.get("/healthz").status_code == 200
        assert_unavailable(early.http.get("/readyz"))
        assert_unavailable(early.http.put("/_connector/c", json=CONNECTOR))
        mortal.start()
        early.wait_until_ready()
        assert early.http.put("/_connector/c", json=CONNECTOR).status_code in (200, 201)
