"""Connectors made, shown, listed and removed."""

from __future__ import annotations

import re

import pytest

from app.store.index_definitions import CONNECTORS
from tests.connectors.conftest import ID, ROOT, error, missing, refused

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z")
BAD_INDEX = (
    "[_bad] org.elasticsearch.indices.InvalidIndexNameException: "
    "Invalid index name [_bad], must not start with '_', '-', or '+'"
)
UNMANAGEABLE = "Index [{}] is invalid. Index attached to an Elastic-managed connector must start with the prefix: [content-]"


def used(index_name: str) -> tuple[int, str, str]:
    return 400, "status_exception", f"Index name [{index_name}] is used by another connector."


def test_a_new_connector(http) -> None:
    made = http.post(ROOT, json={"name": "demo", "service_type": "s3"})
    assert made.status_code == 201
    assert re.fullmatch(r"[\w-]{20}", made.json()["id"])
    connector = http.get(f"{ROOT}/{made.json()['id']}").json()
    assert next(iter(connector)) == "id"
    half = connector["filtering"][0]["active"]
    now = half["advanced_snippet"]["created_at"]
    assert INSTANT.fullmatch(now)
    rule = {
        "created_at": now,
        "field": "_",
        "id": "DEFAULT",
        "order": 0,
        "policy": "include",
        "rule": "regex",
        "updated_at": now,
        "value": ".*",
    }
    everything = {
        "advanced_snippet": {"created_at": now, "updated_at": now, "value": {}},
        "rules": [rule],
        "validation": {"errors": [], "state": "valid"},
    }
    never = {"enabled": False, "interval": "0 0 0 * * ?"}
    assert connector == {
        "id": made.json()["id"],
        "configuration": {},
        "custom_scheduling": {},
        "filtering": [{"active": everything, "domain": "DEFAULT", "draft": everything}],
        "is_native": False,
        "name": "demo",
        "scheduling": {"access_control": never, "full": never, "incremental": never},
        "service_type": "s3",
        "status": "created",
        "sync_now": False,
        "deleted": False,
    }


def test_all_fields_of_a_create(http) -> None:
    body = {
        "description": "d",
        "index_name": "content-x",
        "is_native": "true",
        "language": "de",
        "name": "n",
        "service_type": "s",
    }
    made = http.put(f"{ROOT}/{ID}", json=body)
    assert (made.status_code, made.json()) == (201, {"id": ID, "result": "created"})
    assert "location" not in made.headers
    connector = http.get(f"{ROOT}/{ID}").json()
    assert {key: connector[key] for key in body} == body | {"is_native": True}
    assert connector["status"] == "needs_configuration"
    assert not any("attaching" in key for key in connector)


@pytest.mark.parametrize("body", [None, {}, {"index_name": None}])
def test_a_body_is_not_needed(http, body) -> None:
    for path in (ROOT, f"{ROOT}/", f"{ROOT}/{ID}"):
        method = "POST" if path == ROOT else "PUT"
        answer = http.request(method, path.rstrip("/"), json=body)
        assert answer.status_code == 201
        assert "index_name" not in http.get(f"{ROOT}/{answer.json()['id']}").json()
        http.delete(f"{ROOT}/{ID}?hard=true")


def test_put_changes_only_what_was_sent(http, connector, put) -> None:
    put("_configuration", {"configuration": {"a": {"label": "A", "value": 1}}})
    before = http.get(f"{ROOT}/{ID}").json()
    answer = http.put(f"{ROOT}/{ID}", json={"name": "new", "index_name": "search-x"})
    assert (answer.status_code, answer.json()) == (200, {"id": ID, "result": "updated"})
    assert http.get(f"{ROOT}/{ID}").json() == before | {"name": "new", "index_name": "search-x"}


def test_put_looks_at_the_merged_document(http, connector) -> None:
    http.put(f"{ROOT}/{ID}", json={"index_name": "search-x"})
    assert error(http.put(f"{ROOT}/{ID}", json={"is_native": True})) == refused(
        UNMANAGEABLE.format("search-x")
    )
    assert http.put(f"{ROOT}/{ID}", json={"is_native": True, "index_name": None}).status_code == 200
    assert error(http.put(f"{ROOT}/{ID}", json={"index_name": "search-x"})) == refused(
        UNMANAGEABLE.format("search-x")
    )
    assert http.put(f"{ROOT}/{ID}", json={"index_name": "content-x"}).status_code == 200


