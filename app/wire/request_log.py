"""One log line for each request, its metrics, and the id that it shares with everything done for it."""

from __future__ import annotations

import re
import secrets
import time
from functools import cache

import structlog
from flask import Flask, Response, g, request

from app import logs
from app.metrics import definitions as metrics
from app.wire.routing import METHODS
from app.wire.uri import METRICS_PATH, PROBE_PATHS

_log = structlog.get_logger("app.requests")

# A caller's id that is passed on to Elasticsearch and into logs.
_SAFE_ID = re.compile(r"[\x21-\x7e]{1,128}")
# Sent every few seconds by machines.
_ROUTINE_PATHS = PROBE_PATHS | {METRICS_PATH}


def install(app: Flask) -> None:
    """Note the beginning of each request and log its end. Call before other hooks, so that nothing goes unlogged."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def _begin() -> None:
    sent = request.headers.get("X-Opaque-Id", "")
    request_id = sent if _SAFE_ID.fullmatch(sent) else secrets.token_hex(8)
    logs.request_id.set(request_id)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    if trace_id := request.environ.get(logs.TRACE_ID):
        structlog.contextvars.bind_contextvars(trace_id=trace_id)
    g.began = time.monotonic()
    metrics.HTTP_IN_PROGRESS.inc()


def _end(response: Response) -> Response:
    log = _log.debug if request.path in _ROUTINE_PATHS and response.status_code < 400 else _log.info
    seconds = time.monotonic() - g.began
    log(
        "request",
        method=request.method,
        # Without the query string: nothing that a caller put there is needed to find the request again.
        path=request.path,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
    )
    method = request.method if request.method in METHODS else metrics.UNKNOWN
    route = readable_rule(request.url_rule.rule) if request.url_rule else metrics.UNKNOWN
    metrics.HTTP_REQUESTS.labels(method, route, response.status_code).inc()
    metrics.HTTP_SECONDS.labels(method, route).observe(seconds)
    return response


def _leave(_error: BaseException | None) -> None:
    metrics.HTTP_IN_PROGRESS.dec()


@cache
def readable_rule(rule: str) -> str:
    """A rule of the URL map as people write it: `/_connector/{id}/_name`."""
    return re.sub(r"<[^>]+>", "{id}", rule)
