"""The form of responses, and the headers that all of them have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from gunicorn.http.errors import ExpectationFailed, InvalidHeader, LimitRequestLine
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app.errors import ApiError, Cause, PlainError
from app.json_codec import loads
from app.wire import gunicorn_worker, request_context
from app.wire.ids import too_long
from app.wire.rendering import envelope, json_response

Send = Callable[..., TestResponse]


def test_pretty_output_is_that_of_elasticsearch(send: Send) -> None:
    """As `GET /<index>/_doc/1?pretty`: spaces around colons, `{ }` and `[ ]`, and a final newline."""
    compact = b'{"id":"x","empty":{},"list":[1,{"a":null}],"none":[]}'
    pretty = """{
  "id" : "x",
  "empty" : { },
  "list" : [
    1,
    {
      "a" : null
    }
  ],
  "none" : [ ]
}
"""
    assert send("GET", "/things/x").data == compact
    assert send("GET", "/things/x?pretty=false&human").data == compact
    assert send("GET", "/things/x?pretty").data.decode() == pretty
    assert send("GET", "/things/x?pretty&filter_path=nope").data == b"{ }\n"
    assert send("GET", "/nope?pretty").data.decode() == (
        '{\n  "error" : "no handler found for uri [/nope?pretty] and method [GET]"\n}\n'
    )


def test_deepest_documents_can_be_pretty_printed(app: Flask) -> None:
    """A request body may be nested 800 levels deep."""
    deep: Any = {}
    for _ in range(400):
        deep = {"a": [deep]}
    with app.test_request_context("/things?pretty"):
        request_context.read_request()
        shown = json_response(deep).get_data()
    assert loads(shown) == deep
    assert shown.count(b"{ }") == 1


def test_filter_path_does_not_filter_errors(send: Send) -> None:
    assert send("GET", "/things/x?filter_path=id").json == {"id": "x"}
    refused = send("GET", "/things?filter_path=nothing&from=x")
    assert set(refused.json) == {"error", "status"}
    assert "root_cause" in refused.json["error"]


def test_error_envelope_has_root_cause_and_nested_causes() -> None:
    root = Cause("root_exception", "root")
    inner = Cause("inner_exception", None, details={"index": "i"})
    error = ApiError(404, Cause("outer_exception", "outer", Cause("middle_exception", "middle", inner)), root)
    assert envelope(error) == {
        "error": {
            "root_cause": [{"type": "root_exception", "reason": "root"}],
            "type": "outer_exception",
            "reason": "outer",
            "caused_by": {
                "type": "middle_exception",
                "reason": "middle",
                "caused_by": {"type": "inner_exception", "reason": None, "index": "i"},
            },
        },
        "status": 404,
    }
    assert envelope(PlainError(405, "no")) == {"error": "no", "status": 405}
    assert envelope(PlainError(400, "no", show_status=False)) == {"error": "no"}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/things", 200), ("GET", "/nope", 400), ("PUT", "/things", 405), ("OPTIONS", "/things", 200),
        ("HEAD", "/things", 405), ("GET", "/things?from=x", 400), ("POST", "/things", 400), ("GET", "/broken", 500),
        ("GET", "/%zz", 400), ("GET", "/things?%zz", 400),
    ],
)  # fmt: skip
def test_every_response_has_the_product_and_opaque_id_headers(
    send: Send, method: str, target: str, status: int
) -> None:
    response = send(method, target, headers={"X-Opaque-Id": "me, and you"})
    assert response.status_code == status
    assert response.headers["X-Elastic-Product"] == "Elasticsearch"
    assert response.headers["X-Opaque-Id"] == "me, and you"
    assert "html" not in response.headers["Content-Type"]
    assert "X-Opaque-Id" not in send(method, target).headers


def test_invalid_opaque_id_is_not_echoed(send: Send) -> None:
    for unfit in ("a\x00b", "a\x7fb", "z" * 8193):
        response = send("GET", "/things", environ_overrides={"HTTP_X_OPAQUE_ID": unfit})
        assert (response.status_code, "X-Opaque-Id" in response.headers) == (200, False)
    for fit in ("é\tx", "", "z" * 7000):
        response = send("GET", "/things", headers={"X-Opaque-Id": fit})
        assert response.headers["X-Opaque-Id"] == fit


def test_internal_error_is_logged_and_its_message_is_not_in_the_response(send: Send) -> None:
    with capture_logs() as logs:
        response = send("GET", "/broken?pretty=false")
    assert response.status_code == 500
    assert b"1234" not in response.data
    assert response.json["error"]["root_cause"][0]["type"] == response.json["error"]["type"] == "exception"
    defects = [entry for entry in logs if "exc_info" in entry]
    assert [(entry["log_level"], str(entry["exc_info"])) for entry in defects] == [
        ("error", "the password is 1234")
    ]


@pytest.mark.parametrize(
    ("raised", "status", "type_"),
    [
        (LimitRequestLine(9000, 4094), "400 Bad Request", "too_long_http_line_exception"),
        (InvalidHeader("CONTENT-LENGTH"), "400 Bad Request", "illegal_argument_exception"),
        (ExpectationFailed("foo"), "417 Expectation Failed", "illegal_argument_exception"),
        (RuntimeError("secret"), "500 Internal Server Error", "exception"),
    ],
)
def test_malformed_http_is_refused_with_an_error_envelope(raised: Exception, status: str, type_: str) -> None:
    """A node responds with the same types, for example to `Content-Length: -1` or to a long request line."""
    head, _, body = gunicorn_worker.http_response(gunicorn_worker.to_api_error(raised)).partition(b"\r\n\r\n")
    assert head.decode().split("\r\n")[:3] == [
        f"HTTP/1.1 {status}", "X-Elastic-Product: Elasticsearch", "Content-Type: application/json",
    ]  # fmt: skip
    assert f"Content-Length: {len(body)}".encode() in head
    assert f'"type":"{type_}"'.encode() in body
    assert b"secret" not in body


def test_length_of_an_id_is_counted_in_bytes() -> None:
    """As `PUT /<index>/_doc/<513 letters>`."""
    assert too_long("é" * 256) == []
    assert too_long("é" * 256 + "x") == [
        f"id [{'é' * 256}x] is too long, must be no longer than 512 bytes but was: 513"
    ]
