"""`PUT /_connector/_sync_job/{id}/_cancel`: ends a job that nobody runs, asks the worker of a running one to stop."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.api.conftest import (
    JOBS,
    Stored,
    a_job,
    a_running_job,
    illegal,
    is_now,
    missing,
    no_such_transition,
    only_changes,
    told,
)
from tests.service import Http

CANCEL = f"{JOBS}/j1/_cancel"


@pytest.mark.parametrize("status", ["pending", "suspended"])
def test_a_job_that_nobody_runs_is_canceled(http: Http, jobs: Stored, status: str) -> None:
    before = jobs.put("j1", a_running_job(status))
    since = datetime.now(UTC)
    answer = http.put(CANCEL)
    assert (answer.status_code, answer.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    now = changes["canceled_at"]
    assert is_now(now, since)
    assert changes == {
        "status": "canceled",
        "cancelation_requested_at": now,
        "canceled_at": now,
        "completed_at": now,
    }


def test_the_worker_of_a_running_job_is_asked_to_stop(http: Http, jobs: Stored) -> None:
    before = jobs.put("j1", a_running_job())
    since = datetime.now(UTC)
    answer = http.put(CANCEL)
    assert (answer.status_code, answer.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    assert is_now(changes["cancelation_requested_at"], since)
    assert changes == {
        "status": "canceling",
        "cancelation_requested_at": changes["cancelation_requested_at"],
    }


@pytest.mark.parametrize("status", ["canceling", "canceled", "completed", "error"])
def test_every_other_status_is_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert told(http.put(CANCEL)) == no_such_transition(status, "canceling")
    assert jobs.version("j1") == before


@pytest.mark.parametrize(("status", "then"), [("pending", "canceled"), ("in_progress", "canceling")])
def test_decision_3_a_client_that_cancels_twice_is_refused(
    http: Http, jobs: Stored, status: str, then: str
) -> None:
    jobs.put("j1", a_job(status))
    assert http.put(CANCEL).status_code == 200
    before = jobs.version("j1")
    assert told(http.put(CANCEL)) == no_such_transition(then, "canceling")
    assert jobs.version("j1") == before


def test_decision_15_a_missing_job_is_named_by_its_bare_id(http: Http) -> None:
    assert told(http.put(CANCEL)) == missing("j1")


def test_decision_15_a_missing_index_is_told_in_a_sentence(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert told(http.put(CANCEL)) == missing("connector sync job [j1] not found")
    assert not elasticsearch.indices.exists(index=SYNC_JOBS.name)


def test_bad_requests_change_nothing(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    before = jobs.version("j1")
    assert told(http.put(CANCEL, json={})) == illegal(
        f"request [PUT {CANCEL}] does not support having a body"
    )
    assert told(http.put(f"{CANCEL}?if_seq_no=1")) == illegal(
        f"request [{CANCEL}] contains unrecognized parameter: [if_seq_no]"
    )
    assert jobs.version("j1") == before
