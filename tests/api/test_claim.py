"""`PUT /_connector/_sync_job/{id}/_claim`: assigns a waiting job to one worker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.documents import SECRET, Stored, a_connector, a_job, a_running_job, only_changes
from tests.endpoints import JOBS
from tests.responses import bad_transition, envelope, error_body, illegal, is_now, unreadable
from tests.service import Http, Service

CLAIM = f"{JOBS}/j1/_claim"
PARSER = "claim_connector_sync_job"
WORKER = {"worker_hostname": "worker-1"}


def claim_refused(status: str, holder: str = "") -> dict[str, Any]:
    """The 409 for a job that cannot be claimed."""
    reason = bad_transition(status, "in_progress")
    cause = "connector_sync_job_invalid_status_transition_exception"
    return envelope(409, "status_exception", reason + holder, (cause, reason))


def claim(http: Http, jobs: Stored, worker: str, before: dict[str, Any]) -> dict[str, Any]:
    """Claim the job; returns what that changed, with `NOW` for the time of the claim."""
    since = datetime.now(UTC)
    response = http.put(CLAIM, json={"worker_hostname": worker})
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    now = changes["claimed_at"]
    assert is_now(now, since)
    return {name: "NOW" if value == now else value for name, value in changes.items()}


CLAIMED = {"status": "in_progress", "claimed_at": "NOW", "last_seen": "NOW"}


@pytest.mark.parametrize("status", ["pending", "suspended"])
def test_waiting_job_is_claimed(http: Http, jobs: Stored, status: str) -> None:
    """It keeps its other fields: counters, error, end times, cursor."""
    kept = {"completed_at": "2024-01-03T00:00:00Z", "canceled_at": None, "error": "old"}
    before = jobs.put("j1", a_job(status, **kept))
    started = CLAIMED | {"worker_hostname": "worker-1", "started_at": "NOW"}
    assert claim(http, jobs, "worker-1", before) == started


@pytest.mark.parametrize("started", [None, ["2024-01-01"]], ids=str)
def test_suspended_job_without_a_readable_start_starts_with_the_claim(
    http: Http, jobs: Stored, started: object
) -> None:
    before = jobs.put("j1", a_running_job("suspended", started_at=started))
    assert claim(http, jobs, "worker-1", before) == CLAIMED | {"started_at": "NOW"}


@pytest.mark.parametrize("worker", ["worker-1", "worker-2"])
def test_decision_2_resumed_job_keeps_its_start_and_its_counters(
    http: Http, jobs: Stored, worker: str
) -> None:
    """Also if another worker resumes it. The time of the claim is on its own."""
    before = jobs.put("j1", a_running_job("suspended", claimed_at="2024-01-01T12:00:00.000001Z"))
    other = {} if worker == "worker-1" else {"worker_hostname": worker}
    assert claim(http, jobs, worker, before) == CLAIMED | other


def test_decision_2_job_starts_with_a_claim_unless_it_is_resumed(http: Http, jobs: Stored) -> None:
    """Something else may have left a time in a job that has never run."""
    before = jobs.put("j1", a_running_job("pending", claimed_at="2024-01-01T12:00:00.000001Z"))
    assert claim(http, jobs, "worker-1", before) == CLAIMED | {"started_at": "NOW"}


def test_decision_2_claim_is_shown(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job("suspended"))
    assert http.put(CLAIM, json=WORKER).json() == {"result": "updated"}
    stored = {"id": "j1", **jobs.source("j1")}
    assert stored["claimed_at"] == stored["last_seen"] > stored["started_at"]
    assert http.get(f"{JOBS}/j1").json() == stored
    assert http.get(JOBS).json()["results"] == [stored]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "2024-01-01T12:00:00.000001Z"),
        ({"claimed_at": "2024-01-01T12:00:00.000001Z"}, "2024-01-01T12:00:00.000001Z"),
        ({"claimed_at": "2024-01-05T00:00:00Z"}, "2024-01-05T00:00:00Z"),
        ({"claimed_at": "2024-01-01T11:00:00Z"}, "2024-01-01T12:00:00.000001Z"),
        ({"claimed_at": None}, "2024-01-01T12:00:00.000001Z"),
        ({"claimed_at": {"no": "time"}}, "2024-01-01T12:00:00.000001Z"),
    ],
    ids=[
        "no claim through the API",
        "only claim",
        "resumed",
        "claimed by others since",
        "null",
        "unreadable",
    ],
)
@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_decision_2_claim_of_a_held_job_is_refused_and_names_the_holder(
    http: Http, jobs: Stored, status: str, fields: dict[str, Any], named: str
) -> None:
    """With the time of the claim, or, for a job that others claimed, of its start."""
    jobs.put("j1", a_running_job(status, **fields))
    before = jobs.version("j1")
    refused = claim_refused(status, f" Sync job [j1] was claimed by [worker-1] at [{named}].")
    assert error_body(http.put(CLAIM, json={"worker_hostname": "worker-2"})) == refused
    assert jobs.version("j1") == before


@pytest.mark.parametrize("status", ["in_progress", "canceling", "canceled", "completed", "error"])
def test_decision_2_claim_of_a_job_without_a_holder_is_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(CLAIM, json=WORKER)) == claim_refused(status)
    assert jobs.version("j1") == before


@pytest.mark.parametrize("status", ["canceled", "completed", "error"])
def test_decision_2_claim_of_a_finished_job_is_refused(http: Http, jobs: Stored, status: str) -> None:
    """Not even for the worker that finished it."""
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    response = http.put(CLAIM, json=WORKER)
    assert response.status_code == 409
    assert response.json()["error"]["reason"].startswith(bad_transition(status, "in_progress"))
    assert jobs.version("j1") == before


CURSORS = [None, {}, {"a": {"b": [1.5, None, "x"]}}]


@pytest.mark.parametrize("status", ["pending", "suspended"])
@pytest.mark.parametrize("cursor", CURSORS, ids=["none", "empty", "full"])
def test_decision_2_duplicate_claim_of_the_winner_is_a_noop(
    http: Http, jobs: Stored, cursor: object, status: str
) -> None:
    body = WORKER if cursor is None else WORKER | {"sync_cursor": cursor}
    jobs.put("j1", a_running_job(status))
    assert http.put(CLAIM, json=body).json() == {"result": "updated"}
    before = jobs.version("j1")
    for _ in range(2):
        response = http.put(CLAIM, json=body)
        assert (response.status_code, response.json()) == (200, {"result": "noop"})
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (WORKER, {"worker_hostname": "worker-2"}),
        (WORKER, {"worker_hostname": "Worker-1"}),
        (WORKER, WORKER | {"sync_cursor": {}}),
        (WORKER | {"sync_cursor": {"a": 1}}, WORKER),
        (WORKER | {"sync_cursor": {"a": 1}}, WORKER | {"sync_cursor": {"a": 2}}),
        ({"worker_hostname": ""}, {"worker_hostname": ""}),
    ],
    ids=["worker", "case of the worker", "new cursor", "no cursor", "other cursor", "nameless worker"],
)
def test_decision_2_claim_that_differs_is_no_duplicate(
    http: Http, jobs: Stored, first: dict[str, Any], second: dict[str, Any]
) -> None:
    jobs.put("j1", a_job())
    assert http.put(CLAIM, json=first).json() == {"result": "updated"}
    before = jobs.version("j1")
    response = http.put(CLAIM, json=second)
    assert response.status_code == 409
    assert response.json()["error"]["reason"].startswith(bad_transition("in_progress", "in_progress"))
    assert jobs.version("j1") == before


STATS = dict.fromkeys(["deleted_document_count", "indexed_document_count", "indexed_document_volume"], 0)


@pytest.mark.parametrize(
    ("touch", "body"),
    [("_check_in", None), ("_stats", STATS), ("_cancel", None), ("_error", {"error": "x"})],
    ids=["_check_in", "_stats", "_cancel", "_error"],
)
def test_decision_2_duplicate_claim_after_another_update_is_refused(
    http: Http, jobs: Stored, touch: str, body: object
) -> None:
    jobs.put("j1", a_job())
    assert http.put(CLAIM, json=WORKER).json() == {"result": "updated"}
    assert http.put(f"{JOBS}/j1/{touch}", json=body).status_code == 200
    before = jobs.version("j1")
    assert http.put(CLAIM, json=WORKER).status_code == 409
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("age", "status"), [(50, 200), (70, 409)])
def test_decision_2_duplicate_claim_is_accepted_for_sixty_seconds(
    http: Http, jobs: Stored, age: int, status: int
) -> None:
    then = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    jobs.put("j1", a_running_job(started_at=then, last_seen=then))
    before = jobs.version("j1")
    assert http.put(CLAIM, json=WORKER).status_code == status
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("claimed", "seen", "status"), [(50, 50, 200), (50, 40, 409), (70, 70, 409)])
def test_decision_2_duplicate_claim_of_a_resumed_job_counts_from_the_claim(
    http: Http, jobs: Stored, claimed: int, seen: int, status: int
) -> None:
    """`started_at` is that of the first claim."""
    now = datetime.now(UTC)
    times = {"claimed_at": claimed, "last_seen": seen}
    jobs.put(
        "j1",
        a_running_job(**{name: (now - timedelta(seconds=age)).isoformat() for name, age in times.items()}),
    )
    before = jobs.version("j1")
    assert http.put(CLAIM, json=WORKER).status_code == status
    assert jobs.version("j1") == before


@pytest.fixture(scope="module")
def service_without_window(node_url: str) -> Iterator[Service]:
    with Service(node_url, CLAIM_RESEND_WINDOW="0", WORKERS="1") as service:
        service.wait_until_ready()
        yield service


def test_decision_2_window_for_duplicate_claims_is_a_setting(
    service_without_window: Service, jobs: Stored
) -> None:
    jobs.put("j1", a_job())
    assert service_without_window.http.put(CLAIM, json=WORKER).status_code == 200
    assert service_without_window.http.put(CLAIM, json=WORKER).status_code == 409


def test_decision_13_cursor_of_the_claim_replaces_the_stored_one(http: Http, jobs: Stored) -> None:
    job = a_job()
    job["connector"]["sync_cursor"] = {"old": 1, "shared": {"old": 1}}
    jobs.put("j1", job)
    cursor = {"shared": {"new": [2, None]}, "big": 2**70, "a.b": ""}
    assert http.put(CLAIM, json=WORKER | {"sync_cursor": cursor}).json() == {"result": "updated"}
    stored = jobs.source("j1")
    assert stored["connector"] == job["connector"] | {"sync_cursor": cursor}


def test_claim_without_a_cursor_keeps_the_stored_one(http: Http, jobs: Stored) -> None:
    job = a_job()
    job["connector"]["sync_cursor"] = {"old": 1}
    jobs.put("j1", job)
    assert http.put(CLAIM, json=WORKER).json() == {"result": "updated"}
    assert jobs.source("j1")["connector"] == job["connector"]


def test_claim_does_not_change_the_connector(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put("c1", a_connector(sync_cursor=None))
    before = connectors.version("c1")
    jobs.put("j1", a_job())
    assert http.put(CLAIM, json=WORKER | {"sync_cursor": {"a": 1}}).status_code == 200
    assert connectors.version("c1") == before


@pytest.mark.parametrize("hostname", ["", " ", "wörker-\U0001f525", "w" * 5000])
def test_any_string_is_a_worker_hostname(http: Http, jobs: Stored, hostname: str) -> None:
    jobs.put("j1", a_job())
    assert http.put(CLAIM, json={"worker_hostname": hostname}).json() == {"result": "updated"}
    assert jobs.source("j1")["worker_hostname"] == hostname


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({}, illegal("Required [worker_hostname]")),
        ({"sync_cursor": {}}, illegal("Required [worker_hostname]")),
        (
            {"worker_hostname": None},
            unreadable(f"[l:c] [{PARSER}] worker_hostname doesn't support values of type: VALUE_NULL"),
        ),
        (
            WORKER | {"sync_cursor": None},
            unreadable(f"[l:c] [{PARSER}] sync_cursor doesn't support values of type: VALUE_NULL"),
        ),
        (
            WORKER | {"sync_cursor": [{}]},
            unreadable(f"[l:c] [{PARSER}] sync_cursor doesn't support values of type: START_ARRAY"),
        ),
        (
            WORKER | {"sync_cursor": "x"},
            unreadable(f"[l:c] [{PARSER}] sync_cursor doesn't support values of type: VALUE_STRING"),
        ),
        (
            {"worker_hostnam": "w"},
            unreadable(f"[l:c] [{PARSER}] unknown field [worker_hostnam] did you mean [worker_hostname]?"),
        ),
    ],
    ids=str,
)
def test_invalid_body_is_refused(http: Http, jobs: Stored, body: object, response: object) -> None:
    jobs.put("j1", a_job())
    before = jobs.version("j1")
    assert error_body(http.put(CLAIM, json=body)) == response
    assert jobs.version("j1") == before


def test_refused_claim_shows_no_secret(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job())
    assert SECRET not in http.put(CLAIM, json={"worker_hostname": "worker-2"}).text
