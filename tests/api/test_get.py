"""`GET /_connector/_sync_job/{id}`: returns the stored document unchanged."""

from __future__ import annotations

import pytest

from tests.documents import SECRET, Stored, a_job
from tests.endpoints import JOBS
from tests.responses import error_body, not_found
from tests.service import Http


def test_document_is_returned_as_stored_with_its_id_first(http: Http, jobs: Stored) -> None:
    document = jobs.put("j1", a_job(error=None, completed_at=None))
    response = http.get(f"{JOBS}/j1")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Elastic-Product"] == "Elasticsearch"
    assert response.json() == {"id": "j1", **document}
    assert next(iter(response.json())) == "id"


def test_get_sees_a_write_before_searches_do(http: Http, jobs: Stored) -> None:
    for number in range(3):
        jobs.put("j1", {"status": "pending", "number": number})
        assert http.get(f"{JOBS}/j1").json() == {"id": "j1", "status": "pending", "number": number}


def test_numbers_keep_their_digits_and_types(http: Http, jobs: Stored) -> None:
    numbers = {
        "big": 2**70,
        "negative": -(2**63) - 1,
        "float": 1.0,
        "tiny": 5e-324,
        "long": 0.1234567890123456,
    }
    jobs.put("j1", {"status": "pending", "metadata": numbers})
    shown = http.get(f"{JOBS}/j1").json()["metadata"]
    assert shown == numbers
    assert {key: type(value) for key, value in shown.items()} == {
        key: type(value) for key, value in numbers.items()
    }


def test_decision_16_secrets_are_shown_to_callers_who_may_manage(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert http.get(f"{JOBS}/j1").json()["connector"]["configuration"]["password"]["value"] == SECRET


def test_get_writes_nothing(http: Http, jobs: Stored, writes) -> None:
    jobs.put("j1", a_job())
    before = writes()
    http.get(f"{JOBS}/j1")
    assert writes() == before


def test_unknown_parameter_is_reported_before_a_missing_job(http: Http) -> None:
    assert http.get(f"{JOBS}/j1?foo").status_code == 400


@pytest.mark.parametrize(
    "query", ["pretty", "human=false", "error_trace=true", "format=json", "filter_path=*"]
)
def test_common_parameters_are_accepted(http: Http, jobs: Stored, query: str) -> None:
    document = jobs.put("j1", a_job())
    assert http.get(f"{JOBS}/j1?{query}").json() == {"id": "j1", **document}
    assert http.put(f"{JOBS}/j1/_check_in?{query}").json() == {"result": "updated"}
    assert http.get(f"{JOBS}?{query}").json()["count"] == 1
    assert error_body(http.get(f"{JOBS}/j2?{query}")) == not_found("j2")
