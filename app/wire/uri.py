"""The request's target as it was sent: paths and query strings, read the way Elasticsearch reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.errors import ApiError, Cause, illegal_argument

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TARGET = "wire.target"
PROBE_PATHS = frozenset({"/healthz", "/readyz"})
"""Probes send no credentials, and learn only whether the service can be used."""

METRICS_PATH = "/metrics"

PAGE_PATH = "/_connector/_ui"
"""The page for people. It is no part of the API, so the API reference has none of it."""

RESERVED_NAMES = ("_sync_job", "_secret", "_ui", "_openapi", "_openapi.json")
"""Other parts of the API under `/_connector`, never ids of connectors, however they are percent-encoded. No generated id is
among them, since those have 20 characters."""

RESERVED_JOB_NAMES = ("_cancel", "_check_in", "_claim", "_prune", "_rescue", "_summary")
"""Endpoints under `/_connector/_sync_job`, likewise never ids of jobs."""

_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# A surrogate in UTF-8 is one broken character to Elasticsearch and three to Python.
_UTF8_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT = "\ufffd".encode()


class RawPath:
    """WSGI middleware: routes on the path as it was sent, still percent-encoded, so that `%2F` is part of an id.

    The whole target stays readable under `TARGET` in the environment.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the wrapped application with `PATH_INFO` and `QUERY_STRING` taken from the raw target."""
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        if target is not None:
            path, query = split(target)
            environ[TARGET] = target
            # WSGI carries text as Latin-1 disguised as bytes, and Werkzeug undoes that as UTF-8.
            environ["PATH_INFO"] = _routable(path).encode("utf-8", "replace").decode("latin-1")
            environ["QUERY_STRING"] = query
            environ["SCRIPT_NAME"] = ""
        # Werkzeug would look for WebSocket routes only.
        environ.pop("HTTP_UPGRADE", None)
        return self._app(environ, start_response)


def split(target: str) -> tuple[str, str]:
    """The path and the query string of a request target, both still encoded; a fragment belongs to neither."""
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


def decode_path(path: str) -> str:
    """Decode a path once; `+` stays a plus. Raises `ApiError` 400 for a malformed escape sequence."""
    problem = _malformed_escape(path)
    if problem is not None:
        raise illegal_argument(problem)
    return decode(path)


def decode(text: str) -> str:
    """Undo percent-encoding once. Bytes that are not UTF-8 become U+FFFD; malformed sequences stay as they are."""
    return _ESCAPES.sub(_decoded_run, text)


def parse_query(query: str) -> dict[str, str]:
    """The parameters of a query string; `&` and `;` separate, `+` is a space, the last of equal names wins.

    Raises `ApiError` 400 for a malformed escape sequence.
    """
    parameters: dict[str, str] = {}
    for pair in re.split("[&;]", query):
        # `=1` is a parameter named `1`.
        name, _, value = pair.lstrip("=").partition("=")
        if name:
            parameters[_decode_component(name)] = _decode_component(value)
    return parameters


def _routable(path: str) -> str:
    path = "/".join(_unescaped(segment) for segment in path.rstrip("/").split("/"))
    # Werkzeug would drop empty segments in front; encoded they match no route, as they should.
    if path.startswith("//"):
        return "/%2F" + path[2:]
    return path if path.startswith("/") else f"/{path}"


def _unescaped(segment: str) -> str:
    decoded = decode(segment)
    return decoded if decoded in (*RESERVED_NAMES, *RESERVED_JOB_NAMES) else segment


def _decode_component(text: str) -> str:
    text = text.replace("+", " ")
    problem = _malformed_escape(text)
    if problem is not None:
        cause = Cause("illegal_argument_exception", problem)
        outer = f"java.lang.IllegalArgumentException: {problem}"
        raise ApiError(400, Cause("bad_parameter_exception", outer, caused_by=cause))
    return decode(text)


def _malformed_escape(text: str) -> str | None:
    position = text.find("%")
    while position >= 0:
        pair = text[position + 1 : position + 3]
        if not pair:
            return f"unterminated escape sequence at end of string: {text}"
        if len(pair) == 1:
            return f"partial escape sequence at end of string: {text}"
        if not _HEX_PAIR.fullmatch(pair):
            return f"invalid escape sequence `%{pair}' at index {position} of: {text}"
        position = text.find("%", position + 3)
    return None


def _decoded_run(match: re.Match[str]) -> str:
    data = bytes.fromhex(match.group().replace("%", ""))
    return _UTF8_SURROGATE.sub(_REPLACEMENT, data).decode("utf-8", "replace")
