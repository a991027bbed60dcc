"""`DELETE /_connector/_sync_job/{id}`: deletes the job, in any status, and nothing else."""

from __future__ import annotations

import pytest

from tests.documents import STATUSES, Stored, a_connector, a_job
from tests.endpoints import JOBS
from tests.responses import error_body, not_found
from tests.service import Http


@pytest.mark.parametrize("status", [*STATUSES, "resting", None])
def test_delete_removes_a_job_of_any_status_and_nothing_else(
    http: Http, jobs: Stored, connectors: Stored, status: str | None
) -> None:
    connectors.put("c1", a_connector())
    for job in ("j1", "j2"):
        jobs.put(job, a_job(status))
    others = connectors.version("c1"), jobs.version("j2")
    response = http.delete(f"{JOBS}/j1")
    assert (response.status_code, response.json()) == (200, {"acknowledged": True})
    assert not jobs.exists("j1")
    assert (connectors.version("c1"), jobs.version("j2")) == others


def test_deleted_job_is_gone_from_the_list_at_once(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert http.get(JOBS).json()["count"] == 1
    http.delete(f"{JOBS}/j1")
    assert http.get(JOBS).json() == {"count": 0, "results": []}


def test_decision_15_delete_of_a_missing_job_responds_with_its_bare_id(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert http.delete(f"{JOBS}/j1").status_code == 200
    assert error_body(http.delete(f"{JOBS}/j1")) == not_found("j1")
