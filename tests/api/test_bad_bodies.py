"""Bodies that every endpoint refuses: a 4xx with an error envelope, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.cases import named
from tests.documents import SECRET, Stored, a_connector, a_job, a_running_job, empty
from tests.endpoints import COUNTERS, ENDPOINTS, JOBS, Endpoint
from tests.responses import error_body, illegal, unreadable
from tests.service import Http, Service

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Taker:
    """An endpoint with a body, the name of the body's parser in Elasticsearch, and the type of each field."""

    endpoint: Endpoint
    parser: str
    kinds: dict[str, str]

    @property
    def good(self) -> dict[str, Any]:
        """A valid body."""
        return dict(self.endpoint.body)

    @property
    def first(self) -> str:
        return next(iter(self.good))

    @property
    def members(self) -> str:
        """The valid body without its braces."""
        return json.dumps(self.good)[1:-1]

    def send(self, http: Http, body: bytes | str) -> Any:
        data = body.encode() if isinstance(body, str) else body
        return http.request(self.endpoint.method, self.endpoint.path, data=data, headers=JSON)


CONNECTOR_KINDS = {
    **dict.fromkeys(["description", "language", "name", "service_type"], "string"),
    "index_name": "string or null",
    "is_native": "boolean",
}
CLAIM = Taker(
    ENDPOINTS["sync_job/claim"].of("pending"),
    "claim_connector_sync_job",
    {"worker_hostname": "string", "sync_cursor": "object"},
)
STATS = Taker(
    ENDPOINTS["sync_job/update_stats"].of("running"),
    "connector_sync_job_update_ingestion_stats",
    {
        **dict.fromkeys([*COUNTERS, "total_document_count"], "long"),
        "last_seen": "timestamp",
        "metadata": "object",
    },
)
REPORT_KINDS = {**dict.fromkeys([*COUNTERS, "total_document_count"], "long"), "metadata": "object"}
COMPLETE, SUSPEND = (
    Taker(
        ENDPOINTS[f"sync_job/{name}"].of("running"),
        "connector_sync_job_report",
        REPORT_KINDS | {"sync_cursor": "object"},
    )
    for name in ("complete", "suspend")
)
TAKERS = [
    Taker(
        ENDPOINTS["sync_job/post"],
        "connector_sync_job_post_request",
        dict.fromkeys(["id", "job_type", "trigger_method"], "string"),
    ),
    CLAIM,
    Taker(
        ENDPOINTS["sync_job/update_error"].of("running"),
        "connector_sync_job_error_request",
        {"error": "string"},
    ),
    STATS,
    COMPLETE,
    SUSPEND,
    Taker(ENDPOINTS["sync_job/confirm_cancel"].of("canceling"), "connector_sync_job_report", REPORT_KINDS),
    Taker(ENDPOINTS["put"].of("c1"), "connector_put_request", CONNECTOR_KINDS),
    Taker(ENDPOINTS["post"], "connector_put_request", CONNECTOR_KINDS),
    Taker(
        ENDPOINTS["sync_job/claim_next"],
        "claim_next_connector_sync_job",
        {
            **dict.fromkeys(["worker_hostname", "wait", "request_id"], "string"),
            **dict.fromkeys(["connector_ids", "service_types", "job_types"], "list"),
            "limit": "long",
        },
    ),
    Taker(
        ENDPOINTS["sync_job/check_in_many"],
        "connector_sync_job_check_in_many",
        {"worker_hostname": "string", "ids": "list"},
    ),
    Taker(
        ENDPOINTS["sync_job/cancel_many"],
        "connector_sync_job_cancel_many",
        {"connector_id": "string", "job_types": "list", "statuses": "list"},
    ),
    Taker(
        ENDPOINTS["sync_job/rescue"],
        "connector_sync_job_rescue",
        {"idle_for": "string", "limit": "long", "dry_run": "boolean"},
    ),
    Taker(
        ENDPOINTS["sync_job/prune"],
        "connector_sync_job_prune",
        {"finished_for": "string", "keep_last": "long", "dry_run": "boolean"},
    ),
]
EVERYWHERE = pytest.mark.parametrize("taker", TAKERS, ids=lambda taker: taker.endpoint.action)
# Endpoints whose body has an arbitrary object of the caller.
WITH_OBJECTS = pytest.mark.parametrize(
    ("taker", "key"),
    [(CLAIM, "sync_cursor"), (STATS, "metadata"), (COMPLETE, "sync_cursor")],
    ids=["sync_cursor", "metadata", "sync_cursor of an end"],
)

