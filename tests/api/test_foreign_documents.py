"""Documents that other programs wrote: shown untouched, changed without a stumble."""

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

WORKER = {"worker_hostname": "w", "sync_cursor": {"a": 1}}
NO_TRANSITION = "connector_sync_job_invalid_status_transition_exception"

# What the public connector service leaves behind: offsets instead of `Z`, nulls, no counts.
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
    ("by the worker", BY_THE_WORKER),
    ("nothing but a status", {}),
    ("no connector", {"metadata": {"a": 1}}),
    ("a connector that is null", {"connector": None}),
    ("no metadata", {"connector": {"id": "c1"}}),
    ("metadata that is null", {"metadata": None}),
    ("a total that is null", {"total_document_count": None}),
    ("counters as texts", {"indexed_document_count": "5", "deleted_document_count": "0"}),
    (
        "fields nobody knows",
        {"x": {"y": [{"z": None}]}, "verdict": "mine", "_meta": {"a.b": 1}},
    ),
    ("offsets", {"last_seen": "2024-01-01T05:30:00+05:30", "started_at": "2024-01-01T00:00:00+00:00"}),
    ("epochs", {"last_seen": 1704067200000, "started_at": "1704067200000", "created_at": 1704067200000}),
    ("lists", {"last_seen": ["2024-01-01"], "connector": [{"id": "c1"}], "metadata": [{"a": 1}]}),
]
FOREIGN = pytest.mark.parametrize("shape", named(SHAPES))
STATES = ["pending", "in_progress", "completed", "resting", None]


@FOREIGN
def test_get_and_list_show_them_untouched(http: Http, jobs: Stored, shape: dict[str, Any]) -> None:
    documents = {f"{status}": shape | {"status": status} for status in STATES}
    jobs.put_all(documents)
    shown = {job: {**document, "id": job} for job, document in documents.items()}
    assert {job: http.get(f"{JOBS}/{job}").json() for job in documents} == shown
    assert {job["id"]: job for job in http.get(JOBS).json()["results"]} == shown


def test_id_is_that_of_the_document(http: Http, jobs: Stored) -> None:
    """Early versions stored an id; the one that requests are sent to is the document's."""
    jobs.put("j1", {"status": "pending", "id": "other"})
    assert http.get(f"{JOBS}/j1").json()["id"] == "j1"
    assert ids_of(http.get(JOBS)) == ["j1"]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize("inner", ["1", str(2**70)])
def test_deepest_that_elasticsearch_takes_is_shown(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch, opening: str, closing: str, inner: str
) -> None:
    """1000 levels in all, as no body of this service's own may have."""
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


# What a write may change in a document that lacks what others have.
CHANGED = {
    "_claim": {"status", "worker_hostname", "started_at", "last_seen", "connector"},
    "_check_in": {"last_seen"},
    "_stats": {*COUNTERS, "last_seen", "metadata"},
    "_cancel": {"status", "cancelation_requested_at", "canceled_at", "completed_at"},
    "_error": {"status", "error", "completed_at", "last_seen"},
}


@FOREIGN
def test_they_are_changed_like_any_other(http: Http, jobs: Stored, shape: dict[str, Any]) -> None:
    for status, path, body, then in (
        ("pending", "_claim", WORKER, "in_progress"),
        ("suspended", "_cancel", None, "canceled"),
        ("in_progress", "_cancel", None, "canceling"),
        ("in_progress", "_check_in", None, "in_progress"),
        ("in_progress", "_stats", COUNTERS | {"metadata": {"new": 1}}, "in_progress"),
        ("canceling", "_error", {"error": "x"}, "error"),
    ):
        before = jobs.put("j1", shape | {"status": status})
        response = http.put(f"{JOBS}/j1/{path}", **({"json": body} if body else {}))
        assert (path, response.status_code, response.json()) == (path, 200, {"result": "updated"})
        after = jobs.source("j1")
        assert after["status"] == then
        changed = {key for key in after.keys() | before.keys() if after.get(key) != before.get(key)}
        assert changed <= CHANGED[path]
        if path == "_claim":
            kept = before.get("connector") if isinstance(before.get("connector"), dict) else {}
            assert after["connector"] == {**(kept or {}), "sync_cursor": {"a": 1}}
        if path == "_stats":
            assert after["metadata"]["new"] == 1
            assert after.items() >= COUNTERS.items()


# Stored status, and how a refusal shows it.
NO_STATUS = [
    ("resting", "resting"),
    ("PENDING", "PENDING"),
    ("", ""),
    (None, "null"),
    (7, "7"),
    (["pending"], "[pending]"),
]


@pytest.mark.parametrize(("status", "shown"), NO_STATUS)
@pytest.mark.parametrize(("path", "body"), [("_cancel", None), ("_error", {"error": "x"})])
def test_status_that_is_none_has_no_transition(
    http: Http, jobs: Stored, status: object, shown: str, path: str, body: object
) -> None:
    jobs.put("j1", {"status": status})
    before = jobs.version("j1")
    response = http.put(f"{JOBS}/j1/{path}", **({"json": body} if body else {}))
    assert error_body(response) == envelope(
        400, "illegal_argument_exception", f"Unknown ConnectorSyncStatus [{shown}]."
    )
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("status", "shown"), NO_STATUS)
def test_decision_2_status_that_is_none_cannot_be_claimed(
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
def test_decision_5_heartbeats_end_with_finished_jobs_only(http: Http, jobs: Stored, status: object) -> None:
    jobs.put("j1", {"status": status})
    assert http.put(f"{JOBS}/j1/_check_in").json() == {"result": "updated"}
    assert http.put(f"{JOBS}/j1/_stats", json=COUNTERS).json() == {"result": "updated"}
    assert jobs.source("j1").keys() == {"status", "last_seen", *COUNTERS}
    assert jobs.source("j1")["status"] == status


def test_decision_19_raw_writes_of_a_worker_go_on_beside_the_service(http: Http, jobs: Stored) -> None:
    """A worker claims through the API, and then suspends, completes and cancels by writing the document itself."""
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
