"""Claims of the next job that wait for one: shared searches, a limit of waiters, stops, and clients that hang up."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.api.test_lost_claims import meanwhile
from tests.documents import Stored, a_connector, a_job, empty
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, nth, to
from tests.service import Http, Service

CLAIM = f"{JOBS}/_claim"
THREADS = 8
SEARCH = to(f"/{SYNC_JOBS.alias}/_search")
CLAIM_BULK = to(f"/{SYNC_JOBS.alias}/_bulk")

Claims = Callable[..., "Future[list[dict[str, Any]]]"]


@contextmanager
def one_process(url: str, threads: int = THREADS) -> Iterator[Service]:
    """A service with one process. It asks for the privileges of callers once."""
    settings = {"WORKERS": "1", "THREADS": str(threads), "AUTHORIZATION_CACHE_SECONDS": "600"}
    with Service(url, **settings) as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    with one_process(proxy.url) as service:
        yield service


@pytest.fixture
def jobs(proxied: Service, elasticsearch: Elasticsearch) -> Stored:
    """There are no documents."""
    proxied.wait_until_ready()
    empty(elasticsearch)
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.fixture
def connectors(jobs: Stored, elasticsearch: Elasticsearch) -> Stored:
    stored = Stored(elasticsearch, CONNECTORS)
    stored.put_all({f"c{number}": a_connector() for number in range(THREADS)})
    return stored


@pytest.fixture
def claim() -> Iterator[Claims]:
    """Claims in a thread of its own, through a connection of its own."""
    with ThreadPoolExecutor(32) as threads:

        def send(service: Service, **body: Any) -> list[dict[str, Any]]:
            client = Http(service.url)
            try:
                response = client.post(CLAIM, json={"worker_hostname": "worker-1"} | body, timeout=100)
            finally:
                client.close()
            assert response.status_code == 200, response.text
            return list(response.json()["results"])

        yield lambda service, **body: threads.submit(send, service, **body)


def waiting(connector_id: str = "c1", **other: Any) -> dict[str, Any]:
    return a_job(connector={"id": connector_id}, **other)


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def counting(proxy: FaultProxy) -> Iterator[list[float]]:
    """The times of the searches of jobs inside the block."""
    searches: list[float] = []
    with proxy.losing(meanwhile(SEARCH, lambda: searches.append(time.monotonic()))):
        yield searches


# --- Waiting ---


def test_waiting_claim_gets_a_job_as_soon_as_there_is_one(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    """At once, so that few searches come between. A raw write makes it; and a connector that is freed counts as well."""
    with counting(proxy) as searches:
        first = claim(proxied, wait="60s")
        until(lambda: len(searches) >= 3)
        jobs.put("j1", waiting())
        before = len(searches)
        [job] = first.result(timeout=60)
        # One that was under way, one that found the job, and one for running jobs.
        assert len(searches) <= before + 3
    assert job == {"id": "j1", **jobs.source("j1")}

    jobs.put("j2", waiting(created_at="2025-01-01T00:00:00Z"))
    second = claim(proxied, wait="60s")
    assert not second.done()
    assert proxied.http.put(f"{JOBS}/j1/_complete").status_code == 200
    assert [each["id"] for each in second.result(timeout=60)] == ["j2"]


def test_claim_that_waits_in_vain_is_empty(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    """For a job that it does not want, too."""
    jobs.put("j1", waiting())
    with counting(proxy) as searches:
        assert claim(proxied, wait="1s", job_types=["full"]).result(timeout=60) == []
    assert len(searches) >= 2
    with counting(proxy) as searches:
        assert claim(proxied, job_types=["full"]).result(timeout=60) == []
    assert len(searches) == 1


def test_all_who_wait_in_a_process_share_two_searches_a_second(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    """However many they are, and whatever they want."""
    wanted: list[dict[str, Any]] = [{}, {"job_types": ["full"]}, {"connector_ids": ["c1"]}, {"limit": 5}]
    with counting(proxy) as searches, proxy.recording() as recorded:
        started = time.monotonic()
        for found in [claim(proxied, wait="4s", **body) for body in wanted]:
            assert found.result(timeout=60) == []
        elapsed = time.monotonic() - started
    first = len(wanted)
    assert 2 <= len(searches) <= first + 2 * elapsed + 1
    refreshes = [each for each in recorded if to("_refresh")(each)]
    assert len(refreshes) == len(searches)


def test_one_search_serves_all_who_wait(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    """Each gets jobs of its own, none twice."""
    with counting(proxy) as searches:
        found = [claim(proxied, wait="60s", limit=2) for _ in range(THREADS // 2)]
        until(lambda: len(searches) >= THREADS)
        jobs.put_all({f"j{number}": waiting(f"c{number}") for number in range(THREADS)})
        got = [job["id"] for each in found for job in each.result(timeout=60)]
    assert len(got) == len(set(got))
    assert all(each.result() for each in found)


def test_at_most_half_of_the_threads_wait(
    proxied: Service, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    """The others respond at once, and so do all other requests."""
    found = [claim(proxied, wait="60s") for _ in range(THREADS)]
    until(lambda: sum(each.done() for each in found) == THREADS // 2)
    assert [each.result() for each in found if each.done()] == [[]] * (THREADS // 2)
    assert claim(proxied, wait="60s").result(timeout=60) == []
    assert proxied.http.get("/healthz").status_code == 200
    assert proxied.http.get(JOBS).json()["count"] == 0
    assert sum(each.done() for each in found) == THREADS // 2
    jobs.put_all({f"j{number}": waiting(f"c{number}") for number in range(THREADS // 2)})
    assert sorted(job["id"] for each in found for job in each.result(timeout=60)) == ["j0", "j1", "j2", "j3"]
    # There is room for others now.
    again = claim(proxied, wait="60s")
    jobs.put("j9", waiting("c7"))
    assert [job["id"] for job in again.result(timeout=60)] == ["j9"]


def test_only_thread_of_a_process_never_waits(
    proxy: FaultProxy, elasticsearch: Elasticsearch, claim: Claims
) -> None:
    with one_process(proxy.url, threads=1) as service:
        empty(elasticsearch)
        with counting(proxy) as searches:
            assert claim(service, wait="60s").result(timeout=60) == []
        assert len(searches) == 1


def test_interruption_is_an_error_for_all_who_wait(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    body = {"worker_hostname": "w", "wait": "60s"}
    with ThreadPoolExecutor(2) as threads, counting(proxy) as searches:
        clients = [Http(proxied.url) for _ in range(2)]
        found = [threads.submit(client.post, CLAIM, json=body) for client in clients]
        until(lambda: len(searches) >= 4)
        with proxy.losing(SEARCH):
            responses = [each.result(timeout=60) for each in found]
    assert [each.status_code for each in responses] == [503, 503]
    assert {each.json()["error"]["type"] for each in responses} == {"status_exception"}
    for client in clients:
        client.close()


# --- The end of the service ---


@pytest.mark.parametrize("body", [{}, {"request_id": "r1"}], ids=["once", "repeatable"])
def test_sigterm_ends_the_waits(
    proxy: FaultProxy, elasticsearch: Elasticsearch, claim: Claims, body: dict[str, Any]
) -> None:
    """Those who wait get their response."""
    with one_process(proxy.url) as service, counting(proxy) as searches:
        empty(elasticsearch)
        found = [claim(service, wait="60s", **body) for _ in range(2)]
        until(lambda: len(searches) >= 6)
        assert not any(each.done() for each in found)
        service.stop()
        assert [each.result(timeout=60) for each in found] == [[], []]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGQUIT])
def test_quick_end_waits_for_nobody(
    proxy: FaultProxy, elasticsearch: Elasticsearch, sent: signal.Signals
) -> None:
    """Else the process would have to be killed once the time for its end is over."""
    with one_process(proxy.url) as service, counting(proxy) as searches:
        empty(elasticsearch)
        with connected(service) as client:
            send(client, worker_hostname="w", wait="60s")
            until(lambda: len(searches) >= 3)
            process = service._process
            assert process is not None
            process.send_signal(sent)
            process.wait(60)
        assert "SIGKILL" not in service.log()


# --- Clients that hang up ---


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def send(client: socket.socket, **body: Any) -> None:
    """Send a claim, and read nothing of its response."""
    content = json.dumps(body).encode()
    head = (
        f"POST {CLAIM} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    client.sendall("\r\n".join([*head, "", ""]).encode() + content)


def read(client: socket.socket) -> Any:
    with closing(HTTPResponse(client)) as response:
        response.begin()
        assert response.status == 200
        return json.loads(response.read())


def test_client_that_hangs_up_while_it_waits_takes_no_job(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, claim: Claims
) -> None:
    with counting(proxy) as searches, connected(proxied) as client:
        send(client, worker_hostname="gone", wait="60s")
        until(lambda: len(searches) >= 3)
        client.close()
        jobs.put("j1", waiting())
        [job] = claim(proxied, wait="60s").result(timeout=60)
    assert (job["id"], job["worker_hostname"]) == ("j1", "worker-1")
    assert connectors.source("c1")["sync_locks"]["content"]["job"] == "j1"
    # Its thread is free again: nobody else has to be there for that.
    found = [claim(proxied, wait="60s") for _ in range(THREADS // 2)]
    with counting(proxy) as searches:
        until(lambda: len(searches) >= 4)
    assert not any(each.done() for each in found)
    jobs.put_all({f"k{number}": waiting(f"c{number + 2}") for number in range(THREADS // 2)})
    assert all(each.result(timeout=60) for each in found)


@pytest.mark.parametrize("body", [{}, {"request_id": "r1"}, {"wait": "60s"}], ids=str)
def test_jobs_claimed_for_a_client_that_has_hung_up_are_given_back(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored, body: dict[str, Any]
) -> None:
    held = {"worker_hostname": "worker-0", "started_at": "2024-01-01T01:00:00+00:00", "claim_token": "old"}
    before = {"j1": waiting(), "j2": waiting("c2", status="suspended", **held)}
    jobs.put_all(before)
    locked = connectors.source("c1")
    versions = {key: jobs.version(key)[1] for key in before}
    with (
        connected(proxied) as client,
        proxy.losing(meanwhile(nth(1, CLAIM_BULK), client.close)),
    ):
        send(client, worker_hostname="gone", limit=2, **body)
        until(lambda: all(jobs.version(key)[1] == versions[key] + 2 for key in before))
        until(lambda: all(connectors.source(key) == locked for key in ("c1", "c2")))
    assert {key: jobs.source(key) for key in before} == before


def test_client_that_half_closed_its_connection_is_told_that_it_has_no_job(
    proxied: Service, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    """It looks like one that has gone, so that its job is given back; should it read on, it must not take it for its own."""
    before = jobs.put("j1", waiting())
    with connected(proxied) as client:
        send(client, worker_hostname="half")
        client.shutdown(socket.SHUT_WR)
        assert read(client) == {"results": []}
    assert jobs.source("j1") == before


def test_client_that_sends_the_next_request_at_once_is_still_there(
    proxied: Service, jobs: Stored, connectors: Stored
) -> None:
    jobs.put("j1", waiting())
    with connected(proxied) as client:
        send(client, worker_hostname="pipelined")
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        [job] = read(client)["results"]
    assert job["id"] == "j1"
    assert jobs.source("j1")["worker_hostname"] == "pipelined"