TOKENS = {
    "VALUE_NULL": "null",
    "VALUE_NUMBER": "5",
    "VALUE_BOOLEAN": "true",
    "VALUE_STRING": '"x"',
    "START_ARRAY": "[]",
    "START_OBJECT": "{}",
}
ACCEPTED = {
    "string": ["VALUE_STRING"],
    "string or null": ["VALUE_STRING", "VALUE_NULL"],
    "list": ["VALUE_STRING", "START_ARRAY"],
    "boolean": ["VALUE_STRING", "VALUE_BOOLEAN"],
    "long": ["VALUE_STRING", "VALUE_NUMBER"],
    "timestamp": ["VALUE_STRING", "START_OBJECT"],
    "object": ["START_OBJECT"],
}


def write_all(client: Elasticsearch) -> None:
    Stored(client, CONNECTORS).put("c1", a_connector(name="old"))
    Stored(client, SYNC_JOBS).put("pending", a_job())
    Stored(client, SYNC_JOBS).put("running", a_running_job())
    Stored(client, SYNC_JOBS).put("canceling", a_running_job("canceling"))


@pytest.fixture(scope="module")
def http(running_service: Service, elasticsearch: Elasticsearch) -> Http:
    """An HTTP client, with documents for the whole module: no test here changes them."""
    running_service.wait_until_ready()
    empty(elasticsearch)
    write_all(elasticsearch)
    return running_service.http


@pytest.fixture(autouse=True)
def nothing_written(http: Http, writes: Callable[[], int]) -> Iterator[None]:
    before = writes()
    yield
    assert writes() == before


@pytest.mark.parametrize(
    ("body", "kind"),
    named(
        [
            ("truncated after the brace", "{", "x_content_e_o_f_exception"),
            ("truncated in a key", '{"FIRST', "x_content_e_o_f_exception"),
            ("truncated in a string", '{"FIRST":"x', "x_content_e_o_f_exception"),
            ("truncated before the end", "{MEMBERS", "x_content_e_o_f_exception"),
            ("no JSON", "garbage", "x_content_parse_exception"),
            ("form", "FIRST=x", "x_content_parse_exception"),
            ("trailing comma", "{MEMBERS,}", "x_content_parse_exception"),
            ("missing comma", '{MEMBERS "x":1}', "x_content_parse_exception"),
            ("single quotes", "{'FIRST':1}", "x_content_parse_exception"),
            ("comment", "{/* */MEMBERS}", "x_content_parse_exception"),
            ("wrong brace", "{MEMBERS]", "x_content_parse_exception"),
            ("line break in a string", '{"FIRST":"a\nb"}', "x_content_parse_exception"),
            ("bad escape", '{"FIRST":"\\x"}', "x_content_parse_exception"),
            ("half a surrogate pair in a key", '{MEMBERS,"\\udfff":1}', "x_content_parse_exception"),
            ("duplicate key", "{MEMBERS,MEMBERS}", "x_content_parse_exception"),
            ("duplicate key in escapes", '{MEMBERS,"\\u00ESCAPED":1}', "x_content_parse_exception"),
            ("NaN", '{"FIRST":NaN}', "x_content_parse_exception"),
            ("infinity", '{"FIRST":-Infinity}', "x_content_parse_exception"),
            ("1e400", '{"FIRST":1e400}', "x_content_parse_exception"),
            ("integer of 400 digits", '{"FIRST":' + "9" * 400 + "}", "x_content_parse_exception"),
            ("leading zero", '{"FIRST":01}', "x_content_parse_exception"),
            ("deep lists", '{"FIRST":' + "[" * 2000 + "]" * 2000 + "}", "x_content_parse_exception"),
            ("very deep lists", '{"FIRST":' + "[" * 100_000, "x_content_parse_exception"),
            ("deep objects", '{"FIRST":' + '{"a":' * 2000, "x_content_parse_exception"),
            ("empty key", '{MEMBERS,"":1}', "x_content_parse_exception"),
            ("key with two dots", '{MEMBERS,"a..b":1}', "x_content_parse_exception"),
        ]
    ),
)
@EVERYWHERE
def test_malformed_json_is_refused(http: Http, taker: Taker, body: str, kind: str) -> None:
    escaped = f"{ord(taker.first[0]):02x}{taker.first[1:]}"
    body = body.replace("FIRST", taker.first).replace("MEMBERS", taker.members).replace("ESCAPED", escaped)
    response = taker.send(http, body)
    error = error_body(response)["error"]
    assert response.status_code == 400
    assert error["type"] == kind
    assert error["root_cause"][0].keys() >= {"type", "reason"}
    assert error["reason"]


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800"])
@pytest.mark.parametrize(
    "taker",
    [
        pytest.param(taker, id=taker.endpoint.action)
        for taker in TAKERS
        if taker.endpoint.action != "sync_job/update_error"  # decision 46
    ],
)
def test_half_a_surrogate_pair_is_refused(http: Http, taker: Taker, text: str) -> None:
    response = taker.send(http, f'{{"{taker.first}":"{text}"}}')
    assert response.status_code == 400
    assert error_body(response)["error"]["type"] == "x_content_parse_exception"


