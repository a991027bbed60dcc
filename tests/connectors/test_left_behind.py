"""Requests that attach one index at once and die half-way: what they leave behind stands in nobody's way for long."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
import requests

from app import settings
from app.connectors import attaching, operations
from app.connectors.attaching import MARK
from app.errors import ApiError
from app.store import Store
from app.store.index_definitions import CONNECTORS
from tests.endpoints import ROOT
from tests.service import Http, Service
from tests.wiretap import Wiretap


def holders(elasticsearch, index_name: str) -> list[str]:
    """Who has the index; no mark may be left anywhere."""
    elasticsearch.indices.refresh(index=CONNECTORS.alias)
    found = elasticsearch.search(index=CONNECTORS.alias, size=1000)["hits"]["hits"]
    assert not [hit["_id"] for hit in found if MARK in hit["_source"]]
    return [hit["_id"] for hit in found if hit["_source"].get("index_name") == index_name]


@pytest.fixture
def tapped(tap: Wiretap, monkeypatch) -> Store:
    """The store of a process that reaches Elasticsearch through the tap."""
    monkeypatch.setenv("ELASTICSEARCH_URL", tap.url)
    return Store(settings.load())


@pytest.mark.parametrize("there_before", [False, True], ids=["new", "with an index"])
def test_an_outage_in_the_middle(
    store, tapped, tap, monkeypatch, write, stored, elasticsearch, there_before
) -> None:
    """Four look, four write, and then none of them reaches Elasticsearch any more."""
    monkeypatch.setattr(attaching, "PATIENCE", 1)
    names = [f"c{number}" for number in range(4)]
    if there_before:
        for name in names:
            write({"name": "old", "index_name": f"index-of-{name}"}, name)
    outage = Event()
    looked, written = Barrier(4), Barrier(4, action=outage.set)
    in_turn = attaching._write_in_turn

    def all_at_once(*arguments):
        looked.wait(30)
        outcome = in_turn(*arguments)
        written.wait(30)
        return outcome

    def put(name: str) -> tuple[int, str]:
        try:
            return 200, operations.put(tapped, name, {"index_name": "x"})
        except ApiError as refusal:
            return refusal.status, refusal.cause.reason or ""

    with monkeypatch.context() as meanwhile, ThreadPoolExecutor(4) as threads:
        meanwhile.setattr(attaching, "_write_in_turn", all_at_once)
        with tap.losing(lambda _: outage.is_set()):
            assert [status for status, _ in threads.map(put, names)] == [503] * 4
    assert [MARK in stored(name) for name in names] == [True] * 4
    time.sleep(2 * attaching.PATIENCE + 1)

    used = (400, "Index name [x] is used by another connector.")
    results = [put(name) for name in names]
    assert results == [(200, "updated"), used, used, used]
    assert holders(elasticsearch, "x") == ["c0"]
    if there_before:
        assert [stored(name)["index_name"] for name in names[1:]] == [f"index-of-{n}" for n in names[1:]]


def test_an_outage_of_one_and_its_next_request(store, tapped, tap, monkeypatch, elasticsearch) -> None:
    """It waits until its own mark is old enough, and takes it over."""
    monkeypatch.setattr(attaching, "PATIENCE", 0.5)
    outage = Event()
    in_turn = attaching._write_in_turn

    def then_nothing(*arguments):
        outcome = in_turn(*arguments)
        outage.set()
        return outcome

    with monkeypatch.context() as meanwhile, tap.losing(lambda _: outage.is_set()):
        meanwhile.setattr(attaching, "_write_in_turn", then_nothing)
        with pytest.raises(ApiError):
            operations.put(tapped, "c", {"index_name": "x"})
    assert operations.put(tapped, "c", {"index_name": "x"}) == "updated"
    assert holders(elasticsearch, "x") == ["c"]


def workers(service: Service) -> list[int]:
    master = service._process.pid
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_killed_processes(store, node_url, elasticsearch) -> None:
    """kill -9 while eight attach, until some of them have left their marks; twenty seconds later all goes on."""

    def put(client: Http, path: str, name: str) -> int:
        try:
            return client.put(f"{ROOT}/{path}", json={"index_name": name}).status_code
        except requests.RequestException:
            return 0

    with Service(node_url) as service, ThreadPoolExecutor(8) as threads:
        service.wait_until_ready()
        left: list[str] = []
        for number in range(20):
            paths = [f"i{number}-{member}" for member in range(8)]
            # New connections: those to a killed process are dead.
            rushed = [threads.submit(put, Http(service.url), path, f"i{number}") for path in paths]
            time.sleep(0.005 * (number + 1))
            for worker in workers(service):
                os.kill(worker, signal.SIGKILL)
            assert not [each.result() for each in rushed if each.result() >= 500]
            service.wait_until_ready()
            elasticsearch.indices.refresh(index=CONNECTORS.alias)
            query = {"term": {"index_name": f"i{number}"}}
            hits = elasticsearch.search(index=CONNECTORS.alias, query=query)["hits"]["hits"]
            left = [hit["_id"] for hit in hits if MARK in hit["_source"]]
            if len(left) > 1:
                break
        assert len(left) > 1
        time.sleep(2 * attaching.PATIENCE + 1)
        results = [put(service.http, path, f"i{number}") for path in paths]
        assert Counter(status < 300 for status in results) == {True: 1, False: 7}
        assert Counter(results)[400] == 7
        query = {"term": {"index_name": f"i{number}"}}
        elasticsearch.indices.refresh(index=CONNECTORS.alias)
        [hit] = elasticsearch.search(index=CONNECTORS.alias, query=query)["hits"]["hits"]
        assert MARK not in hit["_source"]
