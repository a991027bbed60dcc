"""The update endpoints of connectors: what they write and keep, when they change nothing, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.connectors.schemas.syncing import LastSyncBody
from app.wire.schema import schema_instance
from tests.documents import ID
from tests.endpoints import OF_CONNECTORS, PIPELINE, ROOT, SCHEDULE
from tests.responses import chain, error, invalid_request, no_connector

ON, OFF = {"enabled": True}, {"enabled": False}
# Every update: its path and a valid body.
FINE = [
    *((endpoint.end, endpoint.body) for endpoint in OF_CONNECTORS if endpoint.end),
    ("_configuration", {"values": {}}),
    ("_filtering", {"filtering": []}),
]


@pytest.mark.parametrize("path", sorted({path for path, _ in FINE}))
def test_path_without_an_id_is_refused(bare, path) -> None:
    body = dict(FINE)[path]
    response = bare.put(f"{ROOT}//{path}", json=body)
    assert error(response) == invalid_request('[connector_id] cannot be [null] or [""].')


def test_update_of_a_missing_or_deleted_connector_is_not_found(http, connector, stored) -> None:
    http.delete(f"{ROOT}/{ID}")
    before = stored()
    for path, body in FINE:
        assert error(http.put(f"{ROOT}/other/{path}", json=body)) == no_connector("other"), path
        if path != "_last_sync":
            assert error(http.put(f"{ROOT}/{ID}/{path}", json=body)) == no_connector(), path
    assert stored() == before


def test_last_sync_of_a_deleted_connector_changes_nothing(http, connector, stored) -> None:
    """Kibana's purge of a deleted connector relies on the 200."""
    http.delete(f"{ROOT}/{ID}")
    before = stored()
    for _ in range(2):
        response = http.put(f"{ROOT}/{ID}/_last_sync", json={"last_sync_status": "error"})
        assert (response.status_code, response.json()) == (200, {"result": "noop"})
    assert stored() == before


def test_missing_body_is_refused(bare) -> None:
    for path in sorted({path for path, body in FINE if body is not None}):
        assert error(bare.put(f"{ROOT}/{ID}/{path}")) == (400, "parse_exception", "request body is required")


@pytest.mark.parametrize("flag", [True, "true"])
def test_deleted_as_a_string_is_understood(http, write, stored, flag) -> None:
    """A boolean of Elasticsearch may be stored as a string: no endpoint shows or changes such a connector."""
    document = {"deleted": flag, "name": "n", "status": "created", "filtering": [], "configuration": {}}
    write(document)
    assert http.get(ROOT).json()["count"] == 0
    for response in (http.get(f"{ROOT}/{ID}"), http.delete(f"{ROOT}/{ID}")):
        assert error(response) == no_connector()
    for path, body in FINE:
        if path != "_last_sync":
            assert error(http.put(f"{ROOT}/{ID}/{path}", json=body)) == no_connector(), path
    assert http.put(f"{ROOT}/{ID}/_last_sync", json={}).json() == {"result": "noop"}
    assert stored() == document
    assert http.get(f"{ROOT}/{ID}?include_deleted=true").status_code == 200
    assert http.put(f"{ROOT}/{ID}", json={}).json()["result"] == "updated"
    assert stored()["deleted"] is False
    assert stored()["name"] == ""


def test_not_deleted_as_a_string_is_understood(http, write) -> None:
    for flag in (False, "false", "", None):
        write({"deleted": flag})
        assert http.get(f"{ROOT}/{ID}").status_code == 200
        assert http.get(ROOT).json()["count"] == 1
        assert http.put(f"{ROOT}/{ID}/_check_in").status_code == 200


