"""The four endpoints over HTTP: status codes, bodies and error messages."""

from __future__ import annotations

import re

import pytest

from app.secrets.schemas import deleted_secret_id, existing_secret_id, written_secret_id
from app.store.index_definitions import CONNECTORS, SECRETS
from tests.endpoints import SECRETS_PATH
from tests.races.crowd import rush
from tests.responses import no_secret, unplaced_error
from tests.service import Http

LONG_ID = "é" * 256 + "x"  # 513 bytes
TOO_LONG = f"Validation Failed: 1: id [{LONG_ID}] is too long, must be no longer than 512 bytes but was: 513;"


def test_post_stores_a_value_under_a_generated_id(http):
    response = http.post(SECRETS_PATH, json={"value": "hunter2"})

    assert response.status_code == 200
    assert list(response.json()) == ["id"]
    secret_id = response.json()["id"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{20}", secret_id)
    shown = http.get(f"{SECRETS_PATH}/{secret_id}")
    assert (shown.status_code, shown.json()) == (200, {"id": secret_id, "value": "hunter2"})


def test_put_creates_and_then_updates(http):
    path = f"{SECRETS_PATH}/mine"
    created = http.put(path, json={"value": "one"})
    updated = http.put(path, json={"value": "two"})

    assert (created.status_code, created.json()) == (201, {"result": "created"})
    assert (updated.status_code, updated.json()) == (200, {"result": "updated"})
    assert http.get(path).json() == {"id": "mine", "value": "two"}


def test_delete_removes_the_secret(http):
    path = f"{SECRETS_PATH}/mine"
    http.put(path, json={"value": "one"})

    deleted = http.delete(path)

    assert (deleted.status_code, deleted.json()) == (200, {"deleted": True})
    assert unplaced_error(http.delete(path)) == unplaced_error(http.get(path)) == no_secret("mine")


def test_one_of_many_concurrent_puts_creates(http):
    clients = [Http(http.url) for _ in range(8)]

    def put(member: int, round_: int) -> str:
        response = clients[member].put(f"{SECRETS_PATH}/{round_}", json={"value": str(member)})
        return str(response.json()["result"])

    for results in rush(8, range(10), put):
        assert sorted(results) == ["created"] + ["updated"] * 7


@pytest.mark.parametrize(
    "value",
    ['ü€𝄞 \u0000\n"\\', " ", "x" * 1_000_000],
    ids=["special characters", "blank", "a million characters"],
)
def test_any_string_can_be_stored(http, value):
    assert http.put(f"{SECRETS_PATH}/a", json={"value": value}).status_code == 201
    assert http.get(f"{SECRETS_PATH}/a").json()["value"] == value


@pytest.mark.parametrize(
    ("sent", "secret_id"),
    [
        ("a%2Fb", "a/b"),
        ("%252F", "%2F"),
        ("a+b%20c", "a+b c"),
        ("%E2%82%AC", "€"),
        ("%2E%2E", ".."),
        ("_check_in", "_check_in"),
        ("_secret", "_secret"),
        ("%C3%A9" * 256, "é" * 256),
    ],
)
def test_ids_are_decoded_once(http, elasticsearch, sent, secret_id):
    path = f"{SECRETS_PATH}/{sent}"
    assert http.put(path, json={"value": "v"}).status_code == 201
    assert http.get(path).json() == {"id": secret_id, "value": "v"}
    elasticsearch.indices.refresh(index=SECRETS.alias)
    [hit] = elasticsearch.search(index=SECRETS.alias)["hits"]["hits"]
    assert hit["_id"] == secret_id
    assert http.delete(path).status_code == 200


def test_id_of_more_than_512_bytes_is_refused_by_writes_and_not_found_by_get(http):
    path = f"{SECRETS_PATH}/{'%C3%A9' * 256}x"
    assert unplaced_error(http.put(path, json={"value": "v"})) == (
        400,
        "action_request_validation_exception",
        TOO_LONG,
    )
    assert unplaced_error(http.delete(path)) == (400, "action_request_validation_exception", TOO_LONG)
    assert unplaced_error(http.get(path)) == no_secret(LONG_ID)


def test_empty_id_is_refused_with_three_messages():
    """Not reachable over HTTP, since the production server drops final slashes."""
    assert existing_secret_id("") == ["[id] of the connector secret cannot be null or empty."]
    assert deleted_secret_id("") == ["[id] of the connector secret cannot be null or empty."]
    assert written_secret_id("") == ['[id] cannot be [null] or [""]']


PARSE = "x_content_parse_exception"
VALIDATION = "action_request_validation_exception"
NO_POST_VALUE = 'Validation Failed: 1: [value] of the connector secret cannot be [null] or [""];'
NO_PUT_VALUE = 'Validation Failed: 1: [value] cannot be [null] or [""];'
POST_PARSER, PUT_PARSER = "[post_secret_request]", "[connector_secret_put_request]"


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("POST", b"", ("parse_exception", "request body is required")),
        ("POST", b"{}", (VALIDATION, NO_POST_VALUE)),
        ("POST", b'{"value": ""}', (VALIDATION, NO_POST_VALUE)),
        (
            "POST",
            b'{"value": null}',
            (PARSE, f"{POST_PARSER} value doesn't support values of type: VALUE_NULL"),
        ),
        (
            "POST",
            b'{"value": 1}',
            (PARSE, f"{POST_PARSER} value doesn't support values of type: VALUE_NUMBER"),
        ),
        ("POST", b'{"valu": "x"}', (PARSE, f"{POST_PARSER} unknown field [valu] did you mean [value]?")),
        ("POST", b"[]", (PARSE, f"{POST_PARSER} Expected START_OBJECT but was: START_ARRAY")),
        ("PUT", b"", ("parse_exception", "request body is required")),
        ("PUT", b"{}", ("illegal_argument_exception", "Required [value]")),
        ("PUT", b'{"value": ""}', (VALIDATION, NO_PUT_VALUE)),
        (
            "PUT",
            b'{"value": null}',
            (PARSE, f"{PUT_PARSER} value doesn't support values of type: VALUE_NULL"),
        ),
        (
            "PUT",
            b'{"value": {}}',
            (PARSE, f"{PUT_PARSER} value doesn't support values of type: START_OBJECT"),
        ),
        ("PUT", b'{"value": "x", "id": 1}', (PARSE, f"{PUT_PARSER} unknown field [id]")),
    ],
)
def test_invalid_body_is_refused_and_nothing_stored(http, elasticsearch, method, body, expected):
    path = SECRETS_PATH if method == "POST" else f"{SECRETS_PATH}/x"
    response = http.request(method, path, data=body, headers={"Content-Type": "application/json"})
    assert unplaced_error(response) == (400, *expected)
    elasticsearch.indices.refresh(index=SECRETS.alias)
    assert elasticsearch.count(index=SECRETS.alias)["count"] == 0


