"""`PUT /_connector/_sync_job/{id}/_error`: ends a running job with an error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.documents import Stored, a_running_job, only_changes
from tests.endpoints import JOBS
from tests.responses import error_body, ids_of, illegal, invalid, is_now, no_such_transition, unreadable
from tests.service import Http

ERROR = f"{JOBS}/j1/_error"
PARSER = "connector_sync_job_error_request"


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_decision_6_error_ends_a_running_job_and_sets_its_end_time(
    http: Http, jobs: Stored, status: str
) -> None:
    before = jobs.put(
        "j1", a_running_job(status, error=None, cancelation_requested_at="2024-01-01T00:00:00Z")
    )
    since = datetime.now(UTC)
    response = http.put(ERROR, json={"error": "ValueError: it broke"})
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    changes = only_changes(before, jobs.source("j1"))
    now = changes["completed_at"]
    assert is_now(now, since)
    assert changes == {
        "status": "error",
        "error": "ValueError: it broke",
        "completed_at": now,
        "last_seen": now,
    }


@pytest.mark.parametrize("status", ["pending", "suspended", "canceled", "completed", "error"])
def test_error_in_any_other_status_is_refused(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(http.put(ERROR, json={"error": "it broke"})) == no_such_transition(status, "error")
    assert jobs.version("j1") == before


def test_decision_3_second_error_of_a_client_is_refused(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(ERROR, json={"error": "it broke"}).status_code == 200
    before = jobs.version("j1")
    assert error_body(http.put(ERROR, json={"error": "it broke"})) == no_such_transition("error", "error")
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    "text", ["x" * 40_000, "\u20ac" * 40_000, "\U0001f525" * 8_191, " ", 'quotes " and \\ and \u0000', "{}"],
    ids=["ASCII", "three bytes each", "four bytes each", "blank", "controls", "JSON"],
)  # fmt: skip
def test_decision_14_error_of_any_length_is_stored_whole(http: Http, jobs: Stored, text: str) -> None:
    jobs.put("j1", a_running_job())
    assert http.put(ERROR, json={"error": text}).json() == {"result": "updated"}
    assert jobs.source("j1")["error"] == text
    assert http.get(f"{JOBS}/j1").json()["error"] == text
    assert ids_of(http.get(f"{JOBS}?status=error")) == ["j1"]
    assert http.get(JOBS).json()["results"][0]["error"] == text


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({}, illegal("Required [error]")),
        ({"error": ""}, invalid("[error] of the connector sync job cannot be null or empty")),
        ({"error": None}, unreadable(f"[l:c] [{PARSER}] error doesn't support values of type: VALUE_NULL")),
        ({"error": 5}, unreadable(f"[l:c] [{PARSER}] error doesn't support values of type: VALUE_NUMBER")),
        ({"eror": "x"}, unreadable(f"[l:c] [{PARSER}] unknown field [eror] did you mean [error]?")),
    ],
    ids=str,
)
def test_invalid_body_is_refused(http: Http, jobs: Stored, body: object, response: object) -> None:
    jobs.put("j1", a_running_job())
    before = jobs.version("j1")
    assert error_body(http.put(ERROR, json=body)) == response
    assert jobs.version("j1") == before


def test_validation_comes_before_the_lookup_of_the_job(http: Http) -> None:
    assert http.put(ERROR, json={"error": ""}).status_code == 400
    assert error_body(http.put(f"{ERROR}?refresh=true", json={"error": ""})) == illegal(
        f"request [{ERROR}] contains unrecognized parameter: [refresh]"
    )
