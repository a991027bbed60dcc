"""The parameter `worker_hostname`: only the worker that holds the job may report on it or end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.documents import Stored, a_connector, a_job, a_running_job
from tests.endpoints import COUNTERS, JOBS
from tests.responses import envelope, error, error_body, illegal, not_found
from tests.service import Http

# The end of the path, a body, and the status in which the request changes a job.
GUARDED: list[tuple[str, Any, str]] = [
    ("_check_in", None, "in_progress"),
    ("_stats", COUNTERS, "in_progress"),
    ("_error", {"error": "it broke"}, "in_progress"),
    ("_complete", {"indexed_document_count": 9}, "in_progress"),
    ("_suspend", None, "in_progress"),
    ("_confirm_cancel", None, "canceling"),
]
EACH = pytest.mark.parametrize(("name", "body", "status"), GUARDED, ids=[row[0] for row in GUARDED])


def send(http: Http, name: str, body: Any, worker: str | None, job: str = "j1") -> Any:
    query = "" if worker is None else f"?worker_hostname={quote(worker)}"
    return http.put(f"{JOBS}/{job}/{name}{query}", **({} if body is None else {"json": body}))


def not_held(holder: str, worker: str) -> dict[str, Any]:
    reason = f"Sync job [j1] is held by {holder}, not by [{worker}]."
    return envelope(409, "status_exception", reason)


@pytest.fixture
def locked(connectors: Stored) -> None:
    """The connector of the jobs is locked, so that a write to it would be seen."""
    running = dict.fromkeys(("last_sync_status", "last_access_control_sync_status"), "in_progress")
    connectors.put("c1", a_connector(**running))


@pytest.mark.parametrize(
    ("held_by", "holder"),
    [
        ({"worker_hostname": "worker-1"}, "[worker-1]"),
        ({"worker_hostname": "Worker-2"}, "[Worker-2]"),
        ({"worker_hostname": ""}, "[]"),
        ({}, "no worker"),
        ({"worker_hostname": None}, "no worker"),
        ({"worker_hostname": ["worker-2"]}, "[[worker-2]]"),
    ],
    ids=["another", "upper case", "nameless", "nobody", "null", "list"],
)
@EACH
def test_request_of_a_worker_that_does_not_hold_the_job_is_refused(
    http: Http,
    jobs: Stored,
    locked: None,
    writes: Callable[[], int],
    held_by: dict[str, Any],
    holder: str,
    name: str,
    body: Any,
    status: str,
) -> None:
    """Nothing is written, neither to the job nor to its connector."""
    jobs.put("j1", a_job(status, **held_by))
    before = writes()
    assert error_body(send(http, name, body, "worker-2")) == not_held(holder, "worker-2")
    assert writes() == before


@pytest.mark.parametrize("worker", ["worker-1", "", " ", "wörker-\U0001f525", "a&b=c+d%20/e?f", "w" * 2000])
@EACH
def test_request_of_the_holder_is_carried_out(
    http: Http, jobs: Stored, name: str, body: Any, status: str, worker: str
) -> None:
    jobs.put("j1", a_job(status, worker_hostname=worker))
    before = jobs.version("j1")
    response = send(http, name, body, worker)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    assert jobs.version("j1") > before
    assert jobs.source("j1")["worker_hostname"] == worker


@EACH
def test_request_that_names_no_worker_is_carried_out(
    http: Http, jobs: Stored, name: str, body: Any, status: str
) -> None:
    for held_by in ({}, {"worker_hostname": "worker-1"}):
        jobs.put("j1", a_job(status, **held_by))
        assert send(http, name, body, None).json() == {"result": "updated"}


@pytest.mark.parametrize("status", ["pending", "suspended", "canceled", "completed", "error", "resting"])
@pytest.mark.parametrize(("name", "body"), [row[:2] for row in GUARDED], ids=[row[0] for row in GUARDED])
def test_guard_comes_before_the_status_of_the_job(
    http: Http, jobs: Stored, name: str, body: Any, status: str
) -> None:
    """A worker whose job was given to another one learns that, and not that the other one has finished it."""
    jobs.put("j1", a_running_job(status))
    before = jobs.version("j1")
    assert error_body(send(http, name, body, "worker-2")) == not_held("[worker-1]", "worker-2")
    assert jobs.version("j1") == before


@EACH
def test_missing_job_is_not_found_whoever_asks(http: Http, name: str, body: Any, status: str) -> None:
    sentence = name in ("_check_in", "_stats")
    assert error_body(send(http, name, body, "worker-2")) == not_found(
        "connector sync job [j1] not found" if sentence else "j1"
    )


@pytest.mark.parametrize("name", ["_stats", "_error", "_complete", "_suspend", "_confirm_cancel"])
def test_invalid_body_is_refused_whoever_asks(http: Http, jobs: Stored, name: str) -> None:
    jobs.put("j1", a_running_job())
    before = jobs.version("j1")
    code, kind, reason = error(send(http, name, {"x": 1}, "worker-2"))
    assert (code, kind) == (400, "x_content_parse_exception")
    assert "unknown field [x]" in reason
    assert jobs.version("j1") == before


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        (f"{JOBS}/j1/_claim", "PUT", {"worker_hostname": "worker-1"}),
        (f"{JOBS}/j1/_cancel", "PUT", None),
        (f"{JOBS}/j1", "GET", None),
        (f"{JOBS}/j1", "DELETE", None),
    ],
)
def test_other_requests_have_no_guard(http: Http, jobs: Stored, path: str, method: str, body: Any) -> None:
    """A guard that is not looked at would be worse than none."""
    jobs.put("j1", a_job())
    before = jobs.version("j1")
    query = f"{path}?worker_hostname=worker-1"
    response = http.request(method, query, **({"json": body} if body else {}))
    assert error_body(response) == illegal(
        f"request [{path}] contains unrecognized parameter: [worker_hostname]"
    )
    assert jobs.version("j1") == before
