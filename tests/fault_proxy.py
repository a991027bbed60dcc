"""A proxy in front of the real Elasticsearch that records requests, and drops, delays or answers those that a test chooses."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Barrier, BrokenBarrierError, Lock
from typing import Literal
from urllib.parse import urlsplit

from tests.http_server import LoopbackServer

# Hop-by-hop headers are not passed on.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True)
class Request:
    """A request as the proxy received it: the path with the query, header names in lower case."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Which = Callable[[Request], bool]


@dataclass(frozen=True)
class Fault:
    """What becomes of a request; seconds count from its arrival, and from Elasticsearch's response.

    `cut`: the connection is closed before the `request` reaches Elasticsearch, or instead of the `response`, or in the middle of the
    response's `body`. With `status`, that is the response, and Elasticsearch never gets the request. A request that is held for
    longer than its sender waits reaches Elasticsearch nevertheless, as one does that was under way when its sender gave up.
    """

    held_before: float = 0.0
    status: int | None = None
    cut: Literal["request", "response", "body"] | None = None
    held_after: float = 0.0


NO_FAULT = Fault()


class FaultProxy(LoopbackServer):
    """A context manager; inside the block, give `url` to a service instead of the node's address."""

    def __init__(self, node_url: str) -> None:
        address = urlsplit(node_url)
        self._node = (address.hostname or "", address.port)
        self._lock = Lock()
        self._recorders: list[list[Request]] = []
        self._before: list[Which] = []
        self._after: list[Which] = []
        self._instead: list[tuple[Which, int, str]] = []
        self._held: list[tuple[Which, Barrier]] = []
        self._choose: Callable[[Request], Fault] = lambda _: NO_FAULT
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def parse_request(self) -> bool:
                if not super().parse_request():
                    return False
                setattr(self, f"do_{self.command}", lambda: proxy._pass_on(self))
                return True

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    @contextmanager
    def recording(self) -> Iterator[list[Request]]:
        """Record the requests that arrive inside the block."""
        recorded: list[Request] = []
        with self._lock:
            self._recorders.append(recorded)
        try:
            yield recorded
        finally:
            with self._lock:
                self._recorders[:] = [each for each in self._recorders if each is not recorded]

    @contextmanager
    def losing(self, which: Which, *, responses: bool = False) -> Iterator[None]:
        """Inside the block, close the connection at each such request before Elasticsearch receives it.

        `responses`: close it after Elasticsearch has carried the request out, so that the response is lost.
        """
        rules = self._after if responses else self._before
        with self._lock:
            rules.append(which)
        try:
            yield
        finally:
            with self._lock:
                rules.remove(which)

    @contextmanager
    def responding(self, which: Which, status: int, body: str) -> Iterator[None]:
        """Inside the block, such requests get this response and do not reach Elasticsearch."""
        rule = (which, status, body)
        with self._lock:
            self._instead.append(rule)
        try:
            yield
        finally:
            with self._lock:
                self._instead.remove(rule)

    @contextmanager
    def gathering(self, number: int, which: Which, seconds: float) -> Iterator[None]:
        """Inside the block, hold such requests until `number` wait at once; drop them after `seconds`."""
        held = (which, Barrier(number, timeout=seconds))
        self._held.append(held)
        try:
            yield
        finally:
            self._held.remove(held)

    @contextmanager
    def choosing(self, choose: Callable[[Request], Fault]) -> Iterator[None]:
        """Inside the block, `choose` says what becomes of each request; it is called by one thread at a time."""
        before, self._choose = self._choose, choose
        try:
            yield
        finally:
            self._choose = before

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        names = {name.lower(): value.strip() for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, body, names)
        with self._lock:
            for recorder in self._recorders:
                recorder.append(request)
            fault = self._choose(request)
            lost = _any(self._before, request) or fault.cut == "request"
            instead = [(status, text) for which, status, text in self._instead if which(request)]
            if fault.status is not None:
                instead.append((fault.status, _body(fault.status)))
        time.sleep(fault.held_before)
        try:
            for which, barrier in self._held:
                if which(request):
                    barrier.wait()
        except BrokenBarrierError:
            lost = True
        if lost:
            self._cut(handler)
            return
        for status, text in instead[:1]:
            kind = "text/html" if text.startswith("<") else "application/json"
            self._send_response(handler, status, [("Content-Type", kind)], text.encode())
            return
        self._ask_node(handler, request, fault)

    def _ask_node(self, handler: BaseHTTPRequestHandler, request: Request, fault: Fault) -> None:
        node = http.client.HTTPConnection(*self._node, timeout=60)
        try:
            headers = {n: v for n, v in handler.headers.items() if n.lower() not in _HOP_BY_HOP}
            node.request(request.method, request.path, request.body or None, headers)
            response = node.getresponse()
            content = response.read()
        except OSError:
            self._cut(handler)
            return
        finally:
            node.close()
        with self._lock:
            lost = _any(self._after, request) or fault.cut == "response"
        time.sleep(fault.held_after)
        if lost:
            self._cut(handler)
            return
        sent = len(content) // 2 if fault.cut == "body" else len(content)
        self._send_response(handler, response.status, response.getheaders(), content, sent)
        if sent < len(content):
            self._cut(handler)

    @staticmethod
    def _send_response(
        handler: BaseHTTPRequestHandler,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        sent: int | None = None,
    ) -> None:
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                handler.send_header(name, value)
        if handler.command != "HEAD":
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:sent])

    @staticmethod
    def _cut(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True


def _body(status: int) -> str:
    """The body of an error as Elasticsearch sends it when it is busy, or a proxy that does not reach it."""
    if status == 429:
        return '{"error": {"type": "es_rejected_execution_exception", "reason": "busy"}, "status": 429}'
    return f"<html><body><h1>{status}</h1></body></html>"


def _any(rules: list[Which], request: Request) -> bool:
    """Whether a rule matches; all rules are called, since some of them count requests."""
    return bool(sum(rule(request) for rule in rules))


def nth(number: int, which: Which) -> Which:
    """Matches only the `number`th (from 1) of such requests; call it again for each use."""
    met = 0

    def matches(request: Request) -> bool:
        nonlocal met
        if not which(request):
            return False
        met += 1
        return met == number

    return matches


def to(*parts: str) -> Which:
    """Matches requests whose path contains one of these texts, for example `_update/`."""
    return lambda request: any(part in request.path for part in parts)
