"""`_complete`, `_suspend` and `_confirm_cancel`: how a worker ends its job through the API, or leaves it for later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.documents import STATUSES, Stored, a_connector, a_job, a_running_job, only_changes
from tests.endpoints import JOBS
from tests.responses import (
    bad_transition,
    error,
    error_body,
    illegal,
    invalid,
    is_now,
    no_such_transition,
    unreadable,
)
from tests.service import Http

PARSER = "connector_sync_job_report"
NOW = "now"
WORKER = "?worker_hostname=worker-1"


@dataclass(frozen=True)
class End:
    """An endpoint, the status in which it takes a job and the one in which it leaves it, and what it sets to now."""

    name: str
    start: str
    status: str
    times: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{JOBS}/j1/{self.name}"

    @property
    def changes(self) -> dict[str, Any]:
        return {"status": self.status} | dict.fromkeys(self.times, NOW)


COMPLETE = End("_complete", "in_progress", "completed", ("completed_at", "last_seen"))
SUSPEND = End("_suspend", "in_progress", "suspended", ("last_seen",))
CONFIRM = End("_confirm_cancel", "canceling", "canceled", ("canceled_at", "completed_at", "last_seen"))
ENDS = [COMPLETE, SUSPEND, CONFIRM]


def each(ends: list[End]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("end", ends, ids=lambda end: end.name)


EACH = each(ENDS)
WITH_CURSOR = each([COMPLETE, SUSPEND])


def changed(http: Http, jobs: Stored, end: End, before: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What the request changes in the job, with `NOW` for its time."""
    jobs.put("j1", before)
    since = datetime.now(UTC)
    response = http.put(end.path, **options)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    now = changes["last_seen"]
    assert is_now(now, since)
    return {name: NOW if value == now else value for name, value in changes.items()}


@pytest.mark.parametrize("options", [{}, {"json": {}}], ids=["no body", "empty body"])
@EACH
def test_end_without_a_report(http: Http, jobs: Stored, end: End, options: dict[str, Any]) -> None:
    assert changed(http, jobs, end, a_running_job(end.start), **options) == end.changes


@EACH
def test_end_with_a_report(http: Http, jobs: Stored, end: End) -> None:
    """Counters are those of the whole job, metadata is merged."""
    before = a_running_job(end.start)
    report = {
        "deleted_document_count": 0,
        "indexed_document_count": 2**40,
        "indexed_document_volume": 7,
        "total_document_count": 8,
        "metadata": {"new": 1, "kept": {"b": None}},
    }
    merged = {"kept": {"a": [1, None], "b": None}, "new": 1}
    assert changed(http, jobs, end, before, json=report) == end.changes | report | {"metadata": merged}


@EACH
def test_each_counter_is_optional(http: Http, jobs: Stored, end: End) -> None:
    for name in ("deleted_document_count", "indexed_document_count", "indexed_document_volume"):
        before = a_running_job(end.start)
        assert changed(http, jobs, end, before, json={name: 50}) == end.changes | {name: 50}


@pytest.mark.parametrize("cursor", [{}, {"shared": {"new": [2, None]}, "big": 2**70}], ids=["empty", "full"])
@WITH_CURSOR
def test_decision_13_cursor_replaces_that_of_the_job(
    http: Http, jobs: Stored, end: End, cursor: dict[str, Any]
) -> None:
    before = a_running_job(end.start)
    before["connector"]["sync_cursor"] = {"shared": {"old": 1}}
    changes = changed(http, jobs, end, before, json={"sync_cursor": cursor})
    assert changes == end.changes | {"connector": before["connector"] | {"sync_cursor": cursor}}


def test_canceled_job_has_no_cursor_to_report(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job("canceling"))
    before = jobs.version("j1")
    assert error_body(http.put(CONFIRM.path, json={"sync_cursor": {}})) == unreadable(
        f"[l:c] [{PARSER}] unknown field [sync_cursor]"
    )
    assert jobs.version("j1") == before


def test_completed_job_has_no_error(http: Http, jobs: Stored) -> None:
    """A worker may have left one, and gone on."""
    jobs.put("j1", a_running_job(error="it broke, but not for good"))
    assert http.put(COMPLETE.path).json() == {"result": "updated"}
    assert "error" not in jobs.source("j1")


@each([SUSPEND, CONFIRM])
def test_other_ends_keep_the_error(http: Http, jobs: Stored, end: End) -> None:
    assert changed(http, jobs, end, a_running_job(end.start, error="old")) == end.changes


@pytest.mark.parametrize("seen", ["2999-01-01T00:00:00Z", None, ["2024-01-01"]], ids=str)
@EACH
def test_end_sets_last_seen_whatever_is_stored(http: Http, jobs: Stored, end: End, seen: object) -> None:
    assert changed(http, jobs, end, a_running_job(end.start, last_seen=seen)) == end.changes


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(end, status, id=f"{end.name}-{status}")
        for end in ENDS
        for status in STATUSES
        if status != end.start
    ],
)
def test_end_in_any_other_status_is_refused(http: Http, jobs: Stored, end: End, status: str) -> None:
    """A canceling job cannot be completed: its worker confirms the cancellation."""
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(end.path)) == no_such_transition(status, end.status)
    assert jobs.version("j1") == before


@EACH
def test_repeated_end_of_the_same_worker_is_a_noop(http: Http, jobs: Stored, end: End) -> None:
    """The first response may have been lost. The report of the second request is that of the first: it is not stored."""
    jobs.put("j1", a_running_job(end.start))
    assert http.put(end.path + WORKER).json() == {"result": "updated"}
    before = jobs.version("j1")
    for options in ({}, {"json": {"indexed_document_count": 50, "metadata": {"new": 1}}}):
        response = http.put(end.path + WORKER, **options)
        assert (response.status_code, response.json()) == (200, {"result": "noop"})
    assert jobs.version("j1") == before


