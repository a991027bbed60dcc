"""`PUT /_connector/_sync_job/{id}/_check_in`: updates `last_seen`, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.documents import FINISHED, STATUSES, Stored, a_job, a_running_job, only_changes
from tests.endpoints import JOBS
from tests.responses import envelope, error_body, is_now
from tests.service import Http

CHECK_IN = f"{JOBS}/j1/_check_in"


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in FINISHED])
def test_check_in_updates_last_seen_and_nothing_else(http: Http, jobs: Stored, status: str) -> None:
    before = jobs.put("j1", a_running_job(status))
    since = datetime.now(UTC)
    response = http.put(CHECK_IN)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    assert list(changes) == ["last_seen"]
    assert is_now(changes["last_seen"], since)


@pytest.mark.parametrize("status", FINISHED)
def test_decision_5_check_in_of_a_finished_job_is_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(CHECK_IN)) == envelope(
        409,
        "status_exception",
        f"Sync job [j1] is finished with status [{status}] and takes no more heartbeats or stats.",
    )
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    "stored",
    [
        "2999-01-01T00:00:00Z",
        "2999-01-01T00:00:00+02:00",
        "32472144000000",
        32472144000000,
        None,
        ["2024-01-01"],
    ],
)
def test_decision_5_future_or_unreadable_last_seen_is_overwritten(
    http: Http, jobs: Stored, stored: object
) -> None:
    jobs.put("j1", a_job("in_progress", last_seen=stored))
    since = datetime.now(UTC)
    assert http.put(CHECK_IN).json() == {"result": "updated"}
    assert is_now(jobs.source("j1")["last_seen"], since)


def test_decision_5_check_in_sets_a_missing_last_seen(http: Http, jobs: Stored) -> None:
    jobs.put("j1", {"status": "in_progress"})
    since = datetime.now(UTC)
    assert http.put(CHECK_IN).json() == {"result": "updated"}
    document = jobs.source("j1")
    assert document.keys() == {"status", "last_seen"}
    assert is_now(document["last_seen"], since)


def test_last_seen_grows_with_each_check_in(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job("in_progress"))
    seen = []
    for _ in range(5):
        assert http.put(CHECK_IN).json() == {"result": "updated"}
        seen.append(datetime.fromisoformat(jobs.source("j1")["last_seen"]))
    assert seen == sorted(seen)
    assert len(set(seen)) == 5
