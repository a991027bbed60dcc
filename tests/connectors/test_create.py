"""Creating and changing connectors with `PUT` and `POST`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS
from tests.cases import named
from tests.documents import Stored, a_connector, only_changes
from tests.responses import OWN_ID, envelope, error_body, illegal, invalid, is_now, not_found, unreadable
from tests.service import Http

ROOT = "/_connector"
C1 = f"{ROOT}/c1"
PARSER = "connector_put_request"

FIELDS = {
    "description": "d",
    "index_name": "search-x",
    "is_native": False,
    "language": "de",
    "name": "n",
    "service_type": "mysql",
}


def initial(now: str, **fields: Any) -> dict[str, Any]:
    """The document of a new connector."""
    state = {
        "advanced_snippet": {"created_at": now, "updated_at": now, "value": {}},
        "rules": [
            {
                "created_at": now,
                "field": "_",
                "id": "DEFAULT",
                "order": 0,
                "policy": "include",
                "rule": "regex",
                "updated_at": now,
                "value": ".*",
            }
        ],
        "validation": {"errors": [], "state": "valid"},
    }
    never = {"enabled": False, "interval": "0 0 0 * * ?"}
    return {
        "configuration": {},
        "custom_scheduling": {},
        "deleted": False,
        "filtering": [{"active": state, "domain": "DEFAULT", "draft": state}],
        "is_native": False,
        "name": "",
        "scheduling": {"access_control": never, "full": never, "incremental": never},
        "status": "created",
        "sync_now": False,
        **fields,
    }


def created_at(document: dict[str, Any]) -> str:
    timestamp = document["filtering"][0]["active"]["rules"][0]["created_at"]
    assert isinstance(timestamp, str)
    return timestamp


@pytest.mark.parametrize(
    ("body", "fields"),
    named(
        [
            ("no body", None, {}),
            ("empty body", {}, {}),
            ("all fields", FIELDS, FIELDS),
            ("no index", {"index_name": None}, {}),
            ("index in upper case", {"index_name": "Search-X"}, {"index_name": "Search-X"}),
            ("native", {"is_native": True}, {"is_native": True, "status": "needs_configuration"}),
            (
                "native as a string",
                {"is_native": "true"},
                {"is_native": True, "status": "needs_configuration"},
            ),
            ("not native as a string", {"is_native": "false"}, {}),
            (
                "native with an index",
                {"is_native": True, "index_name": "content-x"},
                {"is_native": True, "index_name": "content-x", "status": "needs_configuration"},
            ),
            ("empty strings", {"name": "", "language": ""}, {"name": "", "language": ""}),
        ]
    ),
)
@pytest.mark.parametrize(("method", "path"), [("PUT", C1), ("POST", ROOT), ("PUT", ROOT)])
def test_new_connector_has_exactly_the_documented_fields(
    http: Http, connectors: Stored, method: str, path: str, body: object, fields: dict[str, Any]
) -> None:
    since = datetime.now(UTC)
    response = http.request(method, path, **({} if body is None else {"json": body}))
    assert response.status_code == 201, response.text
    connector_id = response.json()["id"]
    assert response.json() == {"id": connector_id, "result": "created"}
    assert "Location" not in response.headers
    assert connector_id == "c1" if path == C1 else OWN_ID.fullmatch(connector_id)
    document = connectors.source(connector_id)
    assert is_now(created_at(document), since)
    assert document == initial(created_at(document), **fields)
    assert http.get(f"{ROOT}/{connector_id}").json() == {"id": connector_id, **document}


def test_decision_20_post_sent_twice_by_a_client_makes_two_connectors(http: Http, connectors: Stored) -> None:
    made = {http.post(ROOT, json={"name": "same"}).json()["id"] for _ in range(2)}
    assert connectors.ids() == made
    assert len(made) == 2


CHANGED = a_connector(
    api_key_id="k",
    configuration={"a": {"label": "L", "value": 1}},
    filtering=[{"active": {}}],
    is_native=False,
    last_synced="2024-01-01T00:00:00+00:00",
    name="old",
    scheduling={"full": {"enabled": True}},
    deleted=False,
    unknown_to_the_service=1,
)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"name": "new"}, {"name": "new"}),
        ({"description": "d", "language": "fr"}, {"description": "d", "language": "fr"}),
        ({"index_name": "search-y"}, {"index_name": "search-y"}),
        ({"index_name": None}, {"index_name": None}),
        ({"service_type": "s3"}, {"service_type": "s3", "status": "needs_configuration"}),
        ({"service_type": CHANGED["service_type"]}, {}),
        ({"is_native": "false", "name": "new"}, {"name": "new"}),
        ({"name": "old"}, {}),
        ({}, {}),
        (None, {}),
    ],
    ids=str,
)
def test_decision_21_put_of_an_existing_connector_changes_only_what_was_sent(
    http: Http, connectors: Stored, body: object, changes: dict[str, Any]
) -> None:
    before = connectors.put("c1", CHANGED)
    response = http.put(C1, **({} if body is None else {"json": body}))
    assert (response.status_code, response.json()) == (200, {"id": "c1", "result": "updated"})
    assert only_changes(before, connectors.source("c1")) == changes


@pytest.mark.parametrize(
    ("stored", "body", "name"),
    [
        ({"index_name": "search-x", "is_native": False}, {"is_native": True}, "search-x"),
        ({"index_name": "content-x", "is_native": True}, {"index_name": "search-x"}, "search-x"),
        ({"index_name": None, "is_native": True}, {"index_name": "search-x"}, "search-x"),
    ],
)
def test_decision_21_prefix_rule_applies_to_the_merged_document(
    http: Http, connectors: Stored, stored: dict[str, Any], body: dict[str, Any], name: str
) -> None:
    connectors.put("c1", CHANGED | stored)
    before = connectors.version("c1")
    assert error_body(http.put(C1, json=body)) == invalid(must_be_managed(name))
    assert connectors.version("c1") == before


@pytest.mark.parametrize(
    ("stored", "body"),
    [
        ({"index_name": "search-x", "is_native": False}, {"is_native": True, "index_name": "content-x"}),
        ({"index_name": "search-x", "is_native": False}, {"is_native": True, "index_name": None}),
        ({"index_name": "content-x", "is_native": True}, {"is_native": False, "index_name": "search-x"}),
        ({"index_name": None, "is_native": False}, {"is_native": True}),
    ],
)
def test_decision_21_merged_document_with_a_valid_prefix_is_accepted(
    http: Http, connectors: Stored, stored: dict[str, Any], body: dict[str, Any]
) -> None:
    connectors.put("c1", CHANGED | stored)
    assert http.put(C1, json=body).json() == {"id": "c1", "result": "updated"}
    assert connectors.source("c1").items() >= body.items()


def test_decision_21_put_of_a_soft_deleted_connector_creates_it_anew(http: Http, connectors: Stored) -> None:
    connectors.put("c1", CHANGED | {"deleted": True, "is_native": True, "index_name": "content-x"})
    since = datetime.now(UTC)
    response = http.put(C1, json={"name": "new", "index_name": "search-x"})
    assert (response.status_code, response.json()) == (200, {"id": "c1", "result": "updated"})
    document = connectors.source("c1")
    assert is_now(created_at(document), since)
    assert document == initial(created_at(document), name="new", index_name="search-x")


@pytest.mark.parametrize(("method", "path"), [("PUT", f"{ROOT}/c2"), ("POST", ROOT), ("PUT", ROOT)])
def test_new_connector_with_a_used_index_is_refused(
    http: Http, connectors: Stored, method: str, path: str
) -> None:
    connectors.put("c1", a_connector())
    used = envelope(400, "status_exception", "Index name [search-x] is used by another connector.")
    assert error_body(http.request(method, path, json={"index_name": "search-x"})) == used
    assert connectors.ids() == {"c1"}


def test_used_index_is_refused_until_its_connector_is_deleted(http: Http, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    connectors.put("c2", a_connector(index_name="search-y"))
    used = envelope(400, "status_exception", "Index name [search-x] is used by another connector.")
    assert http.put(C1, json={"index_name": "search-x"}).status_code == 200
    # Reported before a missing connector.
    for path in ("c2", "c2/_index_name", "none/_index_name"):
        assert error_body(http.put(f"{ROOT}/{path}", json={"index_name": "search-x"})) == used
    assert connectors.source("c2")["index_name"] == "search-y"
    http.delete(C1)
    assert http.put(f"{ROOT}/c2/_index_name", json={"index_name": "search-x"}).status_code == 200
    assert connectors.source("c2")["index_name"] == "search-x"
    assert http.put(f"{ROOT}/c3", json={"index_name": "search-y"}).status_code == 201


def test_index_name_that_differs_in_case_is_another_index(http: Http, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    assert http.put(f"{ROOT}/c2", json={"index_name": "Search-x"}).status_code == 201


def bad_name(name: str, rule: str) -> str:
    wrapped = "org.elasticsearch.indices.InvalidIndexNameException"
    return f"[{name}] {wrapped}: Invalid index name [{name}], {rule}"


def must_be_managed(name: str) -> str:
    return (
        f"Index [{name}] is invalid. "
        "Index attached to an Elastic-managed connector must start with the prefix: [content-]"
    )


CHARACTERS = r"""must not contain the following characters [' ','"','*',',','/','<','>','?','\','|']"""
START = "must not start with '_', '-', or '+'"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        *((f"a{character}b", CHARACTERS) for character in ' "*,/<>?\\|'),
        ("", "must not be empty"),
        ("a#b", "must not contain '#'"),
        ("a:b", "must not contain ':'"),
        ("#:", "must not contain '#'"),
        ("_a", START),
        ("-a", START),
        ("+a", START),
        ("_a,b", CHARACTERS),
        ("a" * 256, "index name is too long, (256 > 255)"),
        ("ä" * 128, "index name is too long, (256 > 255)"),
        (".", "must not be '.' or '..'"),
        ("..", "must not be '.' or '..'"),
    ],
)
def test_invalid_index_name_is_refused(http: Http, name: str, rule: str) -> None:
    for response in (http.put(C1, json={"index_name": name}), http.post(ROOT, json={"index_name": name})):
        assert error_body(response) == invalid(bad_name(name, rule))
    assert http.get(C1).status_code == 404


