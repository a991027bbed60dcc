"""Routes, methods and unknown paths, with the messages of Elasticsearch 9.4.3."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]


@pytest.mark.parametrize(
    ("target", "thing_id"),
    [
        ("/things/a%2Fb", "a/b"),
        ("/things/a+b", "a+b"),
        ("/things/a%252Fb", "a%2Fb"),
        ("/things/a;b=1", "a;b=1"),
        ("/things/a%3Fb", "a?b"),
        ("/things/abc/", "abc"),
        ("/things/abc//", "abc"),
        ("/things/a#b", "a"),
        ("/things/..", ".."),
        ("things/abc", "abc"),
    ],
)
def test_id_is_one_path_segment_as_sent(send: Send, target: str, thing_id: str) -> None:
    """As `GET /_scripts/{id}`, whose response shows the decoded id."""
    response = send("GET", target)
    assert (response.status_code, response.json["id"]) == (200, thing_id)


def test_empty_segment_reaches_its_route(send: Send) -> None:
    """As `GET /_scripts//abc`, which is `/_scripts/{id}/{context}` with an empty id; nothing is redirected."""
    response = send("PUT", "/things//_check")
    assert response.status_code == 400
    assert response.json["error"]["reason"] == "Validation Failed: 1: id missing;"


@pytest.mark.parametrize(
    "target",
    [
        "/nope",
        "/nope/a%2Fb%20c/",
        "/things//abc",
        "//things/abc",
        "/%74hings/abc",
        "http://localhost/things/abc?x=1",
        "/things/a/b/c?q",
    ],
)
def test_path_without_a_route_is_quoted_as_sent(send: Send, target: str) -> None:
    """400 without `status`; fixed segments are not decoded before matching, and an absolute target never matches."""
    response = send("GET", target)
    assert response.status_code == 400
    assert response.json == {"error": f"no handler found for uri [{target}] and method [GET]"}


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PATCH", "/things/x?q=1", ["GET", "PUT", "DELETE"]),
        ("HEAD", "/things", ["GET", "POST"]),
        ("TRACE", "/things", ["GET", "POST"]),
        ("DELETE", "/things/x/_name/", ["PUT"]),
        ("PUT", "/things", ["GET", "POST"]),
    ],
)
def test_wrong_method_lists_the_allowed_ones(
    send: Send, method: str, target: str, allowed: list[str]
) -> None:
    """As `PATCH /_scripts/x/?q=1`: methods in a fixed order, without spaces in the header Allow. No route has HEAD."""
    response = send(method, target)
    assert response.status_code == 405
    assert response.headers["Allow"] == ",".join(allowed)
    text = f"Incorrect HTTP method for uri [{target}] and method [{method}], allowed: [{', '.join(allowed)}]"
    if method == "HEAD":
        assert response.data == b""
    else:
        assert response.json == {"error": text, "status": 405}


def test_unknown_method_is_405(send: Send) -> None:
    """As `FOO /_search` and `FOO /_nope/a/b/c`: 405 even if there is no such path."""
    known = send("FOO", "/things")
    assert (known.status_code, known.headers["Allow"]) == (405, "GET,POST")
    assert known.json == {"error": "Unexpected http method: FOO, allowed: [GET, POST]", "status": 405}
    unknown = send("FOO", "/nope/a")
    assert (unknown.status_code, "Allow" in unknown.headers) == (405, False)
    assert unknown.json == {"error": "Unexpected http method: FOO", "status": 405}


@pytest.mark.parametrize(("target", "allowed"), [("/things/x", "GET,PUT,DELETE"), ("/nope", None)])
def test_options_is_supported_on_every_path(send: Send, target: str, allowed: str | None) -> None:
    response = send("OPTIONS", target)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers.get("Allow") == allowed
    assert response.headers["Content-Type"] == "text/plain; charset=UTF-8"


def test_reserved_names_are_no_connector_ids(send: Send) -> None:
    """A deliberate difference from Elasticsearch, which creates a connector named `_secret`."""
    assert send("PUT", "/connectors/_secrets").status_code == 200
    assert send("PUT", "/connectors/_secret%2F").json == {"id": "_secret/"}
    for target in (
        "/connectors/_secret",
        "/connectors/_secret/",
        "/connectors/%5F%73ecret",
        "/connectors/_secret?x",
    ):
        refused = send("PUT", target)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
        assert refused.json["error"].endswith(f"uri [{target}] and method [PUT], allowed: [POST]")
        assert send("POST", target.partition("?")[0]).status_code == 200
    for target in ("/connectors/_sync_job", "/connectors/%5Fsync%5fjob"):
        assert send("PUT", target).json == {"error": f"no handler found for uri [{target}] and method [PUT]"}


def test_websocket_upgrade_is_ignored(send: Send) -> None:
    response = send("GET", "/things", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert response.status_code == 200