def test_put_on_a_deleted_connector_starts_afresh(http, connector, put) -> None:
    put("_error", {"error": "old"})
    http.delete(f"{ROOT}/{ID}")
    answer = http.put(f"{ROOT}/{ID}", json={"index_name": "search-new"})
    assert answer.json() == {"id": ID, "result": "updated"}
    connector = http.get(f"{ROOT}/{ID}").json()
    assert connector["index_name"] == "search-new"
    assert connector["name"] == ""
    assert connector["deleted"] is False
    assert "error" not in connector
    assert "service_type" not in connector


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"index_name": "_bad"}, refused(BAD_INDEX)),
        (
            {"index_name": "search-x", "is_native": True},
            refused(UNMANAGEABLE.format("search-x")),
        ),
        (
            {"index_name": "_bad", "is_native": True},
            refused(f"{BAD_INDEX};2: {UNMANAGEABLE.format('_bad')}"),
        ),
    ],
)
def test_refused_creates(http, body, expected) -> None:
    assert error(http.post(ROOT, json=body)) == expected
    assert error(http.put(f"{ROOT}/{ID}", json=body)) == expected
    assert http.get(ROOT).json()["count"] == 0


def test_unreadable_creates(http) -> None:
    assert error(http.post(ROOT, json={"nam": 1})) == (
        400,
        "x_content_parse_exception",
        "[1:2] [connector_put_request] unknown field [nam] did you mean [name]?",
    )
    assert error(http.post(ROOT, json={"name": None})) == (
        400,
        "x_content_parse_exception",
        "[1:10] [connector_put_request] name doesn't support values of type: VALUE_NULL",
    )


def test_a_long_id(http) -> None:
    answer = error(http.put(f"{ROOT}/{'x' * 513}", json={}))
    assert answer[:2] == (400, "action_request_validation_exception")
    assert answer[2].endswith("is too long, must be no longer than 512 bytes but was: 513;")


def test_an_index_belongs_to_one_connector(http, connector) -> None:
    assert http.put(f"{ROOT}/{ID}", json={"index_name": "search-x"}).status_code == 200
    for again in ("search-x", "search-y"):
        expected = used("search-x")
        assert error(http.put(f"{ROOT}/c2", json={"index_name": "search-x"})) == expected
        assert error(http.post(ROOT, json={"index_name": "search-x"})) == expected
        http.put(f"{ROOT}/c3", json={"index_name": again})
    assert error(http.put(f"{ROOT}/c3/_index_name", json={"index_name": "search-x"})) == used("search-x")
    assert http.put(f"{ROOT}/{ID}", json={"index_name": "search-x"}).status_code == 200
    http.delete(f"{ROOT}/{ID}")
    assert http.put(f"{ROOT}/c3/_index_name", json={"index_name": "search-x"}).status_code == 200


def test_get(http, connector) -> None:
    assert http.get(f"{ROOT}/{ID}?include_deleted").json()["id"] == ID
    assert error(http.get(f"{ROOT}/other")) == missing("other")
    http.delete(f"{ROOT}/{ID}")
    assert error(http.get(f"{ROOT}/{ID}")) == missing()
    assert http.get(f"{ROOT}/{ID}?include_deleted=true").json()["deleted"] is True
    assert http.get(f"{ROOT}/{ID}?include_deleted=false").status_code == 404
    assert error(http.get(f"{ROOT}/{ID}?include_deleted=maybe"))[2] == (
        "Failed to parse value [maybe] as only [true] or [false] are allowed."
    )


def test_get_shows_what_is_stored(http, write) -> None:
    document = {"index_name": None, "error": None, "last_seen": "2024-01-01T00:00:00+00:00", "extra": [1]}
    for shown in (
        lambda: http.get(f"{ROOT}/{ID}").json(),
        lambda: http.get(ROOT).json()["results"][0],
    ):
        for stored in (document, document | {"id": "another"}):
            write(stored)
            assert shown() == {"id": ID} | document
            assert next(iter(shown())) == "id"


FILTERED: list[tuple[str, list[str]]] = [
    ("", ["6", "1", "2", "3", "4"]),
    ("?include_deleted=true", ["6", "1", "5", "2", "3", "4"]),
    ("?from=1&size=2", ["1", "2"]),
    ("?size=0", []),
    ("?index_name=a,b", ["1", "2"]),
    ("?index_name=", ["6", "1", "2", "3", "4"]),
    ("?connector_name=One,Two", ["1", "2"]),
    ("?connector_name=one", []),
    ("?service_type=s3", ["2", "4"]),
    ("?service_type=s3&index_name=b", ["2"]),
    ("?query=index", ["3", "4"]),
    ("?query=o%20i", ["3", "4"]),
    ("?query=fox", ["2"]),
    ("?query=Fox", []),
    ("?query=O?e", ["1"]),
    ("?query=N*x", ["3", "4"]),
    ("?query=", ["6", "1", "2", "3", "4"]),
    ("?query=%5C", []),
]


