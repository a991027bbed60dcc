"""Content negotiation. Expected values are responses of Elasticsearch 9.4.3 for `/_cluster/health` and `/_search`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

Send = Callable[..., TestResponse]
VENDOR = "application/vnd.elasticsearch+json"
DIFFER = (
    "A compatible version is required on both Content-Type and Accept headers if either one has requested a "
    "compatible version"
)


@pytest.mark.parametrize(
    ("accept", "response_type"),
    [
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json;charset=utf-8"),
        ("application/json;charset=UTF-8", "application/json;charset=utf-8"),
        ('application/json; charset="utf-8"', 'application/json;charset="utf-8"'),
        ("APPLICATION/JSON", "application/json"),
        ("application / json", "application/json"),
        ("application/json; foo=bar", "application/json;foo=bar"),
        ("application/json; ;", "application/json"),
        (f"{VENDOR}; compatible-with=9", f"{VENDOR};compatible-with=9"),
        (f"{VENDOR};compatible-with=8", f"{VENDOR};compatible-with=8"),
        (f"{VENDOR}; compatible-with=8;charset=UTF-8", f"{VENDOR};charset=utf-8;compatible-with=8"),
        (VENDOR, VENDOR),
        ("application/json; compatible-with=8", "application/json;compatible-with=8"),
        ("application/*", "application/json"),
        ("*/*", "application/json"),
        ("*/*;q=0.5", "application/json;q=0.5"),
        ("text/html", "application/json"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        (f"{VENDOR}; compatible-with=8, application/json", "application/json"),
        ("text/plain;compatible-with=8", "application/json;compatible-with=8"),
        ("application/x-ndjson", "application/json"),
        ("application/vnd.elasticsearch+x-ndjson;compatible-with=9", f"{VENDOR};compatible-with=9"),
        ("application/yaml, application/json", "application/json"),
        ("garbage, foo", "application/json"),
    ],
)
def test_response_type_is_the_accepted_one(send: Send, accept: str, response_type: str) -> None:
    assert send("GET", "/things", headers={"Accept": accept}).headers["Content-Type"] == response_type
    assert send("GET", "/nope", headers={"Accept": accept}).headers["Content-Type"] == response_type


@pytest.mark.parametrize(
    ("accept", "content_type", "response_type"),
    [
        (None, VENDOR, VENDOR),
        ("*/*", VENDOR, VENDOR),
        ("text/foo", VENDOR, VENDOR),
        ("application/json", VENDOR, "application/json"),
        (None, "application/json; charset=utf-8", "application/json"),
        (None, "application/x-ndjson", "application/json"),
        (None, "application/*", "application/json"),
    ],
)
def test_response_type_without_usable_accept_is_that_of_the_request(
    send: Send, accept: str | None, content_type: str, response_type: str
) -> None:
    """Only the name of the Content-Type is used, not its parameters."""
    headers = {"Accept": accept} if accept else {}
    response = send("POST", "/things", data="{}", content_type=content_type, headers=headers)
    assert (response.status_code, response.headers["Content-Type"]) == (201, response_type)


@pytest.mark.parametrize(
    ("header", "value", "cause"),
    [
        ("Accept", "garbage", "invalid media-type [garbage]"),
        ("Accept", "a/b/c", "invalid media-type [a/b/c]"),
        ("Accept", "application/", "invalid media-type [application/]"),
        ("Accept", "*", "invalid media-type [*]"),
        ("Accept", "", "Header [Accept] cannot be empty."),
        ("Accept", "application/json; foo", "invalid parameters for header [application/json; foo]"),
        ("Accept", "a/b; c = d", "invalid parameters for header [a/b; c = d]"),
        ("Content-Type", "json", "invalid media-type [json]"),
        ("Content-Type", "", "Header [Content-Type] cannot be empty."),
        # Elasticsearch closes the connection here.
        (
            "Accept",
            f"{VENDOR}; compatible-with=x",
            f"invalid parameters for header [{VENDOR}; compatible-with=x]",
        ),
    ],
)
def test_invalid_media_type_is_refused_even_without_a_body(
    send: Send, header: str, value: str, cause: str
) -> None:
    error = send("GET", "/nope", headers={header: value}).json["error"]
    assert error["type"] == "media_type_header_exception"
    assert error["reason"] == f"Invalid media-type value on headers [{header}]"
    assert error["caused_by"] == {"type": "illegal_argument_exception", "reason": cause}


def _version_refusal(response: TestResponse) -> str | None:
    if response.status_code != 400:
        return None
    error = response.json["error"]
    assert error["type"] == "media_type_header_exception"
    assert error["reason"] == "Invalid media-type value on headers [Accept, Content-Type]"
    assert error["caused_by"]["type"] == "status_exception"
    assert response.headers["Content-Type"] == "application/json"
    return str(error["caused_by"]["reason"])


@pytest.mark.parametrize(
    ("accept", "content_type", "reason"),
    [
        (f"{VENDOR}; compatible-with=9", f"{VENDOR}; compatible-with=9", None),
        (f"{VENDOR}; compatible-with=8", f"{VENDOR}; compatible-with=8", None),
        (
            f"{VENDOR}; compatible-with=9",
            f"{VENDOR}; compatible-with=8",
            (
                f"{DIFFER} and the compatible versions must match. Accept={VENDOR}; compatible-with=9, "
                f"Content-Type={VENDOR}; compatible-with=8"
            ),
        ),
        (
            None,
            f"{VENDOR};compatible-with=8",
            f"{DIFFER} and the compatible versions must match. Accept=null, Content-Type={VENDOR};compatible-with=8",
        ),
        (
            "*/*",
            f"{VENDOR}; compatible-with=9",
            f"{DIFFER}. Accept=null, Content-Type={VENDOR}; compatible-with=9",
        ),
        (
            f"{VENDOR}; compatible-with=9",
            "application/json",
            f"{DIFFER}. Accept={VENDOR}; compatible-with=9, Content-Type=application/json",
        ),
        (
            "text/html",
            "application/json; compatible-with=8",
            (
                f"{DIFFER} and the compatible versions must match. Accept=text/html, "
                "Content-Type=application/json; compatible-with=8"
            ),
        ),
        (
            f"{VENDOR}; compatible-with=7",
            f"{VENDOR}; compatible-with=7",
            f"Accept version must be either version 9 or 8, but found 7. Accept={VENDOR}; compatible-with=7",
        ),
        (
            f"{VENDOR}; compatible-with=8",
            f"{VENDOR}; compatible-with=10",
            (
                "Content-Type version must be either version 9 or 8, but found 10. "
                f"Content-Type={VENDOR}; compatible-with=10"
            ),
        ),
    ],
)
def test_versions_of_accept_and_content_type_must_agree_when_there_is_a_body(
    send: Send, accept: str | None, content_type: str, reason: str | None
) -> None:
    headers = {"Accept": accept} if accept else {}
    response = send("POST", "/things", data="{}", content_type=content_type, headers=headers)
    assert _version_refusal(response) == reason


def test_version_of_content_type_is_ignored_without_a_body(send: Send) -> None:
    types = {"Accept": f"{VENDOR}; compatible-with=8", "Content-Type": f"{VENDOR}; compatible-with=7"}
    assert send("GET", "/things", headers=types).status_code == 200
    refused = send("OPTIONS", "/nope", headers={"Accept": f"{VENDOR}; compatible-with=7"})
    assert (_version_refusal(refused) or "").startswith(
        "Accept version must be either version 9 or 8, but found 7."
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "*/*",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/merge-patch+json",
        "application/json, text/plain",
        # Elasticsearch accepts these three.
        "application/yaml",
        "application/cbor",
        "application/smile",
    ],
)
def test_body_of_an_unsupported_type_is_406(send: Send, content_type: str) -> None:
    response = send("POST", "/things", data="{}", content_type=content_type)
    assert response.status_code == 406
    assert response.json == {"error": f"Content-Type header [{content_type}] is not supported", "status": 406}
    assert send("PUT", "/things/x/_check", content_type=content_type).status_code == 200


def test_body_without_a_type_is_406(send: Send) -> None:
    response = send("POST", "/things", data="{}")
    assert response.json == {"error": "Content-Type header [] is not supported", "status": 406}


def test_routing_comes_before_the_check_of_the_body_type(send: Send) -> None:
    """As `POST /_cluster/health` and `PUT /_nope/a/b` with a body of `text/foo`."""
    assert send("PATCH", "/things", data="x", content_type="text/foo").status_code == 405
    assert "no handler" in send("PUT", "/nope", data="x", content_type="text/foo").json["error"]


@pytest.mark.parametrize("name", ["yaml", "cbor", "smile"])
def test_unsupported_formats_are_refused(send: Send, name: str) -> None:
    """A deliberate difference from Elasticsearch, which supports them."""
    for accept in (f"application/{name}", f"application/vnd.elasticsearch+{name}; compatible-with=9"):
        response = send("GET", "/things", headers={"Accept": accept})
        assert response.status_code == 406
        assert response.json == {"error": f"Accept header [{accept}] is not supported", "status": 406}
        assert send("GET", "/things?format=json", headers={"Accept": accept}).status_code == 200
    response = send("GET", f"/things?format={name.upper()}")
    assert response.json == {"error": f"format parameter [{name.upper()}] is not supported", "status": 406}


def test_format_parameter_overrides_accept_and_unknown_formats_are_ignored(send: Send) -> None:
    headers = {"Accept": f"{VENDOR}; compatible-with=8"}
    for format_, response_type in [
        ("json", "application/json;compatible-with=8"),
        ("JSON", "application/json;compatible-with=8"),
        ("foo", f"{VENDOR};compatible-with=8"),
        ("", f"{VENDOR};compatible-with=8"),
    ]:
        response = send("GET", f"/things?format={format_}", headers=headers)
        assert (response.status_code, response.headers["Content-Type"]) == (200, response_type)


@pytest.mark.parametrize(
    ("query", "start"), [("pretty", b"{\n"), ("pretty=x", b'{"'), ("a=%zz&pretty", b'{"')]
)
def test_error_about_a_media_type_can_be_pretty(send: Send, query: str, start: bytes) -> None:
    """As `GET /_nope/a/b/c?pretty` with version 7; if the query is also invalid, Elasticsearch closes the connection."""
    response = send("GET", f"/nope?{query}", headers={"Accept": f"{VENDOR}; compatible-with=7"})
    assert _version_refusal(response) is not None
    assert response.data.startswith(start)
