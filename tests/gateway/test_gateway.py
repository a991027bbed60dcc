"""The gateway routes by the request target as sent, and changes nothing in either direction."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.gateway import TEMPLATE, Gateway, GatewayError, render
from tests.certificates import Certificate
from tests.gateway.recorder import Arrived, Recorder, http_response
from tests.make_run import READY, SUPERVISOR, Run, assert_gone, processes
from tests.responses import envelope
from tests.service import REPOSITORY, Http, free_port

MIB = 1024 * 1024
VENDOR = "application/vnd.elasticsearch+json; compatible-with=8"


class Raw:
    """One connection to the gateway, for raw requests and responses."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._stream = self.socket.makefile("rb")

    def send(self, method: str, target: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: there:9", *headers]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Read status and headers."""
        status = int(self._stream.readline().split()[1])
        headers = []
        while line := self._stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
        return status, headers

    def read(self, count: int) -> bytes:
        return self._stream.read(count)

    def response(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Read a complete response with a Content-Length."""
        status, headers = self.head()
        return status, headers, self.read(int(dict(headers)["Content-Length"]))

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


@pytest.fixture
def raw(gateway_port: int) -> Iterator[Raw]:
    connection = Raw(gateway_port)
    yield connection
    connection.close()


# --- Routing ---


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/_connector", "connectors"),
        ("/_connector/", "connectors"),
        ("/_connector?pretty", "connectors"),
        ("/_connector#top", "connectors"),
        ("/_connector//x", "connectors"),
        ("/_connector/a%2Fb/_check_in?x=%2F&y=a+b", "connectors"),
        ("/_connector/%2e%2e/_search", "connectors"),
        ("/_connector/../_search", "connectors"),
        ("/_connector/_sync_job/J%C3%A9-1/_claim", "connectors"),
        ("/", "elasticsearch"),
        ("/?pretty", "elasticsearch"),
        ("/_connectors-data", "elasticsearch"),
        ("/_connectors-data/_search", "elasticsearch"),
        ("/_connector-x", "elasticsearch"),
        ("/_connector;x", "elasticsearch"),
        ("/_connector%3Fx", "elasticsearch"),
        ("/_connector%2F..", "elasticsearch"),
        ("/_connector%2Fx", "elasticsearch"),
        ("/_connector%00x", None),
        ("/_connector\\x", "elasticsearch"),
        ("/_CONNECTOR/x", "elasticsearch"),
        ("/%5Fconnector/x", "elasticsearch"),
        ("/_%63onnector/x", "elasticsearch"),
        ("//_connector/x", "elasticsearch"),
        ("/%2F_connector/x", "elasticsearch"),
        ("/./_connector/x", "elasticsearch"),
        ("/x/../_connector", "elasticsearch"),
        ("/x/%2E%2E/_connector", "elasticsearch"),
        ("/x/_connector/y", "elasticsearch"),
        ("/_search?q=/_connector/x", "elasticsearch"),
        ("/_search#/_connector/x", "elasticsearch"),
        ("/../_connector", None),
        ("/%2E%2E/_connector", None),
        ("/a%zz", None),
        ("_connector/x", None),
        ("\\_connector", None),
        ("*", None),
        ("/.elastic-connectors/_doc/a%2Fb%25c%20d", "elasticsearch"),
        ("/<logs-{now%2Fd}>/_search?q=a:[1 TO 2]".replace(" ", "%20"), "elasticsearch"),
        ("/i/_doc/%F0%9F%98%80+%2B;a=b,c:d@e!$&'()*~", "elasticsearch"),
        ("/caf\u00e9", "elasticsearch"),
        ("/i/_doc/" + "x" * 8192, "elasticsearch"),
    ],
)
def test_request_target_as_sent_is_routed_and_arrives_unchanged(raw, both_recorders, target, name) -> None:
    """For Elasticsearch, `/%5Fconnector`, `//_connector` and `/x/../_connector` are not its Connector API."""
    raw.send("GET", target)
    status, _, body = raw.response()
    arrived = {recorder.name: [each.target for each in recorder.requests] for recorder in both_recorders}
    expected = {recorder.name: [target] if recorder.name == name else [] for recorder in both_recorders}
    assert (arrived, body.decode() if name else None) == (expected, name)
    assert status == (200 if name else 400)


@pytest.mark.parametrize("target", ["/_connector/x", "/x"])
def test_absolute_target_is_routed_by_its_path(raw, both_recorders, target) -> None:
    raw.send("GET", f"http://elsewhere{target}")
    assert raw.response()[2] == (b"connectors" if "_connector" in target else b"elasticsearch")
    assert [each.target for recorder in both_recorders for each in recorder.requests] == [target]


# --- Requests ---


@pytest.mark.parametrize("target", ["/_connector/c/_check_in", "/.elastic-connectors/_update/c"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_request_arrives_unchanged(raw, both_recorders, method, target) -> None:
    headers = [
        "Authorization: ApiKey dGhlOmtleQ==",
        f"Accept: {VENDOR}",
        f"Content-Type: {VENDOR}",
        "Accept-Encoding: gzip",
        "User-Agent: elastic-connectors-9.4.3/service",
        "X-elastic-product-origin: connectors",
        "X-Opaque-Id: id-1",
        "es-security-runas-user: other",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "with_underscore: 1",
        "with.dot: 1",
        "Twice: 1",
        "Twice: 2",
        f"Long: {'l' * 20_000}",
        "Content-Length: 2",
    ]
    raw.send(method, target, *headers, body=b"{}")
    assert raw.head()[0] == 200
    (arrived,) = (each for recorder in both_recorders for each in recorder.requests)
    sent = [tuple(header.split(": ")) for header in ["Host: there:9", *headers]]
    assert sorted(arrived.headers) == sorted(sent)
    assert (arrived.method, arrived.body) == (method, b"{}")


def test_put_without_a_body_keeps_its_headers(raw, service_recorder) -> None:
    """As the HTTP client of the worker sends it."""
    raw.send("PUT", "/_connector/c/_check_in", "Content-Type: application/octet-stream", "Content-Length: 0")
    assert raw.response()[0] == 200
    assert sorted(service_recorder.requests[0].headers) == [
        ("Content-Length", "0"),
        ("Content-Type", "application/octet-stream"),
        ("Host", "there:9"),
    ]


def test_chunked_body_arrives_chunked(raw, elasticsearch_recorder) -> None:
    chunks = [b'{"index":{}}\n', b'{"a":1}\n', os.urandom(100_000)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    raw.send("PUT", "/_bulk", "Transfer-Encoding: chunked", body=body)
    assert raw.response()[0] == 200
    assert elasticsearch_recorder.requests[0].body == b"".join(chunks)
    assert elasticsearch_recorder.requests[0].all_of("Transfer-Encoding") == ["chunked"]


def test_large_bodies_pass_in_both_directions(raw, elasticsearch_recorder) -> None:
    sent, returned = os.urandom(24 * MIB), os.urandom(24 * MIB)
    elasticsearch_recorder.respond = lambda _arrived, _connection: http_response("200 OK", returned)
    raw.send("PUT", "/_bulk?pipeline=p", f"Content-Length: {len(sent)}", body=sent)
    assert hashlib.sha256(raw.response()[2]).digest() == hashlib.sha256(returned).digest()
    assert hashlib.sha256(elasticsearch_recorder.requests[0].body).digest() == hashlib.sha256(sent).digest()


def test_request_body_is_streamed(raw, elasticsearch_recorder) -> None:
    """A gateway that buffered the whole body would keep it in memory or on disk."""
    raw.send("PUT", "/_bulk", "Content-Length: 4", body=b"a\n")
    assert elasticsearch_recorder.started.wait(10)
    raw.socket.sendall(b"b\n")
    assert raw.response()[0] == 200
    assert elasticsearch_recorder.requests[0].body == b"a\nb\n"


def test_expect_100_continue_is_supported(raw, elasticsearch_recorder) -> None:
    raw.send("PUT", "/_bulk", "Content-Length: 2", "Expect: 100-continue")
    assert raw.head()[0] == 100
    raw.socket.sendall(b"a\n")
    assert raw.response()[0] == 200
    assert elasticsearch_recorder.requests[0].body == b"a\n"


def test_connections_are_kept_open_on_both_sides(raw, both_recorders) -> None:
    """By default, nginx closes a connection after a thousand requests; Elasticsearch never does."""
    for _ in range(1100):
        for target in ("/_connector/x", "/x"):
            raw.send("GET", target)
            assert raw.response()[0] == 200
    for recorder in both_recorders:
        assert len({each.connection for each in recorder.requests}) == 1


# --- Responses ---

RESPONSES = [
    ("200 OK", b'{"a":1}', ["Content-Type: application/json", "X-Elastic-Product: Elasticsearch"]),
    ("201 Created", b"{}", [f"Content-Type: {VENDOR.replace('; ', ';')}", "Location: /i/_doc/a%2Fb"]),
    ("200 OK", b"", []),
    ("204 No Content", b"", []),
    ("302 Found", b"", ["Location: http://127.0.0.1:9200/x"]),
    ("400 Bad Request", b'{"error":"x","status":400}', ["Content-Type: application/json"]),
    ("401 Unauthorized", b"{}", ['WWW-Authenticate: Basic realm="security"', "WWW-Authenticate: ApiKey"]),
    ("404 Not Found", b'{"found":false}', ["Content-Type: application/json"]),
    ("405 Method Not Allowed", b'{"error":"x"}', ["Allow: GET,PUT"]),
    ("409 Conflict", b'{"error":{"type":"version_conflict_engine_exception"}}', []),
    ("413 Request Entity Too Large", b"", []),
    ("429 Too Many Requests", b'{"error":"full"}', ["Retry-After: 1"]),
    ("500 Internal Server Error", b'{"error":"five hundred"}', ["Content-Type: application/json"]),
    ("502 Bad Gateway", b'{"error":"from below"}', ["Content-Type: application/json"]),
    ("503 Service Unavailable", b'{"error":"from below"}', ["Content-Type: application/json"]),
    ("504 Gateway Timeout", b'{"error":"from below"}', ["Content-Type: application/json"]),
    (
        "200 OK",
        gzip.compress(mtime=0, data=b"{}"),
        ["Content-Encoding: gzip", "Content-Type: application/json"],
    ),
    ("200 OK", b"<p>text</p>" * 1000, ["Content-Type: text/html"]),
    ("200 OK", b"{}", [f'Warning: 299 Elasticsearch-9.4.3 "{number:0900}"' for number in range(40)]),
    ("200 OK", b"{}", ["X-Opaque-Id: id-1", "Cache-Control: no-cache", "Expires: 0", "with_underscore: 1"]),
    ("200 OK", b"{}", ["Server: theirs", "Date: Mon, 01 Jan 2024 00:00:00 GMT"]),
]


@pytest.mark.parametrize("target", ["/_connector/c", "/i/_doc/1"])
@pytest.mark.parametrize(("status", "body", "headers"), RESPONSES)
def test_response_is_passed_on_unchanged(raw, both_recorders, target, status, body, headers) -> None:
    for recorder in both_recorders:
        recorder.respond = lambda _arrived, _connection: http_response(status, body, *headers)
    raw.send("GET", target, "Accept-Encoding: gzip")
    code, returned, returned_body = raw.response()
    given = sorted([("Content-Length", str(len(body))), *(tuple(header.split(": ")) for header in headers)])
    assert sorted(header for header in returned if header[0] != "Connection") == given
    assert (code, returned_body) == (int(status[:3]), body)


def test_response_to_head_has_the_length_and_no_body(raw, elasticsearch_recorder) -> None:
    elasticsearch_recorder.respond = lambda _arrived, _connection: http_response().replace(
        b"th: 2\r\n", b"th: 574\r\n"
    )[:-2]
    for _ in range(2):  # a body in the first response would break the second
        raw.send("HEAD", "/search-e2e")
        status, headers = raw.head()
        assert (status, dict(headers)["Content-Length"]) == (200, "574")
    assert [each.method for each in elasticsearch_recorder.requests] == ["HEAD", "HEAD"]


@pytest.mark.parametrize(
    ("header", "parts", "end"),
    [
        ("Transfer-Encoding: chunked", [b"4\r\none\n\r\n", b"4\r\ntwo\n\r\n"], b"0\r\n\r\n"),
        ("Content-Length: 12", [b"one\n", b"two\n"], b"end\n"),
    ],
    ids=["chunked", "length"],
)
def test_response_body_is_streamed(raw, elasticsearch_recorder, header, parts, end) -> None:
    """As for streamed responses of Elasticsearch, whose first part comes long before the end."""
    go_on = threading.Semaphore(0)

    def respond(_arrived: Arrived, connection: socket.socket) -> bytes:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{header}\r\n\r\n".encode())
        for part in parts:
            connection.sendall(part)
            assert go_on.acquire(timeout=25)
        return end

    elasticsearch_recorder.respond = respond
    raw.send("POST", "/_inference/completion/m/_stream", "Content-Length: 0")
    assert raw.head()[0] == 200
    for part in parts:
        assert raw.read(len(part)) == part
        go_on.release()
    assert raw.read(len(end)) == end


# --- Errors of the gateway ---


UNREADABLE = envelope(400, "illegal_argument_exception", "The gateway cannot read the request.")


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("GET", "/../x", "a: b"),
        ("GET", "/%00", "a: b"),
        ("get", "/", "a: b"),
        ("GET", "/" + "x" * 70_000, "a: b"),
        ("GET", "/", "a: " + "x" * 70_000),
        ("GET", "/", "Host: twice"),
        ("POST", "/", "Content-Length: x"),
    ],
    ids=["above the root", "zero byte", "method", "long target", "long header", "two hosts", "no length"],
)
def test_malformed_request_is_refused_with_an_error_envelope(
    raw, both_recorders, method, target, header
) -> None:
    raw.send(method, target, header)
    status, headers, body = raw.response()
    assert (status, json.loads(body)) == (400, UNREADABLE)
    assert ("Content-Type", "application/json") in headers
    assert ("X-Elastic-Product", "Elasticsearch") in headers
    assert ("Server", "nginx") in headers
    assert not any(recorder.requests for recorder in both_recorders)


def test_method_that_nginx_does_not_support_is_405(raw, both_recorders) -> None:
    raw.send("TRACE", "/")
    status, _, body = raw.response()
    error_body = {"error": "The gateway passes no request of this HTTP method on.", "status": 405}
    assert (status, json.loads(body)) == (405, error_body)


UPSTREAMS = [("/_connector/c", "The connector service"), ("/_search", "Elasticsearch")]


@pytest.mark.parametrize(("target", "who"), UPSTREAMS)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "HEAD"])
def test_unreachable_upstream_is_a_503_with_an_error_envelope(nginx, target, who, method) -> None:
    port = free_port()
    nobody = f"http://127.0.0.1:{free_port()}"
    with (
        Gateway("127.0.0.1", port, nobody, nobody),
        closing(Http(f"http://127.0.0.1:{port}")) as http,  # closed, since nginx would wait for it
    ):
        response = http.request(method, target, data=b"{}")
    assert response.status_code == 503
    assert response.headers["X-Elastic-Product"] == "Elasticsearch"
    assert response.headers["Content-Type"] == "application/json"
    expected = envelope(503, "status_exception", f"{who} does not answer.")
    assert (json.loads(response.content) if method != "HEAD" else expected) == expected


@pytest.mark.parametrize(("target", "who"), UPSTREAMS)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_request_is_never_sent_twice(raw, both_recorders, target, who, method) -> None:
    """Neither after a lost response on a new connection nor on a reused one: a bulk request would index twice."""
    raw.send("GET", target)  # leaves a connection to reuse
    assert raw.response()[0] == 200
    for recorder in both_recorders:
        recorder.requests.clear()
        recorder.respond = lambda _arrived, _connection: None
    for count in (1, 2):
        raw.send(method, target, "Content-Length: 2", body=b"{}")
        status, _, body = raw.response()
        assert (status, json.loads(body)["error"]["reason"]) == (503, f"{who} does not answer.")
        assert sum(len(recorder.requests) for recorder in both_recorders) == count


def respond_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(http_response())


def test_upstream_that_is_back_is_used_at_once(nginx) -> None:
    with Recorder("connectors") as connectors:
        elasticsearch, port = free_port(), free_port()
        with Gateway("127.0.0.1", port, connectors.url, f"http://127.0.0.1:{elasticsearch}"):
            http = Http(f"http://127.0.0.1:{port}")
            assert [http.get("/x").status_code for _ in range(3)] == [503] * 3
            assert http.get("/_connector/x").text == "connectors"
            with socket.create_server(("127.0.0.1", elasticsearch)) as returned:
                responding = threading.Thread(target=respond_once, args=(returned,))
                responding.start()
                assert http.get("/x").status_code == 200
                responding.join()


# --- Equal responses with and without the gateway ---

BULK = b"".join(b'{"index":{"_id":"%d"}}\n{"text":"%s"}\n' % (number, b"x" * 1000) for number in range(6000))
SAME: list[tuple[str, str, dict[str, str], bytes | None]] = [
    ("GET", "/", {}, None),
    ("HEAD", "/", {}, None),
    ("GET", "/?pretty&human", {"Accept": VENDOR, "X-Opaque-Id": "me"}, None),
    ("GET", "/_cat/indices/nothing*?v", {"Accept": "application/yaml"}, None),
    ("HEAD", "/gateway-missing", {}, None),
    ("GET", "/gateway-missing?ignore_unavailable=true", {}, None),
    ("GET", "/gateway-missing/_doc/1", {}, None),
    ("GET", "/gateway/_doc/a%2Fb%25%20c", {"Accept": VENDOR}, None),
    ("GET", "/gateway/_doc/a/b", {}, None),
    ("HEAD", "/gateway/_doc/a%2Fb%25%20c", {}, None),
    ("HEAD", "/gateway", {}, None),
    ("GET", "/gateway/_search", {"Content-Type": VENDOR}, b'{"query":{"match_all":{}},"size":3}'),
    ("GET", "/gateway/_search?filter_path=hits", {"Accept-Encoding": "gzip"}, None),
    ("POST", "/gateway/_search", {"Content-Type": "text/plain"}, b"{}"),
    ("POST", "/gateway/_search", {"Content-Type": "application/json"}, b'{"query":'),
    ("POST", "/gateway/_refresh", {"Content-Type": "application/octet-stream"}, b""),
    (
        "POST",
        "/gateway/_update/a%2Fb%25%20c?if_seq_no=99&if_primary_term=1",
        {"Content-Type": VENDOR},
        b'{"doc":{"a":2}}',
    ),
    ("POST", "/gateway/_doc/", {}, None),
    ("PUT", "/gateway/_bulk", {"Content-Type": "application/x-ndjson"}, b'{"index":{}}\n{"a":1}'),
    ("PATCH", "/gateway", {}, None),
    ("FOO", "/gateway", {}, None),
    ("OPTIONS", "/gateway", {}, None),
    ("GET", "//gateway", {}, None),
    ("GET", "/x/../gateway", {}, None),
    ("GET", "/%5Fconnector/x", {}, None),
    ("GET", "/_connector%2Fx", {}, None),
    ("GET", "/" + "x" * 5000, {}, None),
    ("GET", "/gateway/_search?nonsense=1", {}, None),
    ("DELETE", "/_search/scroll", {"Content-Type": VENDOR}, b'{"scroll_id":["bm9uZQ=="]}'),
]


@pytest.fixture(scope="module")
def filled(node_url: str) -> Iterator[Http]:
    """An HTTP client of Elasticsearch itself, which has an index with one document of an unusual id."""
    direct = Http(node_url)
    json_ = {"Content-Type": "application/json"}
    direct.put("/gateway/_doc/a%2Fb%25%20c?refresh=true", data=b'{"a":1}', headers=json_).raise_for_status()
    yield direct
    direct.delete("/gateway")
    direct.close()


def seen(http: Http, method: str, path: str, sent: dict[str, str], body: bytes | None) -> tuple[Any, ...]:
    with closing(HTTPConnection(urlsplit(http.url).netloc, timeout=30)) as connection:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        own = ("connection", "date", "transfer-encoding")
        headers = ((name.lower(), value) for name, value in response.getheaders())
        kept = sorted(header for header in headers if header[0] not in own)
        return response.status, kept, re.sub(rb'"took":\d+', b'"took":0', response.read())


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"), SAME, ids=[f"{case[0]} {case[1][:40]}" for case in SAME]
)
def test_elasticsearch_responds_equally_with_and_without_the_gateway(
    gateway_http, filled, method, path, headers, body
) -> None:
    assert seen(gateway_http, method, path, headers, body) == seen(filled, method, path, headers, body)


def test_bulk_of_several_megabytes_is_indexed(gateway_http, filled) -> None:
    response = gateway_http.put(
        "/gateway-bulk/_bulk", data=BULK, headers={"Content-Type": "application/x-ndjson"}
    )
    try:
        assert response.status_code == 200
        assert response.json()["errors"] is False
        assert len(response.json()["items"]) == 6000
        gateway_http.post("/gateway-bulk/_refresh")
        assert gateway_http.get("/gateway-bulk/_count").json()["count"] == 6000
    finally:
        filled.delete("/gateway-bulk")


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/_connector/_sync_job?size=0", {"Accept": VENDOR, "X-Opaque-Id": "me"}, None),
        ("GET", "/_connector/a%2Fb?pretty", {}, None),
        ("HEAD", "/_connector/a%2Fb", {}, None),
        ("GET", "/_connector//x", {}, None),
        ("GET", "/_connector/../x", {}, None),
        ("PUT", "/_connector/_sync_job/x/_claim", {"Content-Type": "text/plain"}, b"{}"),
        ("PUT", "/_connector/x/_check_in", {"Content-Type": "application/octet-stream"}, b""),
        ("POST", "/_connector/_sync_job", {"Content-Type": "application/json"}, b'{"id":'),
        ("GET", "/_connector?nonsense=1", {}, None),
        ("GET", "/_connector/" + "x" * 8000, {}, None),
        ("GET", "/_connector/" + "x" * 9000, {}, None),
    ],
    ids=str,
)
def test_service_responds_equally_with_and_without_the_gateway(
    gateway_http, http, method, path, headers, body
) -> None:
    assert seen(gateway_http, method, path, headers, body) == seen(http, method, path, headers, body)


# --- The nginx configuration in other places ---


def test_template_documents_its_four_variables() -> None:
    template = TEMPLATE.read_text()
    comments = "\n".join(line for line in template.splitlines() if line.startswith("#"))
    used = set(re.findall(r"\$\{(\w+)\}", template))
    assert used == set(re.findall(r"^#   (\w+)  ", comments, re.MULTILINE))
    assert set(re.findall(r"\$([A-Z_]+)", comments)) == used
    assert "${" not in render(template, dict.fromkeys(used, "x"))


def test_template_works_in_the_http_block_of_an_image_or_a_distribution(
    nginx, elasticsearch_recorder, tmp_path
) -> None:
    """Their own settings in the http block must neither conflict with ours nor take effect."""
    port = free_port()
    values = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "CONNECTORS_ADDRESS": "127.0.0.1:9",
        "ELASTICSEARCH_ADDRESS": urlsplit(elasticsearch_recorder.url).netloc,
        "ELASTICSEARCH_SCHEME": "http",
    }
    tmp_path.joinpath("default.conf").write_text(render(TEMPLATE.read_text(), values))
    theirs = (
        "default_type application/octet-stream; sendfile on; tcp_nopush on; keepalive_timeout 65; types { }"
    )
    compressed = "gzip on; gzip_min_length 0; gzip_types *; gzip_proxied any"
    temporary = "; ".join(
        f"{kind}_temp_path {kind}" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    tmp_path.joinpath("nginx.conf").write_text(
        "daemon off; master_process off; pid pid; error_log stderr; events { }\n"
        f"http {{ access_log off; {theirs} {compressed}; {temporary}; include default.conf; }}\n"
    )
    command = [nginx, "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not listens(port):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.02)
            elasticsearch_recorder.respond = lambda _arrived, _connection: http_response(
                "200 OK", b"x" * 1000
            )
            response = Http(f"http://127.0.0.1:{port}").get("/", headers={"Accept-Encoding": "gzip"})
            assert (response.headers.get("Content-Encoding"), response.text) == (None, "x" * 1000)
            assert "Content-Type" not in response.headers
        finally:
            process.kill()


@pytest.fixture
def encrypted(tmp_path: Path) -> Callable[[str], tuple[str, Path]]:
    """Start a TLS server with a certificate for a host name; returns its URL and the certificate file."""

    def serve(name: str) -> tuple[str, Path]:
        certificate = Certificate(tmp_path, "server", host=name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key_file)
        listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

        def respond() -> None:
            while True:
                with suppress(
                    OSError
                ):  # the gateway only checks that the port is open, or refuses the certificate
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(http_response(body=b"encrypted"))

        threading.Thread(target=respond, daemon=True).start()
        return f"https://localhost:{listener.getsockname()[1]}", certificate.file

    return serve


@pytest.mark.parametrize(("name", "status"), [("localhost", 200), ("elsewhere", 503)])
def test_certificate_of_elasticsearch_is_verified(nginx, encrypted, name, status) -> None:
    url, certificate = encrypted(name)
    port = free_port()
    with Gateway("127.0.0.1", port, "http://127.0.0.1:9", url, str(certificate)):
        assert Http(f"http://127.0.0.1:{port}").get("/").status_code == status


def test_several_addresses_of_elasticsearch_share_the_requests(nginx) -> None:
    with Recorder("one") as one, Recorder("two") as two:
        port = free_port()
        with Gateway("127.0.0.1", port, "http://127.0.0.1:9", f"{one.url}, {two.url}"):
            http = Http(f"http://127.0.0.1:{port}")
            assert sorted(http.get("/").text for _ in range(4)) == ["one", "one", "two", "two"]


def test_only_the_reachable_address_of_localhost_is_used(nginx) -> None:
    with Recorder("elasticsearch") as elasticsearch:
        port = free_port()
        with Gateway(
            "127.0.0.1", port, "http://127.0.0.1:9", elasticsearch.url.replace("127.0.0.1", "localhost")
        ):
            http = Http(f"http://127.0.0.1:{port}")
            assert [http.get("/").status_code for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://x", "needs an http or https address, not ftp://x"),
        ("http://me:secret@x/es", "so http://x/es must not have a path"),
        ("http://x,https://x", "one scheme"),
        ("https://x,https://y", "one host name"),
    ],
)
def test_invalid_address_is_a_one_line_error(url, message) -> None:
    with pytest.raises(GatewayError, match=re.escape(message)) as raised:
        Gateway("127.0.0.1", 0, "http://127.0.0.1:9", url)
    assert "secret" not in str(raised.value)


# --- Start and stop ---


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.gateway", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nginx_ends_with_the_command(nginx, both_recorders, how, tmp_path) -> None:
    port = free_port()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with start(*(each.url for each in both_recorders), f"--port={port}", env=environment) as command:
        assert command.stdout.readline() == f"The gateway answers at http://127.0.0.1:{port}\n"
        assert Http(f"http://127.0.0.1:{port}").get("/_connector").text == "connectors"
        command.send_signal(how)
        assert command.wait(10) == (0 if how != signal.SIGKILL else -how)
        # The output ends when the last process has closed it.
        assert command.stdout.read() == (f"Stopped by {how.name}.\n" if how != signal.SIGKILL else "")
    assert not listens(port)
    if how != signal.SIGKILL:
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("prefix", "ignored", "end"),
    [("env --default-signal=HUP", [], signal.SIGHUP), ("nohup", [signal.SIGHUP], signal.SIGTERM)],
    ids=["plain", "nohup"],
)
def test_command_outlives_its_shell_until_a_signal(
    nginx, both_recorders, prefix, ignored, end, tmp_path
) -> None:
    port, log = free_port(), tmp_path / "log"
    arguments = shlex.join([*(each.url for each in both_recorders), f"--port={port}"])
    shell = f"""
        {prefix} {sys.executable} -m scripts.gateway {arguments} >{log} 2>&1 & echo $!
        until grep --quiet answers {log}; do sleep 0.1; done
    """
    ran = subprocess.run(["sh", "-c", shell], cwd=REPOSITORY, stdout=subprocess.PIPE, timeout=60, check=True)
    pid = int(ran.stdout)
    family = {pid: "the gateway"} | {
        each: name for each, (parent, name) in processes().items() if parent == pid
    }
    try:
        assert any("nginx" in name for name in family.values())
        for number in ignored:
            os.kill(pid, number)
        http = Http(f"http://127.0.0.1:{port}")
        assert {http.get("/_connector").text for _ in range(200)} == {"connectors"}
        http.close()
        os.kill(pid, end)
        assert_gone(family)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert log.read_text().splitlines()[-1] == f"Stopped by {end.name}."
    assert not listens(port)


def test_used_port_is_reported(nginx) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start("http://127.0.0.1:9", "http://127.0.0.1:9", f"--port={port}") as command:
            output = command.stdout.read()
            assert command.wait() == 1
    assert f"bind() to 127.0.0.1:{port} failed" in output
    assert output.endswith(
        "The gateway cannot be started, because nginx exited with status 1; see its output above.\n"
    )


def test_missing_nginx_is_reported(monkeypatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(GatewayError, match="nginx, which is not installed"):
        Gateway("127.0.0.1", 0, "http://127.0.0.1:9", "http://127.0.0.1:9").start()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"GATEWAY_PORT": "x"}, "GATEWAY_PORT must be a port number, not 'x'.\n"),
        (
            {"ELASTICSEARCH_URL": "https://x:9200", "ELASTICSEARCH_CERT_FINGERPRINT": "ab" * 32},
            "The gateway needs ELASTICSEARCH_CA_CERTS: nginx cannot check a fingerprint.\n",
        ),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:9/es"}, "The gateway forwards paths unchanged, so"),
    ],
)
def test_make_run_reports_invalid_gateway_settings_in_one_line(settings, message) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ELASTICSEARCH_")}
    environment = {**inherited, "ELASTICSEARCH_URL": "http://127.0.0.1:9", "PORT": "0", "GATEWAY_PORT": "0"}
    command = subprocess.run(
        [sys.executable, "-m", "scripts.run"],
        cwd=REPOSITORY,
        env={**environment, "GATEWAY": "1", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert command.returncode == 1
    assert command.stderr.startswith(message)
    assert len(command.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_make_run_starts_and_ends_the_gateway(nginx, node_url, how, tmp_path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    run = Run(SUPERVISOR, tmp_path, ELASTICSEARCH_URL=node_url, GATEWAY="1", GATEWAY_PORT=str(port))
    try:
        run.wait_for(READY)
        output = f"The gateway answers at {url}: /_connector is the service, the rest Elasticsearch\n"
        assert run.output.startswith(output)
        assert f"\nThe Connector API answers at {url} until Ctrl-C." in run.output
        assert f"curl -X PUT {url}/_connector/my-connector" in run.output
        run.wait_for(f"\n  elasticsearch.host: {url}\n  connectors:\n    - connector_id: my-connector\n")
        assert "GATEWAY=1" not in run.output
        http = Http(url)
        assert "version" in http.get("/").json()
        assert "count" in http.get("/_connector/_sync_job").json()
        http.close()
        family = run.family()
        assert {"nginx", "gunicorn"} <= {
            word for command in family.values() for word in re.findall(r"\w+", command)
        }
    finally:
        run.process.send_signal(how)
        status = run.end(60)
    if how == signal.SIGINT:
        assert status == 0
        assert run.output.endswith("\nStopped.\n")
    assert_gone(family)
    assert not listens(port)
    assert not listens(run.port)
