"""Routes that match as Elasticsearch's do, and its errors for an unknown path or method."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import BaseConverter, Rule

from app.errors import PlainError
from app.wire.uri import RESERVED_JOB_NAMES, RESERVED_NAMES, decode

# In the order in which a response lists them.
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT")


class SegmentConverter(BaseConverter):
    """One path segment, percent-decoded once; it may be empty."""

    regex = "[^/]*"

    def to_python(self, value: str) -> str:
        """Decode the segment; what cannot be decoded is refused for the whole path later."""
        return decode(value)


class ConnectorConverter(SegmentConverter):
    """A segment that is never the name of another part of the API."""

    # Excluded in the expression: otherwise the methods of connectors would be allowed for the other parts, too.
    regex = f"(?!(?:{'|'.join(map(re.escape, RESERVED_NAMES))})(?:/|$))[^/]*"


class SyncJobConverter(SegmentConverter):
    """A segment that is never the name of an endpoint for many jobs."""

    regex = f"(?!(?:{'|'.join(RESERVED_JOB_NAMES)})(?:/|$))[^/]*"


class ExactRule(Rule):
    """A route for the methods it was given: GET does not imply HEAD."""

    def __init__(self, string: str, *, methods: Iterable[str] | None = None, **options: Any) -> None:
        super().__init__(string, methods=methods, **options)
        if self.methods is not None and "HEAD" not in (methods or ()):
            self.methods.discard("HEAD")


def install(app: Flask) -> None:
    """Set the app up for such routes. Call before any route is added."""
    app.url_rule_class = ExactRule  # type: ignore[assignment]  # Flask annotates the default's exact type
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.url_map.redirect_defaults = False
    app.url_map.converters["segment"] = SegmentConverter
    app.url_map.converters["connector"] = ConnectorConverter
    app.url_map.converters["sync_job"] = SyncJobConverter


def unknown_path(method: str, target: str) -> Response | PlainError:
    """The response for a path without any route."""
    if method == "OPTIONS":
        return _options(())
    if method not in METHODS:
        return PlainError(405, f"Unexpected http method: {method}")
    return PlainError(400, f"no handler found for uri [{target}] and method [{method}]", show_status=False)


def wrong_method(method: str, target: str, error: MethodNotAllowed) -> Response | PlainError:
    """The response for a known path that has no route for the method."""
    allowed = sorted(error.valid_methods or (), key=METHODS.index)
    if method == "OPTIONS":
        return _options(allowed)
    known = f"Incorrect HTTP method for uri [{target}] and method [{method}]"
    message = known if method in METHODS else f"Unexpected http method: {method}"
    listed = f"{message}, allowed: [{', '.join(allowed)}]"
    return PlainError(405, listed, headers={"Allow": ",".join(allowed)})


def _options(allowed: Iterable[str]) -> Response:
    response = Response(content_type="text/plain; charset=UTF-8")
    if allowed:
        response.headers["Allow"] = ",".join(allowed)
    return response