# Path, two consecutive bodies, and the fields of the document after them; sending the second body again is a noop.
WRITTEN = [
    (
        "_api_key_id",
        {"api_key_id": "k", "api_key_secret_id": "s"},
        {"api_key_id": None, "api_key_secret_id": "t"},
        {"api_key_id": "k", "api_key_secret_id": "t"},
    ),
    ("_error", {"error": "broken"}, {"error": "worse"}, {"error": "worse", "status": "error"}),
    ("_error", {"error": "broken"}, {"error": ""}, {"error": "", "status": "connected"}),
    ("_error", {"error": "broken"}, {"error": None}, {"error": None, "status": "connected"}),
    (
        "_features",
        {"features": {"incremental_sync": ON, "unknown": 1, "sync_rules": {"basic": ON}}},
        {"features": {"document_level_security": OFF, "sync_rules": {"advanced": {"enabled": "true"}}}},
        {
            "features": {
                "incremental_sync": ON,
                "document_level_security": OFF,
                "sync_rules": {"basic": ON, "advanced": ON},
            }
        },
    ),
    ("_index_name", {"index_name": "search-x"}, {"index_name": "Search-Y"}, {"index_name": "Search-Y"}),
    ("_index_name", {"index_name": "search-x"}, {"index_name": None}, {"index_name": None}),
    (
        "_last_sync",
        {"sync_cursor": {"old": 1}, "last_sync_error": "x", "last_sync_status": "ERROR"},
        {
            "sync_cursor": {"new": {"a": []}},
            "last_sync_error": None,
            "last_seen": "1700000000000",
            "last_synced": "2024-03-01T10:11:12.123456789+01:00",
            "last_indexed_document_count": "7",
        },
        {
            "sync_cursor": {"new": {"a": []}},
            "last_sync_error": None,
            "last_sync_status": "error",
            "last_seen": "2023-11-14T22:13:20.000Z",
            "last_synced": "2024-03-01T09:11:12.123456789Z",
            "last_indexed_document_count": 7,
        },
    ),
    ("_last_sync", {"sync_cursor": {"a": 1}}, {"sync_cursor": None}, {"sync_cursor": None}),
    (
        "_name",
        {"name": "n", "description": "d"},
        {"name": None, "description": ""},
        {"name": "n", "description": ""},
    ),
    ("_native", {"is_native": True}, {"is_native": False}, {"is_native": False, "status": "created"}),
    (
        "_pipeline",
        {"pipeline": PIPELINE},
        {"pipeline": PIPELINE | {"name": "q", "more": 1}},
        {"pipeline": PIPELINE | {"name": "q"}},
    ),
    (
        "_scheduling",
        {"scheduling": {"full": SCHEDULE, "hourly": SCHEDULE}},
        {"scheduling": {"access_control": SCHEDULE}},
        {
            "scheduling": {
                "full": SCHEDULE,
                "access_control": SCHEDULE,
                "incremental": {"enabled": False, "interval": "0 0 0 * * ?"},
            }
        },
    ),
    (
        "_service_type",
        {"service_type": "a"},
        {"service_type": "b"},
        {"service_type": "b", "status": "created"},
    ),
]


@pytest.mark.parametrize(("path", "first", "second", "expected"), WRITTEN, ids=lambda v: str(v)[:24])
def test_update_is_written_and_a_second_one_is_a_noop(put, stored, path, first, second, expected) -> None:
    before = stored()
    for body in (first, second):
        response = put(path, body)
        assert (response.status_code, response.json()) == (200, {"result": "updated"})
    assert put(path, second).json() == {"result": "noop"}
    assert stored() == before | expected


def test_empty_update_changes_nothing(put, stored) -> None:
    before = stored()
    assert put("_last_sync", {}).json() == {"result": "noop"}
    assert put("_features", {"features": {}}).json() == {"result": "updated"}
    assert put("_features", {"features": {}}).json() == {"result": "noop"}
    assert stored() == before | {"features": {}}


def test_check_in_sets_last_seen_to_now(put, stored, write) -> None:
    before = stored()
    for _ in range(2):
        assert put("_check_in").json() == {"result": "updated"}
        seen = datetime.fromisoformat(stored()["last_seen"])
        assert abs(datetime.now(UTC) - seen) < timedelta(seconds=30)
    assert stored() == before | {"last_seen": stored()["last_seen"]}
    for unusable in (None, [], "2999-01-01T00:00:00Z"):
        write(before | {"last_seen": unusable})
        assert put("_check_in").status_code == 200
        assert stored()["last_seen"][:2] == "20"


