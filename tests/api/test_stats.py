"""`PUT /_connector/_sync_job/{id}/_stats`: sets counters, and is a heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.documents import FINISHED, SECRET, STATUSES, Stored, a_running_job, only_changes
from tests.endpoints import COUNTERS, JOBS
from tests.responses import envelope, error_body, illegal, invalid, is_now, unreadable
from tests.service import Http, Service

STATS = f"{JOBS}/j1/_stats"
PARSER = "connector_sync_job_update_ingestion_stats"

NAMES = [*COUNTERS, "total_document_count"]
LONG_MAX = 2**63 - 1


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in FINISHED])
def test_counters_are_overwritten_and_last_seen_is_updated(http: Http, jobs: Stored, status: str) -> None:
    before = jobs.put("j1", a_running_job(status))
    since = datetime.now(UTC)
    response = http.put(STATS, json=COUNTERS)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    assert is_now(changes.pop("last_seen"), since)
    assert changes == COUNTERS


@pytest.mark.parametrize("status", FINISHED)
def test_decision_5_stats_of_a_finished_job_are_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(STATS, json=COUNTERS)) == envelope(
        409,
        "status_exception",
        f"Sync job [j1] is finished with status [{status}] and takes no more heartbeats or stats.",
    )
    assert jobs.version("j1") == before


def test_total_is_changed_only_if_it_is_sent(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job())
    http.put(STATS, json=COUNTERS)
    assert jobs.source("j1")["total_document_count"] == 4
    http.put(STATS, json=COUNTERS | {"total_document_count": 0})
    assert jobs.source("j1")["total_document_count"] == 0


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (0, 0),
        (2**31, 2**31),
        (LONG_MAX, LONG_MAX),
        ("10", 10),
        (str(LONG_MAX), LONG_MAX),
        (1.9, 1),
        ("1.9", 1),
        (-0.5, 0),
        (1e3, 1000),
    ],
)
def test_decision_12_counters_are_64_bits_and_may_be_strings(
    http: Http, jobs: Stored, sent: object, stored: int
) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(STATS, json=dict.fromkeys(NAMES, sent)).json() == {"result": "updated"}
    job = jobs.source("j1")
    assert [job[name] for name in NAMES] == [stored] * 4
    assert all(type(job[name]) is int for name in NAMES)


EARLIER = datetime.now(UTC).replace(microsecond=123000) - timedelta(hours=1)
ISO = EARLIER.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "sent",
    [
        ISO,
        EARLIER.isoformat(),
        (EARLIER + timedelta(hours=2)).isoformat().replace("+00:00", "+02:00"),
        EARLIER.replace(tzinfo=None).isoformat(),
        str(int(EARLIER.timestamp() * 1000)),
    ],
    ids=["Z", "+00:00", "+02:00", "no zone", "epoch text"],
)
def test_decision_5_timestamp_is_stored_as_iso_with_z(http: Http, jobs: Stored, sent: str) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(STATS, json=COUNTERS | {"last_seen": sent}).json() == {"result": "updated"}
    assert jobs.source("j1")["last_seen"] == ISO


def test_decision_5_a_stated_last_seen_is_stored_also_when_it_is_earlier(http: Http, jobs: Stored) -> None:
    before = jobs.put("j1", a_running_job(last_seen=EARLIER.isoformat()))
    sent = "2023-12-04T08:45:50.567149Z"
    assert http.put(STATS, json=COUNTERS | {"last_seen": sent}).json() == {"result": "updated"}
    assert only_changes(before, jobs.source("j1")) == COUNTERS | {"last_seen": sent}
    assert http.put(STATS, json=COUNTERS | {"last_seen": sent}).json() == {"result": "noop"}


def test_decision_5_last_seen_is_never_in_the_future(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job())
    since = datetime.now(UTC)
    sent = (since + timedelta(hours=1)).isoformat()
    assert http.put(STATS, json=COUNTERS | {"last_seen": sent}).json() == {"result": "updated"}
    assert is_now(jobs.source("j1")["last_seen"], since)


@pytest.mark.parametrize("stored", ["2999-01-01T00:00:00+00:00", 32472144000000, ["2024-01-01"], None])
def test_decision_5_future_or_unreadable_last_seen_is_overwritten(
    http: Http, jobs: Stored, stored: object
) -> None:
    jobs.put("j1", a_running_job(last_seen=stored))
    assert http.put(STATS, json=COUNTERS | {"last_seen": ISO}).json() == {"result": "updated"}
    assert jobs.source("j1")["last_seen"] == ISO


def test_stats_sent_twice_change_nothing_the_second_time(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job())
    body = COUNTERS | {"last_seen": ISO, "total_document_count": 1, "metadata": {"a": {"b": [1]}}}
    assert http.put(STATS, json=body).json() == {"result": "updated"}
    before = jobs.version("j1")
    response = http.put(STATS, json=body)
    assert (response.status_code, response.json()) == (200, {"result": "noop"})
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, {"kept": {"a": [1, None]}}),
        ({"new": 1}, {"kept": {"a": [1, None]}, "new": 1}),
        ({"kept": {"b": {}}}, {"kept": {"a": [1, None], "b": {}}}),
        ({"kept": {"a": [2]}}, {"kept": {"a": [2]}}),
        ({"kept": None}, {"kept": None}),
        ({"kept": "x", "a.b": 2**70}, {"kept": "x", "a.b": 2**70}),
    ],
    ids=["nothing", "a key", "a key below", "a list", "null", "scalars"],
)
def test_decision_13_metadata_is_merged(http: Http, jobs: Stored, sent: object, stored: object) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(STATS, json=COUNTERS | {"metadata": sent}).json() == {"result": "updated"}
    assert jobs.source("j1")["metadata"] == stored


def test_object_in_metadata_replaces_a_list_of_objects(http: Http, jobs: Stored) -> None:
    """Only in fields of the protocol does an object in a list count as the object."""
    jobs.put("j1", a_running_job(metadata={"kept": [{"a": 1}]}))
    assert http.put(STATS, json=COUNTERS | {"metadata": {"kept": {"b": 2}}}).json() == {"result": "updated"}
    assert jobs.source("j1")["metadata"] == {"kept": {"b": 2}}


REQUIRED = list(COUNTERS)


def negative(*names: str) -> dict[str, Any]:
    return invalid(*(f"[{name}] cannot be negative." for name in names))


def wrong_type(field: str, token: str) -> dict[str, Any]:
    return unreadable(f"[l:c] [{PARSER}] {field} doesn't support values of type: {token}")


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({}, illegal(f"Required [{', '.join(REQUIRED)}]")),
        ({"total_document_count": 1}, illegal(f"Required [{', '.join(REQUIRED)}]")),
        (
            {"indexed_document_count": 1},
            illegal("Required [deleted_document_count, indexed_document_volume]"),
        ),
        (dict.fromkeys(REQUIRED, -1), negative(*REQUIRED)),
        (dict.fromkeys(reversed(NAMES), -1), negative(*NAMES)),
        (COUNTERS | {"total_document_count": -1}, negative("total_document_count")),
        (COUNTERS | {"indexed_document_count": "-5"}, negative("indexed_document_count")),
        (COUNTERS | {"deleted_document_count": None}, wrong_type("deleted_document_count", "VALUE_NULL")),
        (COUNTERS | {"deleted_document_count": True}, wrong_type("deleted_document_count", "VALUE_BOOLEAN")),
        (COUNTERS | {"deleted_document_count": []}, wrong_type("deleted_document_count", "START_ARRAY")),
        (COUNTERS | {"metadata": "x"}, wrong_type("metadata", "VALUE_STRING")),
        (COUNTERS | {"metadata": 5}, wrong_type("metadata", "VALUE_NUMBER")),
        (COUNTERS | {"metadata": None}, wrong_type("metadata", "VALUE_NULL")),
        (COUNTERS | {"last_seen": 5}, wrong_type("last_seen", "VALUE_NUMBER")),
        (COUNTERS | {"last_seen": None}, wrong_type("last_seen", "VALUE_NULL")),
        (
            COUNTERS | {"last_sen": "x"},
            unreadable(f"[l:c] [{PARSER}] unknown field [last_sen] did you mean [last_seen]?"),
        ),
    ],
    ids=str,
)
def test_invalid_body_is_refused(http: Http, jobs: Stored, body: object, response: object) -> None:
    jobs.put("j1", a_running_job())
    before = jobs.version("j1")
    assert error_body(http.put(STATS, json=body)) == response
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("last_seen", "yesterday"),
        ("last_seen", ""),
        ("last_seen", {}),
        ("last_seen", "2024-13-01T00:00:00Z"),
        ("deleted_document_count", "ten"),
        ("deleted_document_count", ""),
        ("deleted_document_count", 2**63),
        ("deleted_document_count", str(2**63)),
        ("deleted_document_count", -(2**63) - 1),
        ("total_document_count", 1e300),
    ],
)
def test_unreadable_value_is_refused(http: Http, jobs: Stored, field: str, value: object) -> None:
    jobs.put("j1", a_running_job())
    before = jobs.version("j1")
    error = error_body(http.put(STATS, json=COUNTERS | {field: value}))["error"]
    assert (error["type"], error["reason"]) == (
        "x_content_parse_exception",
        f"[l:c] [{PARSER}] failed to parse field [{field}]",
    )
    assert error["caused_by"]["reason"]
    assert jobs.version("j1") == before


@pytest.fixture
def foreign_index(service: Service, elasticsearch: Elasticsearch) -> Iterator[None]:
    """The index of jobs as Elasticsearch's own template creates it, with 32-bit counters."""
    properties = {name: {"type": "integer"} for name in NAMES}
    mappings = {**SYNC_JOBS.mappings, "properties": {**SYNC_JOBS.mappings["properties"], **properties}}
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    elasticsearch.indices.create(
        index=SYNC_JOBS.name, mappings=mappings, settings=SYNC_JOBS.settings, aliases={SYNC_JOBS.alias: {}}
    )
    service.wait_until_ready()
    yield
    elasticsearch.indices.delete(index=SYNC_JOBS.name)


def test_decision_12_value_too_large_for_a_foreign_index_is_refused_with_a_clear_error(
    http: Http, foreign_index: None, jobs: Stored
) -> None:
    jobs.put("j1", a_running_job())
    before = jobs.version("j1")
    for name in NAMES:
        for value in (2**31, LONG_MAX):
            response = http.put(STATS, json=COUNTERS | {name: value})
            error = error_body(response)["error"]
            assert response.status_code == 400
            assert f"[{name}]" in error["reason"]
            assert "[integer]" in error["reason"]
            assert str(value) in error["reason"]
            assert SECRET not in response.text
    assert jobs.version("j1") == before


def test_decision_12_value_that_fits_a_foreign_index_is_accepted(
    http: Http, foreign_index: None, jobs: Stored
) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(STATS, json=dict.fromkeys(NAMES, 2**31 - 1)).json() == {"result": "updated"}
    assert jobs.source("j1")["total_document_count"] == 2**31 - 1