def test_long_id_and_empty_value_are_reported_together(http):
    response = http.put(f"{SECRETS_PATH}/{'x' * 513}", json={"value": ""})
    assert unplaced_error(response)[2].endswith('was: 513;2: [value] cannot be [null] or [""];')


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_body_of_get_or_delete_is_refused(http, method):
    response = http.request(method, f"{SECRETS_PATH}/a%20b", json={"value": "v"})
    expected = f"request [{method} {SECRETS_PATH}/a b] does not support having a body"
    assert unplaced_error(response) == (400, "illegal_argument_exception", expected)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", SECRETS_PATH),
        ("GET", SECRETS_PATH),
        ("DELETE", SECRETS_PATH),
        ("PUT", f"{SECRETS_PATH}/"),
        ("POST", f"{SECRETS_PATH}/x"),
    ],
)
def test_other_methods_are_405_and_create_no_connector(http, elasticsearch, method, path):
    response = http.request(method, path, json={"name": "a connector"})
    assert response.status_code == 405
    assert "Incorrect HTTP method for uri" in response.json()["error"]
    assert not elasticsearch.exists(index=CONNECTORS.alias, id="_secret")


def test_escaped_path_of_secrets_creates_no_connector(http, elasticsearch):
    assert http.put("/_connector/%5Fsecret", json={"name": "a connector"}).status_code == 405
    assert not elasticsearch.exists(index=CONNECTORS.alias, id="_secret")


def test_filter_path_applies_and_unknown_parameter_is_refused(http):
    http.put(f"{SECRETS_PATH}/a", json={"value": "v"})
    assert http.get(f"{SECRETS_PATH}/a?filter_path=id").json() == {"id": "a"}
    assert "unrecognized parameter: [value]" in unplaced_error(http.get(f"{SECRETS_PATH}/a?value=v"))[2]


def test_missing_index_means_not_found_and_is_created_again_by_a_write(http, elasticsearch):
    for write in (
        lambda: http.put(f"{SECRETS_PATH}/a", json={"value": "v"}),
        lambda: http.post(SECRETS_PATH, json={"value": "v"}),
    ):
        elasticsearch.indices.delete(index=SECRETS.name)
        assert unplaced_error(http.get(f"{SECRETS_PATH}/a")) == no_secret("a")
        assert unplaced_error(http.delete(f"{SECRETS_PATH}/a")) == no_secret("a")
        assert not elasticsearch.indices.exists(index=SECRETS.name)
        assert write().status_code in (200, 201)
        assert elasticsearch.indices.exists_alias(index=SECRETS.name, name=SECRETS.alias)
