"""`PUT /_connector/_sync_job/{id}/_cancel`: ends a waiting job, and asks the worker of a running one to stop."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.documents import Stored, a_job, a_running_job, only_changes
from tests.endpoints import JOBS
from tests.responses import error_body, is_now, no_such_transition
from tests.service import Http

CANCEL = f"{JOBS}/j1/_cancel"


@pytest.mark.parametrize("status", ["pending", "suspended"])
def test_job_that_no_worker_runs_is_canceled(http: Http, jobs: Stored, status: str) -> None:
    before = jobs.put("j1", a_running_job(status))
    since = datetime.now(UTC)
    response = http.put(CANCEL)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    now = changes["canceled_at"]
    assert is_now(now, since)
    assert changes == {
        "status": "canceled",
        "cancelation_requested_at": now,
        "canceled_at": now,
        "completed_at": now,
    }


def test_running_job_becomes_canceling(http: Http, jobs: Stored) -> None:
    before = jobs.put("j1", a_running_job())
    since = datetime.now(UTC)
    response = http.put(CANCEL)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    assert is_now(changes["cancelation_requested_at"], since)
    assert changes == {
        "status": "canceling",
        "cancelation_requested_at": changes["cancelation_requested_at"],
    }


@pytest.mark.parametrize("status", ["canceling", "canceled", "completed", "error"])
def test_cancel_in_any_other_status_is_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(CANCEL)) == no_such_transition(status, "canceling")
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("status", "then"), [("pending", "canceled"), ("in_progress", "canceling")])
def test_decision_3_second_cancel_of_a_client_is_refused(
    http: Http, jobs: Stored, status: str, then: str
) -> None:
    jobs.put("j1", a_job(status))
    assert http.put(CANCEL).status_code == 200
    before = jobs.version("j1")
    assert error_body(http.put(CANCEL)) == no_such_transition(then, "canceling")
    assert jobs.version("j1") == before