@EACH
def test_repeated_end_of_nobody_in_particular_is_refused(http: Http, jobs: Stored, end: End) -> None:
    """Workers without a name are nobody in particular, too."""
    jobs.put("j1", a_running_job(end.start, worker_hostname=""))
    assert http.put(f"{end.path}?worker_hostname=").json() == {"result": "updated"}
    before = jobs.version("j1")
    for query in ("", "?worker_hostname="):
        assert error_body(http.put(end.path + query)) == no_such_transition(end.status, end.status)
    assert jobs.version("j1") == before


@EACH
def test_repeated_end_of_another_worker_is_refused(http: Http, jobs: Stored, end: End) -> None:
    jobs.put("j1", a_running_job(end.status))
    before = jobs.version("j1")
    assert error(http.put(f"{end.path}?worker_hostname=worker-2")) == (
        409,
        "status_exception",
        "Sync job [j1] is held by [worker-1], not by [worker-2].",
    )
    assert jobs.version("j1") == before


@EACH
def test_end_that_another_program_wrote_is_a_noop(http: Http, jobs: Stored, end: End) -> None:
    jobs.put("j1", a_running_job(end.status))
    before = jobs.version("j1")
    assert http.put(end.path + WORKER).json() == {"result": "noop"}
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({"total_document_count": -1}, invalid("[total_document_count] cannot be negative.")),
        (
            {"indexed_document_count": -1, "deleted_document_count": -1},
            invalid(
                "[deleted_document_count] cannot be negative.", "[indexed_document_count] cannot be negative."
            ),
        ),
        (
            {"metadata": None},
            unreadable(f"[l:c] [{PARSER}] metadata doesn't support values of type: VALUE_NULL"),
        ),
        (
            {"indexed_document_count": None},
            unreadable(f"[l:c] [{PARSER}] indexed_document_count doesn't support values of type: VALUE_NULL"),
        ),
        ({"last_seen": "2024-01-01T00:00:00Z"}, unreadable(f"[l:c] [{PARSER}] unknown field [last_seen]")),
        ({"error": "it broke"}, unreadable(f"[l:c] [{PARSER}] unknown field [error]")),
        (
            {"metadatas": {}},
            unreadable(f"[l:c] [{PARSER}] unknown field [metadatas] did you mean [metadata]?"),
        ),
    ],
    ids=str,
)
@EACH
def test_invalid_report_is_refused(
    http: Http, jobs: Stored, end: End, body: object, response: object
) -> None:
    """Before anybody looks for the job, or for who holds it."""
    jobs.put("j1", a_running_job(end.start))
    before = jobs.version("j1")
    for path in (end.path, f"{end.path}?worker_hostname=worker-2", f"{JOBS}/none/{end.name}"):
        assert error_body(http.put(path, json=body)) == response
    assert jobs.version("j1") == before


@EACH
def test_metadata_that_elasticsearch_refuses_changes_nothing(http: Http, jobs: Stored, end: End) -> None:
    jobs.put("j1", a_running_job(end.start))
    before = jobs.version("j1")
    response = http.put(end.path, json={"metadata": {"a..b": 1}})
    assert response.status_code == 400
    assert jobs.version("j1") == before


@EACH
def test_unknown_parameter_is_refused(http: Http, end: End) -> None:
    assert error_body(http.put(f"{end.path}?worker_hostnam=worker-1")) == illegal(
        f"request [{end.path}] contains unrecognized parameter: [worker_hostnam] -> did you mean [worker_hostname]?"
    )


def test_job_is_suspended_resumed_and_completed(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Without a direct write: the second worker goes on where the first one stopped."""
    connectors.put("c1", a_connector())
    job = http.post(JOBS, json={"id": "c1", "job_type": "incremental"}).json()["id"]
    path = f"{JOBS}/{job}"
    assert http.put(f"{path}/_claim", json={"worker_hostname": "w1"}).json() == {"result": "updated"}
    started = jobs.source(job)["started_at"]
    stopped = {"indexed_document_count": 3, "sync_cursor": {"page": 7}}
    assert http.put(f"{path}/_suspend?worker_hostname=w1", json=stopped).json() == {"result": "updated"}

    assert http.put(f"{path}/_claim", json={"worker_hostname": "w2"}).json() == {"result": "updated"}
    resumed = http.get(path).json()
    assert (resumed["status"], resumed["worker_hostname"]) == ("in_progress", "w2")
    assert (resumed["started_at"], resumed["indexed_document_count"]) == (started, 3)
    assert resumed["connector"]["sync_cursor"] == {"page": 7}

    # The first worker is late: the job is no longer its own.
    assert http.put(f"{path}/_suspend?worker_hostname=w1").status_code == 409
    assert http.put(f"{path}/_complete?worker_hostname=w2", json={}).json() == {"result": "updated"}
    ended = http.get(path).json()
    assert (ended["status"], ended["started_at"]) == ("completed", started)
    assert http.put(f"{path}/_check_in").status_code == 409


def test_running_job_is_canceled_and_its_worker_confirms_it(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "worker-1"}).status_code == 200
    assert error_body(http.put(CONFIRM.path + WORKER)) == no_such_transition("in_progress", "canceled")
    assert http.put(f"{JOBS}/j1/_cancel").json() == {"result": "updated"}
    reason = error(http.put(COMPLETE.path + WORKER))[2]
    assert reason == bad_transition("canceling", "completed")
    assert http.put(CONFIRM.path + WORKER).json() == {"result": "updated"}
    job = jobs.source("j1")
    assert job["status"] == "canceled"
    assert job["canceled_at"] == job["completed_at"] == job["last_seen"] > job["cancelation_requested_at"]
