"""Gunicorn's threaded worker: stalled clients keep no thread, and its own errors are in Elasticsearch's envelope."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import ExpectationFailed, LimitRequestLine, ParseException
from gunicorn.http.message import Request
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from app.errors import ApiError, Cause
from app.json_codec import dumps
from app.metrics.definitions import HTTP_REQUESTS, UNKNOWN
from app.wire.rendering import envelope

# How much of a request is waited for without a thread: nearly every request is shorter.
_BEGINNING_BYTES = 64 * 1024
# How long a thread waits for the next byte of a longer request, or for a client that takes nothing of its response. Shorter
# than two periods of usual liveness probes.
SILENT_SECONDS = 10

_LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*(\d{1,9})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nExpect:", re.IGNORECASE)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves requests that have arrived, and responds to those that are not HTTP, which the application never sees.

    `end_waiting` is called when the worker is told to stop.
    """

    end_waiting: Callable[[], None] = staticmethod(lambda: None)

    def handle(self, conn: TConn) -> Any:
        """Serve the next request of a connection, or give the connection back to the poller to wait for it."""
        # A worker that stops has no poller to give the connection to, and TLS may hold bytes that would not wake it.
        if self.alive and not self.cfg.is_ssl:
            try:
                if not _has_arrived(conn):
                    return _DEFER
            except OSError as error:
                self.log.debug("Connection lost: %s", error)
                return False
        # In the kernel: a timeout of Python's would count from the first byte of a long response, not from the last.
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            conn.sock.setsockopt(socket.SOL_SOCKET, direction, struct.pack("@ll", SILENT_SECONDS, 0))
        return super().handle(conn)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop once the requests under way are answered; what some of them wait for ends now."""
        super().handle_exit(sig, frame)
        self.end_waiting()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once, as far as that goes: the process ends with its last thread."""
        self.end_waiting()
        super().handle_quit(sig, frame)

    def handle_request(self, req: Request, conn: TConn) -> bool:
        """Serve one request. A client that does not read its response loses its connection."""
        try:
            return bool(super().handle_request(req, conn))
        except BlockingIOError:
            self.log.warning("Gave up on ip=%s, which does not read its response", (conn.client or ("",))[0])
            return False

    def handle_error(
        self, req: Request | None, client: socket.socket, addr: tuple[str, int] | None, exc: Exception
    ) -> None:
        """Answer a request that could not be parsed (400, 417), or whose serving failed (500), and log it."""
        if isinstance(exc, ParseException):
            self.log.warning("Invalid request from ip=%s: %s", (addr or ("",))[0], exc)
        else:
            self.log.error("Error handling request %s", getattr(req, "uri", "(no URI read)"), exc_info=exc)
        error = to_api_error(exc)
        HTTP_REQUESTS.labels(UNKNOWN, UNKNOWN, error.status).inc()
        try:
            client.settimeout(self.cfg.timeout)
            client.sendall(http_response(error))
        except OSError:
            self.log.debug("Failed to send error message.")


def _has_arrived(conn: TConn) -> bool:
    """Read what is there, without waiting: whether it is enough for a thread to go on with."""
    conn.init()
    conn.sock.setblocking(False)
    try:
        data = conn.sock.recv(_BEGINNING_BYTES)
    except BlockingIOError:
        data = None
    unreader = conn.parser.unreader
    buffered = unreader.take_buffered() + (data or b"")
    unreader.unread(buffered)
    ended = data == b""
    return ended or len(buffered) >= _BEGINNING_BYTES or _is_whole(buffered)


def _is_whole(request: bytes) -> bool:
    """Whether the head is there, with the body if that has a length. Whatever looks odd is left to the parser."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(head)
    return length is None or len(body) >= int(length[1]) or _EXPECT.search(head) is not None


def http_response(error: ApiError) -> bytes:
    """The whole HTTP response of an error."""
    body = dumps(envelope(error))
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "X-Elastic-Product: Elasticsearch",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def to_api_error(exc: Exception) -> ApiError:
    """What gunicorn raised, as an error of the service."""
    if isinstance(exc, LimitRequestLine):
        return ApiError(400, Cause("too_long_http_line_exception", str(exc)))
    if isinstance(exc, ExpectationFailed):
        return ApiError(417, Cause("illegal_argument_exception", str(exc)))
    if isinstance(exc, ParseException):
        return ApiError(400, Cause("illegal_argument_exception", str(exc)))
    return ApiError(500, Cause("exception", "The request failed because of an internal error."))