def test_all_violations_of_an_index_name_are_reported_at_once(http: Http) -> None:
    for name, messages in (
        ("_a", [bad_name("_a", START), must_be_managed("_a")]),
        ("search-x", [must_be_managed("search-x")]),
    ):
        body = {"index_name": name, "is_native": True}
        for response in (http.put(C1, json=body), http.post(ROOT, json=body)):
            assert error_body(response) == invalid(*messages)
    assert http.get(ROOT).json()["count"] == 0


def wrong_type(field: str, token: str) -> dict[str, Any]:
    return unreadable(f"[l:c] [{PARSER}] {field} doesn't support values of type: {token}")


@pytest.mark.parametrize(
    ("body", "response"),
    [
        *(
            ({field: None}, wrong_type(field, "VALUE_NULL"))
            for field in ("description", "is_native", "language", "name", "service_type")
        ),
        *(({field: 5}, wrong_type(field, "VALUE_NUMBER")) for field in FIELDS),
        *(({field: []}, wrong_type(field, "START_ARRAY")) for field in FIELDS),
        (
            {"is_native": "yes"},
            unreadable(
                f"[l:c] [{PARSER}] failed to parse field [is_native]",
                (
                    "illegal_argument_exception",
                    "Failed to parse value [yes] as only [true] or [false] are allowed.",
                ),
            ),
        ),
        ({"nam": "x"}, unreadable(f"[l:c] [{PARSER}] unknown field [nam] did you mean [name]?")),
        ({"configuration": {}}, unreadable(f"[l:c] [{PARSER}] unknown field [configuration]")),
    ],
    ids=str,
)
def test_invalid_body_is_refused(http: Http, body: object, response: object) -> None:
    assert error_body(http.put(C1, json=body)) == response
    assert error_body(http.post(ROOT, json=body)) == response
    assert http.get(C1).status_code == 404


