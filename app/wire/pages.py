"""What is sent to browsers: files of pages, and the headers that keep a page to itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Response, send_from_directory

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action {}; frame-ancestors 'none'"
)


def protect(response: Response, *, forms: bool = False) -> Response:
    """Let the page use nothing but this service, and nobody else use the page. `forms`: it may send forms here."""
    response.headers["Content-Security-Policy"] = _POLICY.format("'self'" if forms else "'none'")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def file_response(folder: Path, name: str, media_type: str, *, max_age: int) -> Response:
    """A file of a page. `max_age` in seconds."""
    response = send_from_directory(folder, name, mimetype=media_type, max_age=max_age)
    # It was sent to somebody with credentials.
    response.cache_control.public, response.cache_control.private = False, True
    return protect(response)