def test_decision_5_last_seen_is_stored_as_it_is_stated_but_never_later_than_now(put, stored, write) -> None:
    write({"last_seen": "2024-01-01T00:00:00Z"})
    for sent, seen in (("2023-01-01", "2023-01-01T00:00:00.000Z"), (None, None)):
        assert put("_last_sync", {"last_seen": sent}).json() == {"result": "updated"}
        assert stored() == {"last_seen": seen}
        assert put("_last_sync", {"last_seen": sent}).json() == {"result": "noop"}
    assert put("_last_sync", {"last_seen": "2999-01-01"}).json() == {"result": "updated"}
    assert abs(datetime.now(UTC) - datetime.fromisoformat(stored()["last_seen"])) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("created", "created"),
        ("CREATED", "created"),
        *((each, "needs_configuration") for each in ("configured", "CONNECTED", "error")),
    ],
)
def test_new_service_type_resets_the_status(put, write, stored, before, after) -> None:
    write({"status": before, "service_type": "old", "configuration": {"a": {}}})
    assert put("_service_type", {"service_type": "new"}).json() == {"result": "updated"}
    assert stored() == {"status": after, "service_type": "new", "configuration": {"a": {}}}


@pytest.mark.parametrize(
    "before", ["created", "needs_configuration", "configured", "connected", "Connected", "error"]
)
def test_native_resets_a_connected_connector_to_configured(put, write, stored, before) -> None:
    write({"status": before, "index_name": "content-x"})
    assert put("_native", {"is_native": True}).json() == {"result": "updated"}
    after = "configured" if before.lower() == "connected" else before
    assert stored() == {"status": after, "index_name": "content-x", "is_native": True}


def test_each_index_in_a_list_of_a_native_connector_needs_the_prefix(put, write) -> None:
    write({"index_name": ["content-x", "search-x"]})
    response = put("_native", {"is_native": True})
    assert response.status_code == 400
    assert "The index name [[content-x, search-x]] attached" in response.json()["error"]["reason"]
    write({"index_name": ["content-x", "content-y"]})
    assert put("_native", {"is_native": True}).json() == {"result": "updated"}


def test_index_of_a_native_connector_needs_the_prefix(put, write, stored) -> None:
    put("_index_name", {"index_name": "search-x"})
    assert error(put("_native", {"is_native": True})) == (
        400,
        "status_exception",
        (
            "The index name [search-x] attached to the connector [c1] must start with the required prefix: [content-] to be "
            "Elastic-managed. Please update the attached index first to comply with this requirement."
        ),
    )
    put("_index_name", {"index_name": "content-x"})
    assert put("_native", {"is_native": True}).json() == {"result": "updated"}
    before = stored()
    assert error(put("_index_name", {"index_name": "search-x"})) == (
        400,
        "status_exception",
        (
            "Index attached to an Elastic-managed connector must start with the prefix: [content-]. "
            "The index name in the payload [search-x] doesn't comply with this requirement."
        ),
    )
    assert stored() == before
    write({"status": "created"})
    assert put("_index_name", {"index_name": "search-x"}).json() == {"result": "updated"}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("_error", "error"),
        ("_last_sync", "last_sync_error"),
        ("_last_sync", "last_access_control_sync_error"),
    ],
)
def test_long_error_is_stored_whole(put, stored, path, field) -> None:
    """Longer than a term may be (32,766 bytes)."""
    for text in ("ü" * 16_384, "x" * 300_000):
        assert put(path, {field: text}).json() == {"result": "updated"}
        assert stored()[field] == text


LAST_SYNC = {
    "last_access_control_sync_error": "x",
    "last_access_control_sync_scheduled_at": "2024-01-01T00:00:00.000Z",
    "last_access_control_sync_status": "error",
    "last_incremental_sync_scheduled_at": "2024-01-01T00:00:00.000Z",
    "last_seen": "2024-01-01T00:00:00.000Z",
    "last_sync_error": "x",
    "last_sync_scheduled_at": "2024-01-01T00:00:00.000Z",
    "last_sync_status": "error",
    "last_synced": "2024-01-01T00:00:00.000Z",
    "sync_cursor": {"a": 1},
}
COUNTERS = ["last_deleted_document_count", "last_indexed_document_count"]


def test_table_of_last_sync_fields_is_complete() -> None:
    assert set(schema_instance(LastSyncBody).fields) == {*LAST_SYNC, *COUNTERS}


