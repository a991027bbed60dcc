"""What makes a response Elasticsearch's, for every endpoint: routing, negotiation, parameters, bodies, errors."""

from __future__ import annotations

import re

from flask import Flask, Response, request

from app.wire import authorization, error_handlers, request_log, routing
from app.wire.authorization import CallerLookup
from app.wire.request_body import LIMIT
from app.wire.request_context import read_request
from app.wire.uri import RawPath

# A header that is sent back must not be able to add another one.
_OPAQUE_ID = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8192}")


def install(app: Flask, *, max_body_bytes: int, security: CallerLookup, metrics_public: bool = False) -> None:
    """Give the app the conventions of Elasticsearch's HTTP layer. Call before any route or blueprint is added.

    `max_body_bytes` bounds a request's body, counted after inflation. `security` says who calls, and what they may do;
    it is not asked for metrics where these are public.
    """
    app.config[LIMIT] = max_body_bytes
    app.wsgi_app = RawPath(app.wsgi_app)  # type: ignore[method-assign]
    routing.install(app)
    error_handlers.install(app)
    # Hooks after the response run last to first: the log line comes when everything else is done.
    request_log.install(app)
    authorization.install(app, security, metrics_public=metrics_public)
    app.before_request(read_request)
    app.after_request(_sign)


def _sign(response: Response) -> Response:
    """The headers of every response."""
    response.headers["X-Elastic-Product"] = "Elasticsearch"
    opaque_id = request.headers.get("X-Opaque-Id")
    if opaque_id is not None and _OPAQUE_ID.fullmatch(opaque_id):
        response.headers["X-Opaque-Id"] = opaque_id
    return response
