"""The bytes of a request's body: read and decompressed, up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from urllib.parse import parse_qs

from flask import current_app, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from app.errors import ApiError, Cause, PlainError, illegal_argument, status_error
from app.wire import media_types
from app.wire.request_context import current

_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 1024 * 1024
LIMIT = "WIRE_MAX_BODY_BYTES"

_CHUNK = 64 * 1024
# The window bits that tell zlib which wrapping to expect.
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_GZIP_MAGIC = b"\x1f\x8b"
# Each gzip member costs time in the length of the rest, and empty ones never reach the limit. Clients send one.
_MAX_GZIP_MEMBERS = 16


def receive() -> bytes:
    """The body of this request, inflated; empty when there is none.

    Raises `PlainError` 406 when it comes in a type that is not read here, `ApiError` 413 when it is larger than the limit
    in bytes that the app was installed with (before or after inflation), `ApiError` 400 when it is damaged, `ApiError`
    408 when its client stalls.
    """
    limit: int = current_app.config[LIMIT]
    body = _read(limit)
    if not body:
        return b""
    media_types.check_body_type(request.environ.get("CONTENT_TYPE"), current().content_type)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    # Elasticsearch reads a body in an encoding that it does not know as it is.
    return _inflate(body, encoding, limit) if encoding in _WINDOW else body


def receive_form() -> dict[str, list[str]]:
    """The fields of a form that a browser has sent.

    Raises `PlainError` 406 for a body of another type, and `ApiError` as `receive` does; the limit is a mebibyte.
    """
    content_type = current().content_type
    if content_type is None or content_type.name != _FORM:
        raise PlainError(
            406, f"Content-Type header [{request.environ.get('CONTENT_TYPE') or ''}] is not supported"
        )
    return parse_qs(_read(_FORM_BYTES).decode("utf-8", "replace"), keep_blank_values=True)


def _read(limit: int) -> bytes:
    length = request.content_length
    if length is not None and length > limit:
        raise _too_long(limit)
    read = bytearray()
    try:
        for chunk in _chunks():
            read += chunk
            if len(read) > limit:
                raise _too_long(limit)
    except BlockingIOError:
        # The worker's timeout. Elasticsearch has none, so this is HTTP's own status for it.
        raise status_error(408, "the request body did not arrive in time") from None
    except (OSError, ClientDisconnected, ParseException):
        # Lost connections and broken chunks.
        raise illegal_argument("the request body could not be read") from None
    if length is not None and len(read) < length:
        raise illegal_argument("the request body is shorter than its Content-Length")
    return bytes(read)


def _chunks() -> Iterator[bytes]:
    while chunk := request.stream.read(_CHUNK):
        yield chunk


def _inflate(data: bytes, encoding: str, limit: int) -> bytes:
    inflated = bytearray()
    try:
        for _ in range(_MAX_GZIP_MEMBERS):
            part, data = _inflate_member(data, encoding, limit + 1 - len(inflated))
            inflated += part
            if len(inflated) > limit:
                raise _too_long(limit)
            if encoding == "deflate" or not data.startswith(_GZIP_MAGIC):
                return bytes(inflated)
    except zlib.error:
        pass
    raise illegal_argument(f"the request body is not valid [{encoding}]")


def _inflate_member(data: bytes, encoding: str, limit: int) -> tuple[bytes, bytes]:
    """One compressed stream, up to `limit` bytes of it, and what follows it. Raises `zlib.error` when damaged."""
    window = _WINDOW[encoding]
    if encoding == "deflate" and not _has_zlib_header(data):
        window = -15
    inflater = zlib.decompressobj(window)
    inflated = inflater.decompress(data, limit)
    if not inflater.eof and len(inflated) < limit:
        raise zlib.error("cut off")
    return inflated, inflater.unused_data


def _has_zlib_header(data: bytes) -> bool:
    return len(data) > 1 and data[0] & 0x0F == 8 and (data[0] * 256 + data[1]) % 31 == 0


def _too_long(limit: int) -> ApiError:
    reason = f"Content length exceeded [{limit}] bytes."
    return ApiError(413, Cause("too_long_http_content_exception", reason))