def test_nulls_of_a_last_sync_are_stored(put, stored) -> None:
    before = stored()
    assert put("_last_sync", LAST_SYNC).json() == {"result": "updated"}
    assert stored() == before | LAST_SYNC
    for name in LAST_SYNC:
        assert put("_last_sync", {name: None}).json() == {"result": "updated"}
        assert put("_last_sync", {name: None}).json() == {"result": "noop"}
        assert stored()[name] is None
    assert stored() == before | dict.fromkeys(LAST_SYNC)


@pytest.mark.parametrize("count", [0, 2**63 - 1, -(2**63)])
def test_counters_of_a_last_sync_are_stored(put, stored, count) -> None:
    body = dict.fromkeys(COUNTERS, count)
    assert put("_last_sync", body).json() == {"result": "updated"}
    assert {name: stored()[name] for name in COUNTERS} == body


REFUSED = [
    (
        "_api_key_id",
        {"api_key_id": None},
        (
            "[api_key_id] and [api_key_secret_id] cannot both be [null]. "
            "Please provide a value for at least one of them."
        ),
    ),
    (
        "_name",
        {},
        "[name] and [description] cannot both be [null]. Please provide a value for at least one of them.",
    ),
    ("_configuration", {}, "[configuration] and [values] cannot both be null."),
    (
        "_configuration",
        {"configuration": {}, "values": None},
        "[configuration] and [values] cannot both be provided in the same request.",
    ),
    ("_filtering", {}, "[advanced_snippet] and [rules] cannot be both [null]."),
    (
        "_filtering",
        {"filtering": [], "rules": []},
        "If [filtering] is specified, [rules] and [advanced_snippet] should not be present in the request body.",
    ),
    (
        "_index_name",
        {"index_name": ""},
        "[] org.elasticsearch.indices.InvalidIndexNameException: Invalid index name [], must not be empty",
    ),
    (
        "_scheduling",
        {"scheduling": {"other": 1}},
        "[scheduling] object needs to define at least one schedule type: [full | incremental | access_control]",
    ),
    ("_service_type", {"service_type": ""}, '[service_type] cannot be [null] or [""].'),
    ("_status", {}, "[status] cannot be [null]."),
]


def test_body_that_violates_a_rule_is_refused(bare) -> None:
    for path, body, message in REFUSED:
        assert error(bare.put(f"{ROOT}/{ID}/{path}", json=body)) == invalid_request(message), path


REQUIRED = {
    "_error": "error",
    "_features": "features",
    "_filtering/_validation": "validation",
    "_index_name": "index_name",
    "_native": "is_native",
    "_pipeline": "pipeline",
    "_scheduling": "scheduling",
    "_service_type": "service_type",
}


def test_missing_required_field_is_refused(bare) -> None:
    for path, field in REQUIRED.items():
        expected = (400, "illegal_argument_exception", f"Required [{field}]")
        assert error(bare.put(f"{ROOT}/{ID}/{path}", json={})) == expected


UNREADABLE = [
    (
        "_error",
        {"error": 1},
        "[connector_update_error_request] error doesn't support values of type: VALUE_NUMBER",
    ),
    (
        "_index_name",
        {"index": 1},
        "[connector_update_index_name_request] unknown field [index]",
    ),
    (
        "_native",
        {"is_native": None},
        "[connector_update_native_request] is_native doesn't support values of type: VALUE_NULL",
    ),
    (
        "_status",
        {"status": None},
        "[connector_update_status_request] status doesn't support values of type: VALUE_NULL",
    ),
    ("_last_sync", {"x": 1}, "[connector_update_last_sync_stats_request] unknown field [x]"),
    (
        "_last_sync",
        {"last_indexed_document_count": None},
        "[connector_update_last_sync_stats_request] last_indexed_document_count doesn't support values of type: VALUE_NULL",
    ),
    (
        "_last_sync",
        {"sync_cursor": []},
        "[connector_update_last_sync_stats_request] sync_cursor doesn't support values of type: START_ARRAY",
    ),
    ("_api_key_id", {"x": 1}, "[connector_update_api_key_id_request] unknown field [x]"),
    ("_name", [], "[connector_update_name_request] Expected START_OBJECT but was: START_ARRAY"),
    (
        "_service_type",
        {"service_type": None},
        "[connector_update_service_type_request] service_type doesn't support values of type: VALUE_NULL",
    ),
    (
        "_scheduling",
        {"scheduling": None},
        "[connector_update_scheduling_request] scheduling doesn't support values of type: VALUE_NULL",
    ),
    (
        "_pipeline",
        {"pipeline": []},
        "[connector_update_pipeline_request] pipeline doesn't support values of type: START_ARRAY",
    ),
    ("_features", {"x": 1}, "[connector_update_features_request] unknown field [x]"),
    ("_configuration", {"x": 1}, "[connector_update_configuration_request] unknown field [x]"),
    ("_filtering", {"x": 1}, "[connector_update_filtering_request] unknown field [x]"),
    (
        "_filtering/_validation",
        {"validation": None},
        "[connector_update_filtering_validation] validation doesn't support values of type: VALUE_NULL",
    ),
]


