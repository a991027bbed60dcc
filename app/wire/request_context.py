"""What is known of the request at hand, before any endpoint sees it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

from flask import g, has_request_context, request

from app.errors import ApiError, PlainError, illegal_argument
from app.wire import media_types
from app.wire.filter_path import FilterPath
from app.wire.uri import TARGET, decode_path, parse_query, split

# Accepted by every endpoint, in the order in which they are checked.
ALWAYS_ALLOWED = ("pretty", "human", "filter_path", "format", "error_trace")


@dataclass(slots=True)
class RequestContext:
    """One request and the form its response takes.

    `target` is the request's target as sent, `path` its decoded path, `parameters` its decoded query.
    """

    target: str = "/"
    path: str = "/"
    parameters: dict[str, str] = field(default_factory=dict)
    accept: media_types.MediaType | None = None
    content_type: media_types.MediaType | None = None
    response_type: str = media_types.JSON
    pretty: bool = False
    filter_path: FilterPath | None = None


def current() -> RequestContext:
    """The context of the request at hand; a blank one while there is none."""
    if not has_request_context():
        return RequestContext()
    if "wire_request_context" not in g:
        g.wire_request_context = RequestContext()
    context: RequestContext = g.wire_request_context
    return context


def read_request() -> None:
    """Read headers and query parameters, in Elasticsearch's order. Raises `ApiError` or `PlainError` 400."""
    context = current()
    context.target = request.environ.get(TARGET) or request.full_path.rstrip("?")
    raw_path, raw_query = split(context.target)
    context.path = raw_path
    try:
        _negotiate(context)
    except ApiError:
        context.pretty = _wants_pretty(raw_query)
        raise
    context.parameters = parameters = parse_query(raw_query)
    format_ = parameters.get("format", "")
    context.response_type = media_types.response_type(context.accept, context.content_type, format_)
    # An error about either flag is not pretty.
    pretty = flag(parameters.get("pretty"))
    flag(parameters.get("human"))
    context.pretty = pretty
    if parameters.get("filter_path"):
        context.filter_path = FilterPath.parse(parameters["filter_path"])
    context.path = decode_path(raw_path)
    _check_error_trace(parameters.get("error_trace"))


def has_body() -> bool:
    """Whether the request announces a body."""
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    return chunked or bool(request.content_length)


def is_connected() -> bool:
    """Whether the client still waits for the response, as far as that can be seen."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None or isinstance(connection, ssl.SSLSocket):
        return True
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def flag(value: str | None) -> bool:
    """Read a boolean parameter: absent is false, empty is true. Raises `ApiError` 400 for other words."""
    if value is None or value == "false":
        return False
    if value in ("", "true"):
        return True
    raise illegal_argument(f"Failed to parse value [{value}] as only [true] or [false] are allowed.")


def _negotiate(context: RequestContext) -> None:
    context.accept = media_types.parse("Accept", request.environ.get("HTTP_ACCEPT"))
    context.content_type = media_types.parse("Content-Type", request.environ.get("CONTENT_TYPE"))
    media_types.check_versions(context.accept, context.content_type, has_body=has_body())
    context.response_type = media_types.response_type(context.accept, context.content_type, "")


def _wants_pretty(raw_query: str) -> bool:
    """The `pretty` flag of a request that is refused before its parameters are read."""
    try:
        return flag(parse_query(raw_query).get("pretty"))
    except ApiError:
        return False


def _check_error_trace(value: str | None) -> None:
    if value not in (None, "", "true", "false"):
        # The one flag whose error is a plain text.
        raise PlainError(400, f"Failed to parse value [{value}] as only [true] or [false] are allowed.")
