"""Documents that other programs wrote are returned unchanged and can be updated."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.cases import named
from tests.documents import Stored
from tests.endpoints import COUNTERS, JOBS
from tests.responses import bad_transition, envelope, error_body, ids_of
from tests.service import Http

CURSOR = {"sync_cursor": {"a": 1}}
WORKER = {"worker_hostname": "w"} | CURSOR
NO_TRANSITION = "connector_sync_job_invalid_status_transition_exception"

# As the public connector service writes jobs: offsets instead of `Z`, nulls, missing counters.
BY_THE_WORKER = {
    "canceled_at": None,
    "completed_at": "2024-01-01T00:00:00.123456+00:00",
    "connector": {"configuration": {}, "filtering": [], "id": "c1", "language": None, "pipeline": None},
    "created_at": "2024-01-01T00:00:00.123456+00:00",
    "error": None,
    "indexed_document_count": 5,
    "last_seen": "2024-01-01T00:00:00.123456+00:00",
    "metadata": {},
    "started_at": "2024-01-01T00:00:00.123456+00:00",
    "total_document_count": None,
    "worker_hostname": None,
}
SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("by a worker", BY_THE_WORKER),
    ("status only", {}),
    ("no connector", {"metadata": {"a": 1}}),
    ("connector is null", {"connector": None}),
    ("no metadata", {"connector": {"id": "c1"}}),
    ("metadata is null", {"metadata": None}),
    ("total is null", {"total_document_count": None}),
    ("counters as strings", {"indexed_document_count": "5", "deleted_document_count": "0"}),
    (
        "unknown fields",
        {"x": {"y": [{"z": None}]}, "verdict": "mine", "_meta": {"a.b": 1}},
    ),
    ("offsets", {"last_seen": "2024-01-01T05:30:00+05:30", "started_at": "2024-01-01T00:00:00+00:00"}),
    ("epochs", {"last_seen": 1704067200000, "started_at": "1704067200000", "created_at": 1704067200000}),
    ("lists", {"last_seen": ["2024-01-01"], "connector": [{"id": "c1"}], "metadata": [{"a": 1}]}),
]
FOREIGN = pytest.mark.parametrize("shape", named(SHAPES))
STATES = ["pending", "in_progress", "completed", "resting", None]


@FOREIGN
def test_foreign_document_is_returned_unchanged_by_get_and_list(
    http: Http, jobs: Stored, shape: dict[str, Any]
) -> None:
    documents = {f"{status}": shape | {"status": status} for status in STATES}
    jobs.put_all(documents)
    shown = {job: {**document, "id": job} for job, document in documents.items()}
    assert {job: http.get(f"{JOBS}/{job}").json() for job in documents} == shown
    assert {job["id"]: job for job in http.get(JOBS).json()["results"]} == shown


def test_id_is_that_of_the_document(http: Http, jobs: Stored) -> None:
    """Early versions stored an id in the document; the id of the document itself is returned."""
    jobs.put("j1", {"status": "pending", "id": "other"})
    assert http.get(f"{JOBS}/j1").json()["id"] == "j1"
    assert ids_of(http.get(JOBS)) == ["j1"]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize("inner", ["1", str(2**70)])
def test_deepest_document_of_elasticsearch_can_be_read_and_updated(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch, opening: str, closing: str, inner: str
) -> None:
    """1000 levels in all, which is more than request bodies of this service may have."""
    text = '{"status":"pending","metadata":{"x":' + opening * 998 + inner + closing * 998 + "}}"
    headers = {"content-type": "application/json", "accept": "application/json"}
    elasticsearch.perform_request("PUT", f"/{SYNC_JOBS.alias}/_doc/deep", headers=headers, body=text)
    jobs.put("flat", {"status": "pending"})
    shown = text.replace("{", '{"id":"deep",', 1)
    assert http.get(f"{JOBS}/deep").text == shown
    assert http.get(f"{JOBS}?size=1").text == '{"count":2,"results":[' + shown + "]}"
    assert ids_of(http.get(JOBS)) == ["deep", "flat"]
    for parameters in ("pretty", "filter_path=**.x", "filter_path=-**.b", "filter_path=-nothing&pretty"):
        assert http.get(f"{JOBS}/deep?{parameters}").json()["metadata"], parameters
        assert http.get(f"{JOBS}?{parameters}").json()["results"][0]["metadata"], parameters
    assert http.put(f"{JOBS}/deep/_claim", json=WORKER).json() == {"result": "updated"}
    assert http.put(f"{JOBS}/deep/_stats", json=COUNTERS | {"metadata": {"x": 1}}).json() == {
        "result": "updated"
    }


METADATA = {"metadata": {"new": 1}}
REPORT = COUNTERS | METADATA
# The fields that each request may change.
REPORTED = {*REPORT, "status", "last_seen", "connector"}
CHANGED = {
    "_claim": {"status", "worker_hostname", "started_at", "claimed_at", "last_seen", "connector"},
    "_check_in": {"last_seen"},
    "_stats": {*COUNTERS, "last_seen", "metadata"},
    "_cancel": {"status", "cancelation_requested_at", "canceled_at", "completed_at"},
    "_error": {"status", "error", "completed_at", "last_seen"},
    "_complete": {*REPORTED, "error", "completed_at"},
    "_suspend": REPORTED,
    "_confirm_cancel": REPORTED | {"canceled_at", "completed_at"},
}


@FOREIGN
def test_foreign_document_can_be_updated(http: Http, jobs: Stored, shape: dict[str, Any]) -> None:
    for status, path, body, then in (
        ("pending", "_claim", WORKER, "in_progress"),
        ("suspended", "_cancel", None, "canceled"),
        ("in_progress", "_cancel", None, "canceling"),
        ("in_progress", "_check_in", None, "in_progress"),
        ("in_progress", "_stats", REPORT, "in_progress"),
        ("canceling", "_error", {"error": "x"}, "error"),
        ("in_progress", "_complete", REPORT | CURSOR, "completed"),
        ("in_progress", "_suspend", REPORT | CURSOR, "suspended"),
        ("canceling", "_confirm_cancel", REPORT, "canceled"),
    ):
        before = jobs.put("j1", shape | {"status": status})
        response = http.put(f"{JOBS}/j1/{path}", **({"json": body} if body else {}))
        assert (path, response.status_code, response.json()) == (path, 200, {"result": "updated"})
        after = jobs.source("j1")
        assert after["status"] == then
        changed = {key for key in after.keys() | before.keys() if after.get(key) != before.get(key)}
        assert changed <= CHANGED[path]
        if body and "sync_cursor" in body:
            kept = before.get("connector")
            if isinstance(kept, list):  # an object in a list is kept, and its list
                assert after["connector"] == [{**kept[0], "sync_cursor": {"a": 1}}]
            else:
                assert after["connector"] == {**(kept or {}), "sync_cursor": {"a": 1}}
        if body and "metadata" in body:
            metadata = after["metadata"]
            assert (metadata[0] if isinstance(metadata, list) else metadata)["new"] == 1
            assert after.items() >= COUNTERS.items()


# An invalid status, and how the error message shows it.
INVALID_STATUSES = [
    ("resting", "resting"),
    ("PENDING", "PENDING"),
    ("", ""),
    (None, "null"),
    (7, "7"),
    (["pending"], "[pending]"),
]


@pytest.mark.parametrize(("status", "shown"), INVALID_STATUSES)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("_cancel", None),
        ("_error", {"error": "x"}),
        ("_complete", CURSOR),
        ("_suspend", None),
        ("_confirm_cancel", METADATA),
    ],
)
def test_transition_from_an_invalid_status_is_refused(
    http: Http, jobs: Stored, status: object, shown: str, path: str, body: object
) -> None:
    jobs.put("j1", {"status": status})
    before = jobs.version("j1")
    response = http.put(f"{JOBS}/j1/{path}", **({"json": body} if body else {}))
    assert error_body(response) == envelope(
        400, "illegal_argument_exception", f"Unknown ConnectorSyncStatus [{shown}]."
    )
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("status", "shown"), INVALID_STATUSES)
def test_decision_2_claim_in_an_invalid_status_is_refused(
    http: Http, jobs: Stored, status: object, shown: str
) -> None:
    jobs.put("j1", {"status": status})
    before = jobs.version("j1")
    reason = bad_transition(shown, "in_progress")
    assert error_body(http.put(f"{JOBS}/j1/_claim", json=WORKER)) == envelope(
        409, "status_exception", reason, (NO_TRANSITION, reason)
    )
    assert jobs.version("j1") == before


@pytest.mark.parametrize("status", ["resting", None, 7, ["pending"]])
def test_decision_5_heartbeats_in_an_invalid_status_are_accepted(
    http: Http, jobs: Stored, status: object
) -> None:
    jobs.put("j1", {"status": status})
    assert http.put(f"{JOBS}/j1/_check_in").json() == {"result": "updated"}
    assert http.put(f"{JOBS}/j1/_stats", json=COUNTERS).json() == {"result": "updated"}
    assert jobs.source("j1").keys() == {"status", "last_seen", *COUNTERS}
    assert jobs.source("j1")["status"] == status


def test_decision_19_direct_writes_of_a_worker_mix_with_requests(http: Http, jobs: Stored) -> None:
    """A worker claims through the API, and then suspends, completes and cancels by direct writes of the document."""
    jobs.put("j1", BY_THE_WORKER | {"status": "pending"})
    assert http.put(f"{JOBS}/j1/_claim", json=WORKER).status_code == 200
    jobs.put("j1", jobs.source("j1") | {"status": "suspended"})
    assert http.put(f"{JOBS}/j1/_claim", json=WORKER | {"worker_hostname": "v"}).status_code == 200
    assert http.put(f"{JOBS}/j1/_cancel").status_code == 200
    ended = jobs.source("j1") | {
        "status": "canceled",
        "canceled_at": "2024-01-01T00:00:00+00:00",
        "error": None,
    }
    jobs.put("j1", ended)
    assert http.put(f"{JOBS}/j1/_check_in").status_code == 409
    assert http.get(f"{JOBS}/j1").json() == {"id": "j1", **ended}
