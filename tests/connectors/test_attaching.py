"""Attaching an index under a lease: rare interleavings, and requests that fail half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import requests

from app import settings
from app.compatibility import DOCUMENTED
from app.connectors import attaching, operations
from app.errors import ApiError
from app.store import Store, leases
from app.store.index_definitions import CONNECTORS, LEASES
from tests.documents import ID
from tests.endpoints import ROOT
from tests.fault_proxy import FaultProxy, to
from tests.service import Http, Service

USED = (400, "Index name [x] is used by another connector.")


def attempt(act: Callable[..., str], *arguments: object) -> tuple[int, str]:
    try:
        return 200, act(*arguments)
    except ApiError as error:
        return error.status, error.cause.reason or ""


def holders(elasticsearch, index_name: str) -> list[str]:
    elasticsearch.indices.refresh(index=CONNECTORS.alias)
    found = elasticsearch.search(
        index=CONNECTORS.alias, query={"term": {"index_name": index_name}}, size=1000
    )
    return sorted(hit["_id"] for hit in found["hits"]["hits"])


@pytest.fixture
def short_leases(monkeypatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.6)


def put(store: Store) -> str:
    return operations.put(store, ID, {"index_name": "x", "name": "new"})


def set_index_name(store: Store) -> str:
    return operations.set_index_name(store, ID, "x")


WRITES = [
    pytest.param(put, None, id="put of a new connector"),
    pytest.param(put, {"name": "old"}, id="put"),
    pytest.param(put, {"name": "old", "deleted": True}, id="put of a deleted connector"),
    pytest.param(set_index_name, {"name": "old"}, id="index name"),
]


@pytest.mark.parametrize(("act", "before"), WRITES)
def test_write_under_an_expired_lease_is_refused(
    store, write, stored, elasticsearch, monkeypatch, short_leases, act, before
) -> None:
    """The request stalls between search and write until another one has taken over the lease and attached the index.

    Fails where `put.painless` does not look at the lease.
    """
    if before is not None:
        write(before)
    search, stalled = store.connectors.search, []

    def stall(query):
        page = search(query)
        if not stalled:
            stalled.append(True)
            assert operations.put(store, "other", {"index_name": "x"}) == "created"
        return page

    monkeypatch.setattr(store.connectors, "search", stall)
    assert attempt(act, store) == USED
    assert holders(elasticsearch, "x") == ["other"]
    if before is None:
        assert not elasticsearch.exists(index=CONNECTORS.alias, id=ID)
    else:
        assert stored() == before


@pytest.mark.parametrize(("act", "before"), WRITES)
def test_lease_that_never_lasts_long_enough_is_503(
    store, write, stored, elasticsearch, monkeypatch, act, before
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0)
    monkeypatch.setattr(attaching, "ATTACH_TIMEOUT_SECONDS", 0)
    if before is not None:
        write(before)
    status, reason = attempt(act, store)
    assert (status, reason) == (
        503,
        "The index could not be attached in time. The request can be sent again.",
    )
    assert holders(elasticsearch, "x") == []


def test_live_lease_is_waited_for_until_503(store, elasticsearch, monkeypatch) -> None:
    monkeypatch.setattr(leases, "WAIT_TIMEOUT_SECONDS", 0.3)
    with store.leases.hold("index_name:x"):
        status, _ = attempt(operations.put, store, ID, {"index_name": "x"})
    assert status == 503
    assert not elasticsearch.exists(index=CONNECTORS.alias, id=ID)
    assert operations.put(store, ID, {"index_name": "x"}) == "created"


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (lambda store: operations.put(store, ID, {"index_name": "x"}), 400),
        (lambda store: operations.set_index_name(store, "nobody", "x"), 404),
        (lambda store: operations.set_index_name(store, "managed", "x"), 400),
    ],
    ids=["used", "no connector", "without the prefix"],
)
def test_refused_request_releases_its_lease(store, write, elasticsearch, act, status) -> None:
    write({"is_native": True}, "managed")
    if status == 400:
        write({"index_name": "x"}, "holder")
    assert attempt(act, store)[0] == status
    assert not elasticsearch.exists(index=LEASES.alias, id="index_name:x")


@pytest.fixture
def proxied(proxy: FaultProxy, monkeypatch) -> Store:
    """A store that reaches Elasticsearch through the proxy."""
    monkeypatch.setenv("ELASTICSEARCH_URL", proxy.url)
    return Store(settings.load())


@pytest.mark.parametrize("reached", [True, False], ids=["written", "not written"])
def test_lease_of_a_request_that_failed_half_way_expires(
    store, proxied, proxy, elasticsearch, short_leases, reached
) -> None:
    """The request does not know whether its write happened; the next one waits until the lease expires and sees."""
    outage = Event()
    search = proxied.connectors.search

    def then_nothing(query):
        page = search(query)
        outage.set()
        return page

    proxied.connectors.search = then_nothing
    with proxy.losing(lambda _: outage.is_set(), responses=reached):
        assert attempt(operations.put, proxied, "first", {"index_name": "x"})[0] == 503
    if reached:
        assert attempt(operations.put, store, "second", {"index_name": "x"}) == USED
        assert operations.put(store, "first", {"index_name": "x"}) == "updated"
    else:
        assert operations.put(store, "second", {"index_name": "x"}) == "created"
    assert holders(elasticsearch, "x") == ["first" if reached else "second"]


def test_lost_release_delays_the_next_request_only(
    store, proxied, proxy, elasticsearch, short_leases
) -> None:
    """The index is attached nevertheless."""
    with proxy.losing(lambda request: to("_update/")(request) and b"ctx.op = 'delete'" in request.body):
        assert operations.put(proxied, "first", {"index_name": "x"}) == "created"
    assert elasticsearch.exists(index=LEASES.alias, id="index_name:x")
    assert operations.set_index_name(store, "first", None) == "updated"
    assert operations.put(store, "second", {"index_name": "x"}) == "created"


def test_holder_keeps_its_index_even_if_another_connector_has_it(store, write, stored) -> None:
    """Direct writes can give one index to two connectors; each of them may keep it."""
    write({"index_name": "x"})
    write({"index_name": "x"}, "raw")
    assert operations.set_index_name(store, ID, "x") == "noop"
    assert operations.put(store, ID, {"index_name": "x", "name": "n"}) == "updated"
    assert stored() == {"index_name": "x", "name": "n"}


def test_marker_of_an_earlier_version_is_never_shown_and_removed_by_the_next_update(
    store, write, stored
) -> None:
    marker = {"index_name_attaching": {"token": "t", "at": 0, "before": {"index_name": "y"}}}
    write({"index_name": "x", **marker})
    assert operations.get(store, ID) == {"id": ID, "index_name": "x"}
    assert operations.list_(store, compatibility=DOCUMENTED).results == [{"id": ID, "index_name": "x"}]
    assert operations.put(store, ID, {"name": "n"}) == "updated"
    assert stored() == {"index_name": "x", "name": "n"}


def worker_pids(service: Service) -> list[int]:
    master = service._process.pid
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_killed_processes_leave_one_holder(node_url, elasticsearch) -> None:
    """kill -9 while eight requests attach one index; later requests wait for the lease and then succeed."""

    def send_put(client: Http, path: str, name: str) -> int:
        try:
            return client.put(f"{ROOT}/{path}", json={"index_name": name}).status_code
        except requests.RequestException:
            return 0

    with Service(node_url) as service, ThreadPoolExecutor(8) as threads:
        service.wait_until_ready()
        left_leases = 0
        for number in range(20):
            paths = [f"i{number}-{member}" for member in range(8)]
            # New connections, since those to a killed process are closed.
            sent = [threads.submit(send_put, Http(service.url), path, f"i{number}") for path in paths]
            time.sleep(0.005 * (number + 1))
            for worker in worker_pids(service):
                os.kill(worker, signal.SIGKILL)
            assert not [each.result() for each in sent if each.result() >= 500]
            service.wait_until_ready()
            left_leases += elasticsearch.exists(index=LEASES.alias, id=f"index_name:i{number}").body
            if left_leases:
                break
        assert left_leases, "no process died while it held a lease"
        results = [send_put(service.http, path, f"i{number}") for path in paths]
        assert Counter(status < 300 for status in results) == {True: 1, False: 7}
        assert Counter(results)[400] == 7
        assert len(holders(elasticsearch, f"i{number}")) == 1