class TestList:
    @pytest.fixture
    def made(self, http, write) -> None:
        write({"index_name": "b", "name": "Two", "service_type": "s3", "description": "Quick Foxes"}, "2")
        write({"index_name": "a", "name": "One", "service_type": "mysql"}, "1")
        write({"name": "No index", "service_type": "s3"}, "4")
        write({"index_name": None, "name": "No index either"}, "3")
        write({"index_name": "a", "name": "Gone", "deleted": True}, "5")
        write({"index_name": "B", "name": "Upper"}, "6")

    def test_filters_and_order(self, http, made) -> None:
        for query, ids in FILTERED:
            page = http.get(ROOT + query).json()
            assert list(page) == ["count", "results"]
            assert [each["id"] for each in page["results"]] == ids, query
            assert page["count"] == (5 if "size" in query else len(ids)), query

    @pytest.mark.parametrize(
        ("query", "kind", "reason"),
        [
            ("?from=-1", "illegal_argument_exception", "Parameter [from] cannot be < 0"),
            ("?size=-1", "illegal_argument_exception", "Parameter [size] cannot be < 0"),
            (
                "?size=x",
                "illegal_argument_exception",
                "Failed to parse int parameter [size] with value [x]",
            ),
            (
                "?index_name=_bad,a,_bad",
                "action_request_validation_exception",
                f"Validation Failed: 1: {BAD_INDEX};2: {BAD_INDEX};",
            ),
            (
                "?query=" + "x" * 257,
                "illegal_argument_exception",
                "Parameter [query] cannot be longer than [256] characters",
            ),
            (
                "?nam=x",
                "illegal_argument_exception",
                "request [/_connector] contains unrecognized parameter: [nam]",
            ),
            (
                "?index_name=_bad&nam=x",
                "illegal_argument_exception",
                "request [/_connector] contains unrecognized parameter: [nam]",
            ),
        ],
    )
    def test_refusals(self, bare, query, kind, reason) -> None:
        assert error(bare.get(ROOT + query)) == (400, kind, reason)

    def test_the_longest_query(self, http, made, write) -> None:
        write({"name": "x" * 300}, "7")
        page = http.get(f"{ROOT}?query={'x' * 256}")
        assert (page.status_code, [each["id"] for each in page.json()["results"]]) == (200, ["7"])

    def test_the_count_is_exact(self, http, elasticsearch) -> None:
        lines: list[dict] = []
        for number in range(10_050):
            lines += [{"index": {"_id": f"{number}"}}, {"name": "n", "deleted": number < 7}]
        assert not elasticsearch.bulk(index=CONNECTORS.alias, operations=lines)["errors"]
        page = http.get(f"{ROOT}?size=3").json()
        assert (page["count"], len(page["results"])) == (10_043, 3)
        assert http.get(f"{ROOT}?include_deleted=true&size=0").json()["count"] == 10_050

    def test_the_window(self, http) -> None:
        answer = http.get(ROOT + "?from=9990&size=11")
        assert answer.status_code == 400
        assert "Result window is too large" in answer.text

    def test_what_was_answered_is_seen(self, http) -> None:
        for number in range(5):
            http.post(ROOT, json={"name": f"{number}"})
            assert http.get(ROOT).json()["count"] == number + 1


def test_soft_delete(http, connector, stored) -> None:
    before = stored()
    assert http.delete(f"{ROOT}/{ID}").json() == {"acknowledged": True}
    assert stored() == before | {"deleted": True}
    assert error(http.delete(f"{ROOT}/{ID}")) == missing()


def test_hard_delete(http, connector) -> None:
    http.delete(f"{ROOT}/{ID}")
    assert http.delete(f"{ROOT}/{ID}?hard=true").json() == {"acknowledged": True}
    assert error(http.get(f"{ROOT}/{ID}?include_deleted=true")) == missing()
    assert error(http.delete(f"{ROOT}/{ID}?hard=true")) == missing()


def test_no_body_is_taken(http, connector, put) -> None:
    for answer in (
        http.get(f"{ROOT}/{ID}", json={}),
        http.delete(f"{ROOT}/{ID}", json={}),
        put("_check_in", {}),
        put("_filtering/_activate", {}),
    ):
        status, kind, reason = error(answer)
        assert (status, kind) == (400, "illegal_argument_exception")
        assert reason.endswith("does not support having a body")
