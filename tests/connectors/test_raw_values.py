"""Connectors of any shape that other programs may have written are shown as they are, and changed field by field."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS
from tests.documents import Stored
from tests.endpoints import ENDPOINTS, OF_CONNECTORS, PIPELINE, ROOT, SCHEDULE
from tests.raw_values import CONNECTOR, Change, Path, Raw, RawIndex, found_violations, responses_to
from tests.responses import error, no_connector
from tests.service import Http, Service

OFF = {"enabled": False}
CONFIGURATION: Path = ("configuration",)
INVALID = {"errors": [], "state": "invalid"}
STATE = {"advanced_snippet": {"value": {}}, "rules": [], "validation": INVALID}
LAST_SYNC = {
    "last_access_control_sync_error": "x",
    "last_access_control_sync_scheduled_at": "2025-01-01T00:00:00.000Z",
    "last_access_control_sync_status": "error",
    "last_deleted_document_count": 8,
    "last_incremental_sync_scheduled_at": None,
    "last_indexed_document_count": 7,
    "last_seen": "2025-01-01T00:00:00.000Z",
    "last_sync_error": None,
    "last_sync_scheduled_at": "2025-01-01T00:00:00.000Z",
    "last_sync_status": "error",
    "last_synced": None,
    "sync_cursor": {"b": []},
}


def change(
    action: str,
    body: Any,
    sets: dict[Path, Any] | None = None,
    refuses: Collection[tuple[Path, str]] = (),
    reads: Collection[str] = (),
    **more: Any,
) -> Change:
    """A change that sets the fields of its body, or those that are named, and `more`."""
    named = more if body is None or sets is not None else body | more
    fields = {(name,): value for name, value in named.items()}
    return Change(replace(ENDPOINTS[action], body=body), fields | (sets or {}), refuses, {"deleted", *reads})


def draft_change(end: str, body: Any, *parts: str, refuses: Collection[tuple[Path, str]] = ()) -> Change:
    """A change of filtering; of several entries, or drafts, it keeps the first."""
    sets: dict[Path, Any] = {
        ("filtering", *(int(name) if name.isdigit() else name for name in part.split("."))): ANY
        for part in (*parts, "draft.1", "1")
    }
    unreadable = "Required [filtering]"
    refuses = [(("filtering",), unreadable), (("filtering", "draft"), unreadable), *refuses]
    return change(f"update_filtering{end}", body, sets, refuses)


MANAGED = [(("index_name",), "[{}]")]
NOT_VALIDATED = "Current filtering draft validation state [null] is not equal to [valid]."
CHANGES = [
    change("put", {"name": "x", "description": "y", "language": "z"}),
    change(
        "put",
        {"service_type": "x", "is_native": True},
        refuses=MANAGED,
        reads=("index_name", "status"),
        status=ANY,
    ),
    change("put", {"index_name": "content-new-{id}"}, {("index_name",): ANY}, reads=("is_native",)),
    change("update_last_seen", None, last_seen=ANY),
    change("update_api_key_id", {"api_key_id": "x", "api_key_secret_id": "y"}),
    change("update_configuration", {"configuration": {"b": {"label": "B"}}}, status="configured"),
    change(
        "update_configuration",
        {"values": {"a": "new"}},
        {("configuration", "a", "value"): "new"},
        [
            (path, "Unknown [configuration] fields in the request payload: [a]")
            for path in (CONFIGURATION, (*CONFIGURATION, "a"))
        ],
        status="configured",
    ),
    change("update_error", {"error": "x"}, status="error"),
    change("update_error", {"error": None}, status="connected"),
    change(
        "update_features",
        {"features": {"document_level_security": OFF, "sync_rules": {"basic": OFF}}},
        {
            ("features", "document_level_security", "enabled"): False,
            ("features", "sync_rules", "basic", "enabled"): False,
        },
    ),
    draft_change("", {"rules": []}, "draft.rules", "draft.validation"),
    draft_change("", {"advanced_snippet": {"value": {}}}, "draft.advanced_snippet", "draft.validation"),
    change("update_filtering", {"filtering": {"active": STATE, "draft": STATE}}, {("filtering",): ANY}),
    draft_change("/draft_validation", {"validation": INVALID}, "draft.validation"),
    draft_change(
        "/activate",
        None,
        "active",
        refuses=[
            (("filtering",), NOT_VALIDATED),
            (("filtering", "draft"), NOT_VALIDATED),
            (("filtering", "draft", "validation"), NOT_VALIDATED),
            (("filtering", "draft", "validation", "state"), "draft validation state [{}]"),
        ],
    ),
    change(
        "update_index_name", {"index_name": "content-new-{id}"}, {("index_name",): ANY}, reads=("is_native",)
    ),
    change("update_index_name", {"index_name": None}, reads=("is_native",)),
    change("update_last_sync_stats", LAST_SYNC),
    change("update_name", {"name": "x", "description": "y"}),
    change("update_native", {"is_native": True}, refuses=MANAGED, reads=("index_name", "status"), status=ANY),
    change("update_native", {"is_native": False}, reads=("index_name",), status=ANY),
    change(
        "update_pipeline",
        {"pipeline": PIPELINE},
        {("pipeline", key): value for key, value in PIPELINE.items()},
    ),
    change("update_scheduling", {"scheduling": {"full": SCHEDULE}}, {("scheduling", "full"): SCHEDULE}),
    change("update_service_type", {"service_type": "x"}, status=ANY),
    change("update_status", {"status": "error"}, refuses=[(("status",), "Unknown ConnectorStatus [{}].")]),
    change("delete", None, deleted=True),
]


def test_every_endpoint_that_changes_a_connector_is_in_the_table() -> None:
    listed = {each.endpoint.action for each in CHANGES}
    assert listed == {each.action for each in OF_CONNECTORS if each.writes and each.of_one}


@pytest.fixture(scope="module")
def index(running_service: Service, elasticsearch: Elasticsearch) -> RawIndex:
    running_service.wait_until_ready()
    return RawIndex(elasticsearch, CONNECTORS, CONNECTOR)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_change_reads_leniently_and_keeps_all_else(http: Http, index: RawIndex, change: Change) -> None:
    raws = index.write(change.matters)
    deleted = index.matching({"term": {"deleted": True}})
    assert deleted
    kept = [raw for raw in raws if raw.id not in deleted]
    assert found_violations(http, change, index, kept) == []
    gone = [raw for raw in raws if raw.id in deleted]
    responses = responses_to(http, change, gone)
    if change.endpoint.action == "put":  # it starts afresh
        assert {response.json()["result"] for response in responses} == {"updated"}
        assert {each["deleted"] for each in index.read(gone)} == {False}
        return
    if change.endpoint.action == "update_last_sync_stats":
        assert {response.json()["result"] for response in responses} == {"noop"}
    else:
        assert [error(each) for each in responses] == [no_connector(raw.id) for raw in gone]
    assert index.read(gone) == [raw.document for raw in gone]


def test_get_and_list_return_what_is_stored(http: Http, index: RawIndex) -> None:
    raws = index.write()
    deleted = index.matching({"term": {"deleted": True}})
    shown = {raw.id: {**raw.document, "id": raw.id} for raw in raws}
    listed = http.get(f"{ROOT}?size=10000&include_deleted=true").json()
    assert {each["id"]: each for each in listed["results"]} == shown
    assert listed["count"] == len(shown)
    live = http.get(f"{ROOT}?size=10000").json()["results"]
    assert {each["id"] for each in live} == shown.keys() - deleted
    for raw in index.write(lambda raw: raw.field == ("deleted",)):
        assert (http.get(f"{ROOT}/{raw.id}").status_code == 404) is (raw.id in deleted), raw
        assert http.get(f"{ROOT}/{raw.id}?include_deleted=true").json() == shown[raw.id], raw


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("index_name=resting", {"term": {"index_name": "resting"}}),
        ("connector_name=n", {"term": {"name": "n"}}),
        ("service_type=mysql", {"term": {"service_type": "mysql"}}),
        ("query=content-1", {"wildcard": {"index_name": "*content-1*"}}),
    ],
)
def test_list_filters_as_elasticsearch_does(
    http: Http, index: RawIndex, parameter: str, query: dict[str, Any]
) -> None:
    index.write()
    listed = http.get(f"{ROOT}?size=10000&include_deleted=true&{parameter}").json()
    assert {each["id"] for each in listed["results"]} == index.matching(query)


def test_managed_connector_with_an_index_of_any_name_can_be_changed(http: Http, connectors: Stored) -> None:
    """Only who attaches an index, or hands the connector over to Elastic, is asked for the prefix."""
    document = CONNECTOR | {"index_name": "search-x", "is_native": True}
    refused = []
    for change in CHANGES:
        raw = Raw("c1", ("index_name",), "without the prefix", "search-x", connectors.put("c1", document))
        response = change.send(http, raw)
        after = connectors.source("c1")
        assert list(change.violations(raw, response, after)) == []
        if response.status_code == 400:
            refused.append(change.endpoint.body)
    assert refused == [{"service_type": "x", "is_native": True}, {"is_native": True}]