def test_errors_have_the_position_in_the_body(http: Http) -> None:
    for body, place in (({"nam": 1}, "[1:2] "), ({"name": None}, "[1:10] ")):
        assert http.post(ROOT, json=body).json()["error"]["reason"].startswith(place)


def test_id_may_have_512_bytes(http: Http, connectors: Stored) -> None:
    longest, too_long = "ü" * 256, "ü" * 256 + "x"
    assert http.put(f"{ROOT}/{'%C3%BC' * 256}").status_code == 201
    assert http.get(f"{ROOT}/{'%C3%BC' * 256}").json()["id"] == longest
    reason = f"id [{too_long}] is too long, must be no longer than 512 bytes but was: 513"
    assert error_body(http.put(f"{ROOT}/{'%C3%BC' * 256}x")) == invalid(reason)
    assert error_body(http.get(f"{ROOT}/{'%C3%BC' * 256}x")) == not_found(f"connector [{too_long}] not found")
    assert connectors.ids() == {longest}


@pytest.mark.parametrize(
    ("segment", "connector_id"),
    [("a%2Fb", "a/b"), ("a+b", "a+b"), ("%25", "%"), ("a%252Fb", "a%2Fb"), ("%20", " "), ("_x", "_x")],
)
def test_ids_are_decoded_once(http: Http, connectors: Stored, segment: str, connector_id: str) -> None:
    assert http.put(f"{ROOT}/{segment}").json() == {"id": connector_id, "result": "created"}
    assert connectors.ids() == {connector_id}
    assert http.get(f"{ROOT}/{segment}").json()["id"] == connector_id


