"""The names of endpoints for many jobs are never ids of jobs."""

from __future__ import annotations

import pytest

from app.wire.uri import RESERVED_JOB_NAMES
from tests.documents import Stored, a_job
from tests.endpoints import JOBS, OF_JOBS
from tests.service import Http

ALLOWED = {
    endpoint.path.removeprefix(f"{JOBS}/"): endpoint.method
    for endpoint in OF_JOBS
    if not endpoint.of_one and endpoint.path != JOBS
}


def test_every_such_name_is_reserved() -> None:
    assert set(RESERVED_JOB_NAMES) == set(ALLOWED)


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH", "HEAD"])
def test_other_methods_are_refused_and_touch_no_job(http: Http, jobs: Stored, name: str, method: str) -> None:
    """Not even one that another program has stored under that id."""
    jobs.put(name, a_job())
    before = jobs.version(name)
    if method == ALLOWED[name]:
        return
    for path in (f"{JOBS}/{name}", f"{JOBS}/{name}/", f"{JOBS}/%5F{name[1:]}"):
        response = http.request(method, path)
        assert (response.status_code, response.headers["Allow"]) == (405, ALLOWED[name])
    assert jobs.version(name) == before


@pytest.mark.parametrize("name", ALLOWED)
def test_percent_encoded_name_is_the_same(http: Http, name: str) -> None:
    plain = http.request(ALLOWED[name], f"{JOBS}/{name}?nonsense=1")
    encoded = http.request(ALLOWED[name], f"{JOBS}/%5f{name[1:]}?nonsense=1")
    assert plain.status_code == encoded.status_code == 400
    assert plain.json()["error"]["type"] == encoded.json()["error"]["type"] != "resource_not_found_exception"


@pytest.mark.parametrize(
    "job_id", ["_cancels", "_Cancel", "__cancel", "_cancel%20", "_cancel%2F", "%255Fcancel"]
)
def test_similar_names_are_ids(http: Http, job_id: str) -> None:
    assert http.get(f"{JOBS}/{job_id}").status_code == 404
    assert http.delete(f"{JOBS}/{job_id}").status_code == 404


def test_endpoint_of_one_job_is_no_endpoint_of_many(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job("in_progress"))
    assert http.put(f"{JOBS}/j1/_cancel").status_code == 200
    assert http.post(f"{JOBS}/j1/_cancel", json={"connector_id": "c1"}).status_code == 405
    assert jobs.source("j1")["status"] == "canceling"
