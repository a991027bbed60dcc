"""Request bodies before they reach the parser."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from gunicorn.http.errors import InvalidChunkSize
from werkzeug.test import TestResponse

from app.wire import request_body

Send = Callable[..., TestResponse]
LIMIT = 4096
JSON = {"content_type": "application/json"}


def reason(response: TestResponse) -> tuple[int, str, str]:
    error = response.json["error"]
    return response.status_code, error["type"], error["reason"]


def post(send: Send, data: bytes, encoding: str | None = None) -> TestResponse:
    return send(
        "POST", "/things", data=data, **JSON, headers={"Content-Encoding": encoding} if encoding else {}
    )


def test_missing_required_body_is_refused(send: Send) -> None:
    """As `PUT /_scripts/x?foo=x` without body: the missing body is reported before the parameter. A blank is a body."""
    required = (400, "parse_exception", "request body is required")
    assert reason(send("POST", "/things?foo=x")) == required
    assert reason(send("POST", "/things?foo=x", **JSON)) == required
    blank = reason(post(send, b"  "))
    assert blank[2] == "[1:0] [named] Expected START_OBJECT but was: null"


def test_optional_body_may_be_missing(send: Send) -> None:
    assert send("PUT", "/things/x").json == {"id": "x", "body": {}}
    assert send("PUT", "/things/x", data='{"name":"n"}', **JSON).json["body"] == {"name": "n"}


def test_body_is_parsed_before_the_parameters(send: Send) -> None:
    """`PUT /_scripts/x?foo=x` with `{`: the syntax error comes first."""
    assert reason(send("POST", "/things?from=x&foo", data="{", **JSON))[1] == "x_content_e_o_f_exception"
    assert "[from]" in reason(send("POST", "/things?from=x&foo", data="{}", **JSON))[2]


def test_unexpected_body_is_refused(send: Send) -> None:
    """As `GET /_cluster/health/a%2Fb/?#y` with a body, even a blank one; unknown parameters are reported first."""
    text = "request [PUT /things/a/b/_check/] does not support having a body"
    for body in ("x", " "):
        refused = send("PUT", "/things/a%2Fb/_check/", data=body, **JSON)
        assert reason(refused) == (400, "illegal_argument_exception", text)
    assert "unrecognized" in reason(send("PUT", "/things/x/_check?foo", data="x", **JSON))[2]
    assert "support having a body" in reason(send("PUT", "/things//_check", data="x", **JSON))[2]


def test_request_validation_comes_last_and_reports_all_violations(send: Send) -> None:
    assert reason(send("PUT", "/things//_name", data="{}", **JSON)) == (
        400, "action_request_validation_exception", "Validation Failed: 1: id missing;",
    )  # fmt: skip
    assert "unrecognized" in reason(send("PUT", "/things//_name?x", data="{}", **JSON))[2]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_body_is_decompressed(send: Send, encoding: str) -> None:
    assert post(send, gzip.compress(b'{"name":"n"}'), encoding).json == {"name": "n"}


@pytest.mark.parametrize("window", [zlib.MAX_WBITS, -zlib.MAX_WBITS])
def test_deflate_body_is_decompressed_with_and_without_zlib_header(send: Send, window: int) -> None:
    compressor = zlib.compressobj(wbits=window)
    data = compressor.compress(b'{"name":"n"}') + compressor.flush()
    assert post(send, data, "deflate").json == {"name": "n"}


def test_several_gzip_members_are_decompressed_and_trailing_bytes_ignored(send: Send) -> None:
    """Two members are concatenated; bytes after them that are no gzip are ignored."""
    data = gzip.compress(b'{"name":') + gzip.compress(b'"n"}') + b"xx"
    assert post(send, data, "gzip").json == {"name": "n"}


@pytest.mark.parametrize("encoding", ["identity", "br", "foo", "zstd"])
def test_unknown_content_encoding_is_ignored(send: Send, encoding: str) -> None:
    """Elasticsearch ignores the header and parses the body as it is."""
    assert post(send, b'{"name":"n"}', encoding).status_code == 201


def test_gzip_of_nothing_is_a_missing_body(send: Send) -> None:
    assert reason(post(send, gzip.compress(b""), "gzip"))[2] == "request body is required"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-6],
        lambda data: data[:12],
        lambda data: data[:10] + b"garbagegarbage",
        lambda data: data[:-8] + b"12345678",
        lambda data: b"{}",
    ],
)
def test_damaged_gzip_is_refused(send: Send, damage: Callable[[bytes], bytes]) -> None:
    """Elasticsearch closes the connection or accepts what it got; a truncated body must never be accepted."""
    refused = post(send, damage(gzip.compress(b'{"name":"n"}')), "gzip")
    assert reason(refused) == (400, "illegal_argument_exception", "the request body is not valid [gzip]")


def test_size_limit_applies_to_bytes_as_sent_and_decompressed(send: Send) -> None:
    """Elasticsearch responds with an empty 413; here the 413 has an error envelope."""
    fits = b'{"name":"' + b"x" * (LIMIT - 11) + b'"}'
    over = fits[:-2] + b'x"}'
    too_long = (413, "too_long_http_content_exception", f"Content length exceeded [{LIMIT}] bytes.")
    assert (post(send, fits).status_code, post(send, gzip.compress(fits), "gzip").status_code) == (201, 201)
    assert reason(post(send, over)) == too_long
    assert reason(post(send, gzip.compress(over), "gzip")) == too_long
    two = gzip.compress(b" " * 3000)
    assert reason(post(send, two + two, "gzip")) == too_long


def test_zip_bomb_is_refused_within_bounded_memory(send: Send) -> None:
    inner = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(inner.compress(bytes(2**20)) for _ in range(3)), inner.flush()])
    assert len(bomb) < LIMIT
    send("GET", "/things")
    tracemalloc.start()
    try:
        assert post(send, bomb, "gzip").status_code == 413
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_many_empty_gzip_members_are_refused_quickly() -> None:
    with pytest.raises(Exception, match="not valid"):
        request_body._inflate(gzip.compress(b"") * 100_000, "gzip", LIMIT)


def chunked(body: Any) -> dict[str, Any]:
    return {
        "environ_overrides": {"wsgi.input": body, "wsgi.input_terminated": True},
        "headers": {"Transfer-Encoding": "chunked"},
        **JSON,
    }


def test_chunked_body_is_read_within_the_limit(client: Any) -> None:
    def post_chunked(body: Any) -> TestResponse:
        response: TestResponse = client.open("/things", method="POST", **chunked(body))
        return response

    assert post_chunked(io.BytesIO(b'{"name":"n"}')).json == {"name": "n"}
    assert reason(post_chunked(io.BytesIO(b"")))[2] == "request body is required"
    assert post_chunked(io.BytesIO(b" " * (LIMIT + 1))).status_code == 413

    class Broken(io.RawIOBase):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def read(self, size: int = -1) -> bytes:
            raise self.error

    for error in (InvalidChunkSize(b"zz"), ConnectionResetError(), TimeoutError()):
        broken = reason(post_chunked(Broken(error)))
        assert broken == (400, "illegal_argument_exception", "the request body could not be read")


@pytest.mark.parametrize("terminated", [True, False])
def test_body_shorter_than_its_content_length_is_refused(client: Any, terminated: bool) -> None:
    """`{"name":"n"} ` truncated after the brace is still valid JSON."""
    environ = {"wsgi.input": io.BytesIO(b'{"name":"n"}'), "CONTENT_LENGTH": "50"}
    if terminated:
        environ["wsgi.input_terminated"] = True
    response = client.open("/things", method="POST", environ_overrides=environ, **JSON)
    assert reason(response)[:2] == (400, "illegal_argument_exception")


def test_body_with_a_too_large_content_length_is_refused_unread(client: Any) -> None:
    class Untouched(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("read")

    environ = {"wsgi.input": Untouched(), "CONTENT_LENGTH": str(LIMIT + 1), "wsgi.input_terminated": True}
    assert client.open("/things", method="POST", environ_overrides=environ, **JSON).status_code == 413