@pytest.mark.parametrize("path", ["_secret", "_sync_job"])
def test_decision_33_reserved_names_are_no_connector_ids(http: Http, connectors: Stored, path: str) -> None:
    response = http.put(f"{ROOT}/{path}", json={"name": "n"})
    assert response.status_code == 405
    assert connectors.ids() == set()


@pytest.mark.parametrize(
    ("path", "below"), [("_ui", 405), ("_openapi", 400), ("_openapi.json", 400), ("_openapi%2Ejson", 400)]
)
def test_names_of_pages_are_no_connector_ids(http: Http, connectors: Stored, path: str, below: int) -> None:
    assert http.put(f"{ROOT}/{path}", json={"name": "n"}).status_code == 405
    assert http.put(f"{ROOT}/{path}/_name", json={"name": "n"}).status_code == below
    assert connectors.ids() == set()
    assert http.put(f"{ROOT}/{path.replace('.', '-')}x", json={"name": "n"}).status_code == 201


@pytest.mark.parametrize("path", ["_%73ecret", "%5Fsync_job", "_sync_job/", "_sync%5Fjob/"])
def test_decision_33_reserved_names_are_refused_in_every_spelling(
    http: Http, connectors: Stored, path: str
) -> None:
    assert 400 <= http.put(f"{ROOT}/{path}", json={"name": "n"}).status_code < 500
    assert connectors.ids() == set()


@pytest.mark.parametrize(("method", "path"), [("PUT", C1), ("POST", ROOT)])
def test_missing_index_is_created_again(
    http: Http, elasticsearch: Elasticsearch, method: str, path: str
) -> None:
    elasticsearch.indices.delete(index=CONNECTORS.name)
    assert http.request(method, path, json={"index_name": "search-x"}).status_code == 201
    [(index, state)] = elasticsearch.indices.get(index=CONNECTORS.alias).items()
    assert (index, state["aliases"]) == (CONNECTORS.name, {CONNECTORS.alias: {}})


def test_bad_requests_write_nothing(http: Http, connectors: Stored, writes: Callable[[], int]) -> None:
    connectors.put("c1", a_connector())
    before = writes()
    assert error_body(http.put(f"{C1}?refresh=true", json={"name": "n"})) == illegal(
        f"request [{C1}] contains unrecognized parameter: [refresh]"
    )
    assert error_body(http.request("GET", C1, json={})) == illegal(
        f"request [GET {C1}] does not support having a body"
    )
    assert http.post(f"{ROOT}?x=1").status_code == 400
    assert writes() == before