@pytest.mark.parametrize("sequence", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"])
@EVERYWHERE
def test_invalid_utf_8_is_refused(http: Http, taker: Taker, sequence: bytes) -> None:
    for body in (
        b'{"' + taker.first.encode() + b'":"' + sequence + b'"}',
        b'{"' + sequence + b'":1}',
        sequence,
    ):
        response = taker.send(http, body)
        assert response.status_code == 400
        kinds = ("x_content_parse_exception", "x_content_e_o_f_exception")
        assert error_body(response)["error"]["type"] in kinds


@EVERYWHERE
def test_body_that_is_no_object_is_refused(http: Http, taker: Taker) -> None:
    for token, text in TOKENS.items():
        if token != "START_OBJECT":
            assert error_body(taker.send(http, text)) == unreadable(
                f"[l:c] [{taker.parser}] Expected START_OBJECT but was: {token}"
            )
    assert error_body(taker.send(http, " \n")) == unreadable(
        f"[l:c] [{taker.parser}] Expected START_OBJECT but was: null"
    )


@pytest.mark.parametrize(
    ("taker", "name"),
    [
        pytest.param(taker, name, id=f"{taker.endpoint.action}-{name}")
        for taker in TAKERS
        for name in taker.kinds
    ],
)
def test_field_of_a_wrong_type_is_refused(http: Http, taker: Taker, name: str) -> None:
    for token, text in TOKENS.items():
        if token not in ACCEPTED[taker.kinds[name]]:
            assert error_body(taker.send(http, f'{{"{name}":{text}}}')) == unreadable(
                f"[l:c] [{taker.parser}] {name} doesn't support values of type: {token}"
            )


@EVERYWHERE
def test_unknown_field_is_refused(http: Http, taker: Taker) -> None:
    for name in ("zzz", "refresh", "error_trace", "_id", "verdict", taker.first.upper()):
        reason = error_body(taker.send(http, f'{{{taker.members},"{name}":1}}'))["error"]["reason"]
        assert reason.startswith(f"[l:c] [{taker.parser}] unknown field [{name}]")


@pytest.mark.parametrize(
    "inner",
    [
        '{"":1}',
        '{"a..b":1}',
        '{".":1}',
        '{" ":1}',
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":2}}',
        '{"a":NaN}',
        '{"a":1e400}',
        '{"a":-1e400}',
        '{"a":' + "9" * 1001 + "}",
        '{"a":"\\ud800"}',
        '{"\\udc00":1}',
        '{"a":' + "[" * 1001 + "]" * 1001 + "}",
        '{"a":' * 1001 + "1" + "}" * 1001,
        '{"a":1',
        '{"a":}',
    ],
    ids=lambda inner: inner if len(inner) < 30 else f"{inner[:10]}... {len(inner)}",
)
@WITH_OBJECTS
def test_malformed_object_of_the_caller_is_refused(http: Http, taker: Taker, key: str, inner: str) -> None:
    response = taker.send(http, f'{{{taker.members},"{key}":{inner}}}')
    assert response.status_code == 400
    assert error_body(response)["error"]["reason"]
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775809", "9" * 400, "1e19", "1e400"]
)
def test_counter_beyond_64_bits_is_refused(http: Http, number: str) -> None:
    for name in COUNTERS:
        others = "".join(f',"{other}":1' for other in COUNTERS if other != name)
        for taker, text in product((STATS, COMPLETE), (number, f'"{number}"')):
            response = taker.send(http, f'{{"{name}":{text}{others}}}')
            assert response.status_code == 400
            assert error_body(response)["error"]["type"] == "x_content_parse_exception"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", JOBS),
        ("GET", f"{JOBS}/pending"),
        ("DELETE", f"{JOBS}/pending"),
        ("PUT", f"{JOBS}/pending/_cancel"),
        ("PUT", f"{JOBS}/running/_check_in"),
        ("GET", "/_connector/c1"),
    ],
)
@pytest.mark.parametrize("body", ["{}", "[]", "garbage", '{"a":'])
def test_unexpected_body_is_refused(http: Http, method: str, path: str, body: str) -> None:
    assert error_body(http.request(method, path, data=body, headers=JSON)) == illegal(
        f"request [{method} {path}] does not support having a body"
    )


@EVERYWHERE
def test_body_of_an_unknown_type_is_refused(http: Http, taker: Taker) -> None:
    body = json.dumps(taker.good).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        response = http.request(
            taker.endpoint.method, taker.endpoint.path, data=body, headers={"Content-Type": kind}
        )
        assert 400 <= response.status_code < 500
    response = http.request(taker.endpoint.method, taker.endpoint.path, data=body)
    assert response.json() == {"error": "Content-Type header [] is not supported", "status": 406}
