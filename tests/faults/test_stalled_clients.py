"""Clients that stop in the middle of a request or response occupy no thread, or one for a bounded time."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse
from threading import Thread

import pytest

from app.wire.gunicorn_worker import SILENT_SECONDS
from tests.service import Service

HEAD = b"PUT /_connector/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
MORE_THAN_IS_BUFFERED = 70_000


@pytest.fixture(scope="module")
def few_threads(node_url: str) -> Iterator[Service]:
    """A service with one process and four threads."""
    with Service(node_url, WORKERS="1", THREADS="4", LOG_FORMAT="json") as service:
        service.wait_until_ready()
        yield service


def connected(service: Service) -> socket.socket:
    client = socket.socket()
    # A small buffer, so that the client reads little at a time.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.settimeout(60)
    client.connect(("127.0.0.1", service.port))
    return client


@contextmanager
def crowd(service: Service, sent: bytes) -> Iterator[list[socket.socket]]:
    """A hundred clients that have sent `sent` and keep their connections open."""
    with ExitStack() as stack:
        clients = []
        for _ in range(100):
            client = stack.enter_context(connected(service))
            client.sendall(sent)
            clients.append(client)
        time.sleep(0.5)  # until the service has read from all of them
        yield clients


def read_response(client: socket.socket) -> tuple[int, bytes]:
    with closing(HTTPResponse(client)) as response:
        response.begin()
        return response.status, response.read()


@pytest.mark.parametrize(
    ("sent", "rest"),
    [
        (b"", HEAD + b"Content-Length: 2\r\n\r\n{}"),
        (b"PUT /_conn", (HEAD + b"Content-Length: 2\r\n\r\n{}").removeprefix(b"PUT /_conn")),
        (HEAD, b"Content-Length: 2\r\n\r\n{}"),
        (HEAD + b"Content-Length: 2\r\n\r\n{", b"}"),
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_client_that_stops_early_occupies_no_thread(few_threads, sent, rest) -> None:
    with crowd(few_threads, sent) as clients:
        # If each of the hundred clients occupied one of four threads for ten seconds, these requests would time out.
        assert few_threads.http.get("/healthz", timeout=60).status_code == 200
        assert few_threads.http.put("/_connector/other", json={}, timeout=60).status_code in (200, 201)
        # A client that goes on is served, on a persistent connection.
        for _ in range(2):
            clients[-1].sendall(rest)
            assert read_response(clients[-1])[0] in (200, 201)
            clients[-1].sendall(sent)


def test_client_that_stops_late_occupies_a_thread_for_a_bounded_time(few_threads) -> None:
    """Clients stop in a long body, in a chunk or in the response. A slow client that keeps sending is served meanwhile."""
    few_threads.http.put("/_connector/large", json={})
    field = {"label": "x" * 5_000_000, "type": "str", "value": ""}
    large = few_threads.http.put("/_connector/large/_configuration", json={"configuration": {"f": field}})
    assert large.status_code == 200, large.text
    stalled = [
        HEAD + b'Content-Length: 80000\r\n\r\n{"name": "' + b"x" * MORE_THAN_IS_BUFFERED,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{",
        b"GET /_connector/large HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    statuses = []

    def trickle(client: socket.socket) -> None:
        began = time.monotonic()
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        while time.monotonic() - began < SILENT_SECONDS + 2:
            client.sendall(b"1\r\n \r\n")
            time.sleep(0.2)
        client.sendall(b"1\r\n}\r\n0\r\n\r\n")
        statuses.append(read_response(client)[0])

    with ExitStack() as stack:
        slow, *clients = (stack.enter_context(connected(few_threads)) for _ in range(1 + len(stalled)))
        thread = Thread(target=trickle, args=(slow,))
        thread.start()
        for client, sent in zip(clients, stalled, strict=True):
            client.sendall(sent)
        time.sleep(0.5)  # until the service has started with all of them
        assert few_threads.http.get("/healthz").status_code == 200
        # The request waited until one stalled client was disconnected.
        assert select.select(clients[:2], [], [], 0)[0]
        cause = {"type": "status_exception", "reason": "the request body did not arrive in time"}
        for client in clients[:2]:
            status, body = read_response(client)
            error_body = {"error": {"root_cause": [cause], **cause}, "status": 408}
            assert (status, json.loads(body)) == (408, error_body)
            # The connection is closed, since the start of a next request is unknown.
            assert client.recv(65536) == b""
        few_threads.wait_for(lambda: "does not read its response" in few_threads.log())
        taken = 0
        while part := clients[2].recv(1 << 20):
            taken += len(part)
        assert 0 < taken < 5_000_000
        thread.join(30)
    assert statuses in ([200], [201])
    assert "Traceback" not in few_threads.log()
