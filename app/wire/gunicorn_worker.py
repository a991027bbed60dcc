"""Gunicorn's threaded worker, whose own refusals are in Elasticsearch's envelope and not in HTML."""

from __future__ import annotations

import socket
from http import HTTPStatus

from gunicorn.http.errors import ExpectationFailed, LimitRequestLine, ParseException
from gunicorn.http.message import Request
from gunicorn.workers.gthread import ThreadWorker

from app.errors import ApiError, Cause
from app.json_codec import dumps
from app.wire.rendering import envelope


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers requests that are no HTTP, which the application never sees."""

    def handle_error(
        self, req: Request | None, client: socket.socket, addr: tuple[str, int] | None, exc: Exception
    ) -> None:
        """Answer a request that could not be parsed (400, 417), or whose serving failed (500), and log it."""
        if isinstance(exc, ParseException):
            self.log.warning("Invalid request from ip=%s: %s", (addr or ("",))[0], exc)
        else:
            self.log.error("Error handling request %s", getattr(req, "uri", "(no URI read)"), exc_info=exc)
        try:
            client.settimeout(self.cfg.timeout)
            client.sendall(answer(exc))
        except OSError:
            self.log.debug("Failed to send error message.")


def answer(exc: Exception) -> bytes:
    """The whole HTTP answer to what gunicorn raised."""
    error = _error(exc)
    body = dumps(envelope(error))
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "X-Elastic-Product: Elasticsearch",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def _error(exc: Exception) -> ApiError:
    if isinstance(exc, LimitRequestLine):
        return ApiError(400, Cause("too_long_http_line_exception", str(exc)))
    if isinstance(exc, ExpectationFailed):
        return ApiError(417, Cause("illegal_argument_exception", str(exc)))
    if isinstance(exc, ParseException):
        return ApiError(400, Cause("illegal_argument_exception", str(exc)))
    return ApiError(500, Cause("exception", "The request failed because of an internal error."))
