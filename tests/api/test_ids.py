"""Job ids in paths: any text of up to 512 bytes, decoded once."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest

from tests.documents import Stored, a_job
from tests.endpoints import JOBS
from tests.responses import error_body, ids_of, invalid, not_found
from tests.service import Http

STATS = dict.fromkeys(["deleted_document_count", "indexed_document_count", "indexed_document_volume"], 9)
WRITES: list[tuple[str, str, object]] = [
    ("PUT", "/_claim", {"worker_hostname": "v"}),
    ("PUT", "/_suspend", None),
    ("PUT", "/_claim", {"worker_hostname": "w"}),
    ("PUT", "/_stats", STATS),
    ("PUT", "/_check_in", None),
    ("PUT", "/_cancel", None),
    ("PUT", "/_error", {"error": "x"}),
    ("DELETE", "", None),
]

SEGMENTS = [
    ("a%2Fb", "a/b"),
    ("%2f%2F_cancel", "//_cancel"),
    ("%20", " "),
    ("a+b", "a+b"),
    ("%25", "%"),
    ("%2525", "%25"),
    ("a%252Fb", "a%2Fb"),
    ("e%CC%81%E2%82%AC%F0%9F%94%A5", "e\u0301€\U0001f525"),
    ("a%3Fb%23c%26d%3De", "a?b#c&d=e"),
    ("a;b,c*", "a;b,c*"),
    ("..%2F..", "../.."),
    ("%2e%2e", ".."),
    ("_search", "_search"),
    ("%22%5C%3C", '"\\<'),
    ("%00", "\x00"),
    ("x" * 512, "x" * 512),
    ("%C3%BC" * 256, "ü" * 256),
]


@pytest.mark.parametrize(("segment", "job_id"), SEGMENTS)
def test_id_is_decoded_once_by_every_endpoint(http: Http, jobs: Stored, segment: str, job_id: str) -> None:
    jobs.put(job_id, a_job())
    jobs.put("other", a_job(created_at="2025-01-01T00:00:00Z"))
    untouched = jobs.version("other")
    assert http.get(f"{JOBS}/{segment}").json() == {"id": job_id, **a_job()}
    assert ids_of(http.get(JOBS)) == [job_id, "other"]
    for method, path, body in WRITES:
        response = http.request(method, f"{JOBS}/{segment}{path}", **({"json": body} if body else {}))
        assert response.status_code == 200, (path, response.text)
    assert jobs.ids() == {"other"}
    assert jobs.version("other") == untouched


@pytest.mark.parametrize("segment", ["x" * 513, "x" * 5000, "%C3%BC" * 256 + "x", "%F0%9F%94%A5" * 129])
def test_id_of_more_than_512_bytes_is_refused(http: Http, segment: str, writes: Callable[[], int]) -> None:
    decoded = unquote(segment)
    size = len(decoded.encode())
    before = writes()
    assert error_body(http.get(f"{JOBS}/{segment}")) == not_found(decoded)
    assert error_body(http.get(f"/_connector/{segment}")) == not_found(f"connector [{decoded}] not found")
    for method, path, body in WRITES:
        response = http.request(method, f"{JOBS}/{segment}{path}", **({"json": body} if body else {}))
        assert error_body(response) == invalid(
            f"id [{decoded}] is too long, must be no longer than 512 bytes but was: {size}"
        )
    assert writes() == before


@pytest.mark.parametrize(("method", "path", "body"), [row for row in WRITES if row[0] == "PUT"])
def test_empty_id_is_refused(http: Http, method: str, path: str, body: object) -> None:
    response = http.request(method, f"{JOBS}/{path}", **({"json": body} if body else {}))
    reason = "[connector_sync_job_id] of the connector sync job cannot be null or empty."
    assert error_body(response) == invalid(reason)


def test_final_slash_makes_no_difference(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert ids_of(http.get(f"{JOBS}/")) == ["j1"]
    assert http.get(f"{JOBS}/j1/").json()["id"] == "j1"
    assert http.put(f"{JOBS}/j1/_check_in/").json() == {"result": "updated"}


RESERVED = {
    "/_connector/_secret": "POST",
    "/_connector/%5Fsecret": "POST",
    "/_connector/_%73ecret/": "POST",
    JOBS: "GET,POST",
    "/_connector/%5Fsync_job": "GET,POST",
    "/_connector/%5Fsync%5Fjob/": "GET,POST",
}


@pytest.mark.parametrize(("path", "allowed"), RESERVED.items())
def test_decision_33_reserved_names_are_no_connectors(http: Http, path: str, allowed: str) -> None:
    """In every spelling; the methods that the 405 lists are accepted."""
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"} - {*allowed.split(",")}:
        response = http.request(method, path)
        assert (method, response.status_code, response.headers["Allow"]) == (method, 405, allowed)
        if method != "HEAD":
            assert response.json()["error"] == (
                f"Incorrect HTTP method for uri [{path}] and method [{method}], allowed: [{allowed.replace(',', ', ')}]"
            )
    for method in allowed.split(","):
        assert http.request(method, path).status_code != 405
    assert http.request("OPTIONS", path).headers["Allow"] == allowed
    assert http.get("/_connector?include_deleted=true").json()["count"] == 0


def test_escaped_path_of_the_jobs_reaches_the_jobs(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    assert http.get("/_connector/%5Fsync_job/j1").json()["id"] == "j1"
    assert http.put("/_connector/%5Fsync_job/j1/_check_in").json() == {"result": "updated"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", JOBS, 405),
        ("DELETE", f"{JOBS}/", 405),
        ("POST", f"{JOBS}/j1/_cancel", 405),
        ("POST", f"{JOBS}/j1", 405),
        ("PUT", f"{JOBS}/j1", 405),
        ("GET", f"{JOBS}/j1/_claim", 405),
        ("PUT", f"{JOBS}/j1/_pause", 400),
        ("GET", f"{JOBS}/j1/_claim/x", 400),
    ],
)
def test_request_without_a_route_changes_nothing(
    http: Http, jobs: Stored, writes: Callable[[], int], method: str, path: str, status: int
) -> None:
    jobs.put("j1", a_job())
    before = writes()
    response = http.request(method, path)
    assert response.status_code == status
    assert isinstance(response.json()["error"], str)
    assert writes() == before
