"""The same malformed request to a real Elasticsearch and to the service: equal responses except for paths and names.

Each row pairs an endpoint of Elasticsearch with a similar one of the service. Where the messages of 8.x and 9.x differ, the
service has those of 9.x, which only a 9.x node can verify.
"""

from __future__ import annotations

import gzip
import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.elasticsearch import client_major
from tests.service import Http

VENDOR = "application/vnd.elasticsearch+json; compatible-with="
JSON = {"Content-Type": "application/json"}
# Endpoints that follow the same conventions: (Elasticsearch's, ours).
LIST = ("GET /_search", "GET /_connector/_sync_job")
BODILESS = ("GET /_cluster/health", "GET /_connector/_sync_job")
NEEDS_BODY = ("PUT /_scripts/x", "PUT /_connector/_sync_job/x/_claim")
UNKNOWN = ("GET /_nope/a/b/c", "GET /_nope/a/b/c")


@dataclass(frozen=True)
class Case:
    """A suffix for both paths, headers and a body. `since`: the first major of Elasticsearch with this response."""

    name: str
    endpoints: tuple[str, str]
    suffix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    since: int = 8


CASES = [
    Case("a letter for an integer", LIST, "?from=a"),
    Case("nothing for an integer", LIST, "?from="),
    Case("a bare name for an integer", LIST, "?size"),
    Case("a plus is a blank", LIST, "?size=+5"),
    Case("too large for 32 bits", LIST, "?size=99999999999"),
    Case("a fraction", LIST, "?size=1.5"),
    Case("bytes that are not UTF-8", LIST, "?from=%ff"),
    Case("a surrogate", LIST, "?from=%ED%A0%80"),
    Case("the last of two wins", LIST, "?from=1&from=a"),
    Case("a semicolon separates", LIST, "?from=1;size=b"),
    Case("the first in parsing order fails", LIST, "?size=b&from=a"),
    Case("an integer before an unknown name", LIST, "?zzz&from=a"),
    Case("invalid escape in a value", LIST, "?from=%zz"),
    Case("invalid escape in a name", LIST, "?%zz=1"),
    Case("partial escape", LIST, "?from=%e"),
    Case("unterminated escape", LIST, "?from=%"),
    Case("one unknown parameter", LIST, "?zzz"),
    Case("several unknown parameters", LIST, "?yyy&xxx=1&_z&B"),
    Case("an unknown name without text", LIST, "?=1"),
    Case("a near miss", LIST, "?prety"),
    Case("two near misses", LIST, "?humn&prety=1"),
    Case("a question mark in a name", LIST, "?a?b=1"),
    Case("pretty is no flag", LIST, "?pretty=foo&from=a"),
    Case("human is no flag", LIST, "?human=TRUE"),
    Case("pretty comes before human", LIST, "?human=foo&pretty=bar"),
    Case("error_trace is no flag", LIST, "?error_trace=foo&from=a"),
    Case("a pretty error", LIST, "?pretty&from=a"),
    Case("a pretty plain error", LIST, "?error_trace=foo&pretty"),
    Case("a filter does not touch errors", LIST, "?filter_path=nothing&from=a"),
    Case("a fragment", LIST, "?from=a#b"),
    Case("format is json", LIST, "?from=a&format=json", {"Accept": VENDOR + "8"}),
    Case("format is unknown", LIST, "?from=a&format=foo", {"Accept": VENDOR + "8"}),
    Case("an unexpected body", BODILESS, "", JSON, b"{}"),
    Case("an unexpected blank body", BODILESS, "", JSON, b" "),
    Case("a body and an unknown parameter", BODILESS, "?zzz", JSON, b"{}"),
    Case("a missing body", NEEDS_BODY),
    Case("a missing body and an unknown parameter", NEEDS_BODY, "?zzz"),
    Case("a missing body of a strange type", NEEDS_BODY, "", {"Content-Type": "text/plain"}),
    Case("a missing body of no type", NEEDS_BODY, "", {"Content-Type": "application/octet-stream"}),
    Case("gzip of nothing", NEEDS_BODY, "", JSON | {"Content-Encoding": "gzip"}, gzip.compress(b"")),
    Case("a body without a type", NEEDS_BODY, "", {}, b"{}"),
    Case("a body of text", NEEDS_BODY, "", {"Content-Type": "text/plain"}, b"{}"),
    Case("a body of any type", NEEDS_BODY, "", {"Content-Type": "*/*"}, b"{}"),
    Case("two types", NEEDS_BODY, "", {"Content-Type": "application/json, text/plain"}, b"{}"),
    Case("a form", NEEDS_BODY, "", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"),
    Case("no media type", NEEDS_BODY, "", {"Content-Type": "garbage"}, b"{}"),
    Case("no media type, no body", BODILESS, "", {"Content-Type": "garbage"}),
    Case("no parameter of a media type", NEEDS_BODY, "", {"Content-Type": "application/json; foo"}, b"{}"),
    Case("nothing is acceptable", LIST, "", {"Accept": ""}),
    Case("garbage is acceptable", LIST, "", {"Accept": "garbage"}),
    Case("version 7", LIST, "", {"Accept": VENDOR + "7"}, since=9),
    Case("version 7 for an unknown path", UNKNOWN, "?pretty", {"Accept": VENDOR + "7"}, since=9),
    Case(
        "version 7 in a body",
        NEEDS_BODY,
        "",
        {"Content-Type": VENDOR + "7", "Accept": VENDOR + "8"},
        b"{}",
        since=9,
    ),
    Case(
        "versions differ",
        NEEDS_BODY,
        "",
        {"Content-Type": VENDOR + "8", "Accept": VENDOR + "9"},
        b"{}",
        since=9,
    ),
    Case("one version", NEEDS_BODY, "", {"Content-Type": VENDOR + "9"}, b"{}", since=9),
    Case(
        "one version, and anything",
        NEEDS_BODY,
        "",
        {"Content-Type": VENDOR + "8", "Accept": "*/*"},
        b"{}",
        since=9,
    ),
    Case(
        "one version, and HTML",
        NEEDS_BODY,
        "",
        {"Content-Type": VENDOR + "8", "Accept": "text/html"},
        b"{}",
        since=9,
    ),
    *(
        Case(
            f"an error for {accept}",
            LIST,
            "?from=a",
            {"Accept": accept},
            since=9 if accept.endswith("=9") else 8,
        )
        for accept in (
            "application/json; charset=UTF-8",
            'application/json; charset="utf-8"',
            "application/vnd.elasticsearch+json",
            VENDOR + "8",
            VENDOR + "9",
            "application/*;compatible-with=8",
            "*/*;q=0.5",
            "text/html,application/xml;q=0.9,*/*;q=0.8",
            "text/foo",
            "application/x-ndjson",
        )
    ),
    Case("an unknown path", UNKNOWN),
    Case("an unknown path with a query, pretty", UNKNOWN, "?x=1&pretty"),
    Case("an unknown path and a strange body", UNKNOWN, "", {"Content-Type": "text/foo"}, b"x"),
    Case("an unknown path and no flag", UNKNOWN, "?pretty=foo"),
    Case("an unknown path in escapes", UNKNOWN, "%2F%20/"),
    Case("invalid escape in a path", UNKNOWN, "%zz?x=1"),
    Case("partial escape in a path", UNKNOWN, "%2"),
    Case("unterminated escape in a path", UNKNOWN, "%"),
    Case("bad escapes everywhere", UNKNOWN, "%zz?x=%zz"),
    Case("an unknown method and path", ("FOO /_nope/a/b/c", "FOO /_nope/a/b/c")),
    Case("OPTIONS of an unknown path", ("OPTIONS /_nope/a/b/c", "OPTIONS /_nope/a/b/c")),
    Case("OPTIONS and no flag", ("OPTIONS /_nope/a/b/c", "OPTIONS /_nope/a/b/c"), "?pretty=foo"),
    Case("two slashes in front", ("GET //_scripts/abc", "GET //_connector/_sync_job")),
    Case("escapes in a fixed segment", ("GET /%5Fscripts/abc", "GET /%5Fconnector/_sync_job"), since=9),
    Case("an absolute target", ("GET http://localhost/_scripts/a", "GET http://localhost/_connector/a")),
    Case("opaque id", LIST, "?from=a", {"X-Opaque-Id": "it, was me"}),
    Case("opaque id on an unknown path", UNKNOWN, "", {"X-Opaque-Id": "it was me"}),
]


def exchange(base_url: str, method: str, target: str, case: Case) -> dict[str, Any]:
    """Send the request unchanged; returns the parts of the response that must be equal."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in case.headers.items():
            connection.putheader(name, value)
        if case.body is not None:
            connection.putheader("Content-Length", str(len(case.body)))
        connection.endheaders(case.body)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    return {
        "status": response.status,
        "type": response.getheader("Content-Type"),
        "product": response.getheader("X-Elastic-Product"),
        "opaque id": response.getheader("X-Opaque-Id"),
        "allow": response.getheader("Allow"),
        # Elasticsearch names the two headers in an order that changes with each start.
        "body": body.replace("[Content-Type, Accept]", "[Accept, Content-Type]"),
    }


def split(endpoint: str) -> tuple[str, str]:
    method, _, path = endpoint.partition(" ")
    return method, path


CASES_OF_THIS_MAJOR = [case for case in CASES if case.since <= client_major()]


@pytest.mark.parametrize("case", CASES_OF_THIS_MAJOR, ids=lambda case: case.name)
def test_response_equals_that_of_elasticsearch(http: Http, node_url: str, case: Case) -> None:
    (their_method, their_path), (our_method, our_path) = map(split, case.endpoints)
    theirs = exchange(node_url, their_method, their_path + case.suffix, case)
    # The order of these two differs between processes of Elasticsearch.
    theirs["body"] = theirs["body"].replace("[Content-Type, Accept]", "[Accept, Content-Type]")
    ours = exchange(http.url, our_method, our_path + case.suffix, case)
    assert ours["body"].replace(our_path, "PATH") == theirs["body"].replace(their_path, "PATH")
    assert {**ours, "body": ""} == {**theirs, "body": ""}


TIME_VALUES = [
    *("", "abc", "10", "10x", "10M", "10%20m", "10m", "10m%20", "%2010m", "1.5h", ".5s", "5.s", "1e3s", "1,5s", "1.5x"),
    *("0", "00", "-0", "0.0", "-1s", "-1", "-2", "-2s", "-0s", "--1s", "%2B5s", "%2B-5s", "5MS", "5NANOS", "5micros", "s", "ms"),
    *("m", "1m1s", "1_0s", "0x1s", "1%20days", "9223372036854775807nanos", "9223372036854775808nanos", "9" * 30 + "s", "1ds"),
    *("%D9%A3s", "5%C4%B0", "5%C2%A0s", "5%00s"),
]  # fmt: skip


@pytest.mark.parametrize("text", TIME_VALUES)
def test_time_values_are_those_of_elasticsearch(http: Http, node_url: str, text: str) -> None:
    """But `-1`, which means "no timeout" there, and nothing here."""
    theirs = exchange(node_url, "GET", f"/_cluster/health?timeout={text}", Case("", LIST))
    ours = exchange(http.url, "GET", f"/_connector/_sync_job/_summary?idle_for={text}", Case("", LIST))
    if text in ("-1", "-1s"):
        reason = f"failed to parse value [{text}] for setting [idle_for], must be >= [0s]"
        assert json.loads(ours["body"])["error"]["reason"] == reason
    elif theirs["status"] == 400:
        assert ours["body"].replace("[idle_for]", "[timeout]") == theirs["body"]
        assert ours["status"] == 400
    else:
        assert (ours["status"], theirs["status"]) == (200, 200)


@pytest.mark.parametrize(
    ("method", "theirs", "ours"),
    [
        ("PATCH", "/_cluster/health", "/_connector/_sync_job/x/_cancel"),
        ("HEAD", "/_cluster/health", "/_connector/_sync_job/x/_cancel"),
        ("TRACE", "/_search", "/_connector/_sync_job"),
        ("HEAD", "/_search", "/_connector/_sync_job"),
        ("OPTIONS", "/_search", "/_connector/_sync_job"),
        ("FOO", "/_search", "/_connector/_sync_job"),
        ("PATCH", "/_search/?pretty", "/_connector/_sync_job/?pretty"),
        ("GET", "/_scripts//abc", "/_connector/_sync_job//_cancel"),
    ],
)
def test_response_to_a_wrong_method_has_the_same_form(
    http: Http, node_url: str, method: str, theirs: str, ours: str
) -> None:
    """The lists of methods differ; the form of the response is the same."""
    their_response = exchange(node_url, method, theirs, Case("", LIST))
    our_response = exchange(http.url, method, ours, Case("", LIST))
    for response, path in ((their_response, theirs), (our_response, ours)):
        allowed = response.pop("allow")
        assert allowed
        response["body"] = (
            response["body"].replace(path, "PATH").replace(allowed.replace(",", ", "), "METHODS")
        )
        response["listed"] = ", " in response["body"] or "," not in allowed
    assert our_response == their_response


@pytest.mark.parametrize(
    "sent",
    ["a%2Fb", "a+b", "a%252Fb", "a%20b/", "%ff", "%ED%A0%80", "%C3%A9//", "a;b"]
    + ["a%3Fb#c"] * (client_major() >= 9),
)
def test_ids_are_decoded_as_in_elasticsearch(http: Http, node_url: str, sent: str) -> None:
    theirs = exchange(node_url, "GET", f"/_scripts/{sent}", Case("", LIST))
    ours = exchange(http.url, "GET", f"/_connector/_sync_job/{sent}", Case("", LIST))
    understood = json.loads(theirs["body"])["_id"]
    reason = json.loads(ours["body"])["error"]["reason"]
    assert reason in (understood, f"connector sync job [{understood}] not found")
    assert (ours["status"], theirs["status"]) == (404, 404)
