"""One log line for each request, and the id that it shares with everything done for it."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

from app import logs
from app.wire.uri import PUBLIC_PATHS

_log = structlog.get_logger("app.requests")

# A caller's id that is passed on to Elasticsearch and into logs.
_SAFE_ID = re.compile(r"[\x21-\x7e]{1,128}")


def install(app: Flask) -> None:
    """Note the beginning of each request and log its end. Call before other hooks, so that nothing goes unlogged."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    sent = request.headers.get("X-Opaque-Id", "")
    request_id = sent if _SAFE_ID.fullmatch(sent) else secrets.token_hex(8)
    logs.request_id.set(request_id)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    g.began = time.monotonic()


def _end(response: Response) -> Response:
    log = _log.debug if request.path in PUBLIC_PATHS and response.status_code < 400 else _log.info
    log(
        "request",
        method=request.method,
        # Without the query string: nothing that a caller put there is needed to find the request again.
        path=request.path,
        status=response.status_code,
        milliseconds=round((time.monotonic() - g.began) * 1000, 1),
    )
    return response