def test_unreadable_body_is_refused(bare) -> None:
    for path, body, reason in UNREADABLE:
        found = chain(bare.put(f"{ROOT}/{ID}/{path}", json=body))
        assert found == [("x_content_parse_exception", reason)], path


PARSE = "x_content_parse_exception"
ILLEGAL = "illegal_argument_exception"
CHAINS = [
    (
        "_status",
        {"status": "broken"},
        [
            (PARSE, "[connector_update_status_request] failed to parse field [status]"),
            (ILLEGAL, "Unknown ConnectorStatus [broken]."),
        ],
    ),
    (
        "_last_sync",
        {"last_sync_status": "done"},
        [
            (PARSE, "[connector_update_last_sync_stats_request] failed to parse field [last_sync_status]"),
            (ILLEGAL, "Unknown ConnectorSyncStatus [done]."),
        ],
    ),
    (
        "_native",
        {"is_native": "yes"},
        [
            (PARSE, "[connector_update_native_request] failed to parse field [is_native]"),
            (ILLEGAL, "Failed to parse value [yes] as only [true] or [false] are allowed."),
        ],
    ),
    (
        "_pipeline",
        {"pipeline": {}},
        [
            (PARSE, "[connector_update_pipeline_request] failed to parse field [pipeline]"),
            (ILLEGAL, "Required [extract_binary_content, name, reduce_whitespace, run_ml_inference]"),
        ],
    ),
    (
        "_features",
        {"features": {"incremental_sync": {}}},
        [
            (PARSE, "[connector_update_features_request] failed to parse field [features]"),
            (PARSE, "[connector_features] failed to parse field [incremental_sync]"),
            (PARSE, "Failed to build [connector_feature_enabled] after last required field arrived"),
            ("null_pointer_exception", None),
        ],
    ),
    (
        "_scheduling",
        {"scheduling": {"access_control": {"enabled": True, "interval": "61 0 0 * * ?"}}},
        [
            (PARSE, "[connector_update_scheduling_request] failed to parse field [scheduling]"),
            (PARSE, "[connector_scheduling] failed to parse field [access_control]"),
            (PARSE, "[schedule_config] failed to parse field [interval]"),
            (PARSE, "Failed to build [schedule_config] after last required field arrived"),
            (
                ILLEGAL,
                (
                    "illegal cron expression format [java.lang.IllegalArgumentException: "
                    "Minute and Second values must be between 0 and 59]"
                ),
            ),
        ],
    ),
    (
        "_scheduling",
        {"scheduling": {"full": {"enabled": True}}},
        [
            (PARSE, "[connector_update_scheduling_request] failed to parse field [scheduling]"),
            (PARSE, "[connector_scheduling] failed to parse field [full]"),
            (ILLEGAL, "Required [interval]"),
        ],
    ),
]


def test_errors_have_the_chain_of_causes_of_elasticsearch(bare) -> None:
    for path, body, expected in CHAINS:
        response = bare.put(f"{ROOT}/{ID}/{path}", json=body)
        found = chain(response)
        assert response.status_code == 400
        assert found[0] == expected[0], path
        assert found[-1] == expected[-1], path
        assert [link for link in expected if link in found] == expected, (path, found)
