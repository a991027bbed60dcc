"""`POST /_connector/_sync_job/_check_in`: the heartbeats of a worker for all its jobs, in one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.cases import named
from tests.documents import FINISHED, STATUSES, Stored, a_job, a_running_job, empty, only_changes
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, nth, to
from tests.responses import envelope, error_body, is_now
from tests.service import Http, Service

CHECK_IN = f"{JOBS}/_check_in"
WORKER = "worker-1"


def check_in(http: Http, *ids: str, worker: str = WORKER) -> list[dict[str, Any]]:
    response = http.post(CHECK_IN, json={"worker_hostname": worker, "ids": ids})
    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body) == ["items"]
    return list(body["items"])


def refused(job_id: str, status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"id": job_id, "error": {"type": kind, "reason": reason}, "status_code": status}


def conflict(job_id: str, reason: str) -> dict[str, Any]:
    return refused(job_id, 409, "status_exception", reason)


def updated(job_id: str, status: Any = "in_progress") -> dict[str, Any]:
    return {"id": job_id, "result": "updated", "status": status}


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in FINISHED])
def test_check_in_updates_last_seen_and_nothing_else(http: Http, jobs: Stored, status: str) -> None:
    before = {each: jobs.put(each, a_running_job(status)) for each in ("a", "b")}
    since = datetime.now(UTC)
    assert check_in(http, "a", "b") == [updated("a", status), updated("b", status)]
    for job_id, job in before.items():
        changes = only_changes(job, jobs.source(job_id))
        assert list(changes) == ["last_seen"]
        assert is_now(changes["last_seen"], since)


def test_each_job_has_an_item_in_the_order_of_the_request(http: Http, jobs: Stored) -> None:
    jobs.put("mine", a_running_job())
    jobs.put("canceling", a_running_job("canceling"))
    jobs.put("another", a_running_job(worker_hostname="worker-2"))
    jobs.put("nobody", a_job("in_progress"))
    jobs.put("done", a_running_job("completed"))
    before = {each: jobs.version(each) for each in ("another", "nobody", "done")}
    sent = ["done", "mine", "missing", "another", "canceling", "nobody"]
    assert check_in(http, *sent) == [
        conflict("done", "Sync job [done] is finished with status [completed] and takes no more heartbeats or stats."),
        updated("mine"),
        refused("missing", 404, "resource_not_found_exception", "connector sync job [missing] not found"),
        conflict("another", "Sync job [another] is held by [worker-2], not by [worker-1]."),
        updated("canceling", "canceling"),
        conflict("nobody", "Sync job [nobody] is held by no worker, not by [worker-1]."),
    ]  # fmt: skip
    assert {each: jobs.version(each) for each in before} == before


@pytest.mark.parametrize("holder", [None, 7, ["worker-1"], "Worker-1", "worker-1 ", ""], ids=repr)
def test_holder_must_be_equal(http: Http, jobs: Stored, holder: Any) -> None:
    jobs.put("a", a_running_job(worker_hostname=holder))
    before = jobs.version("a")
    assert check_in(http, "a")[0]["status_code"] == 409
    assert jobs.version("a") == before


def test_repeated_id_has_an_item_each_time(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_running_job())
    _, version = jobs.version("a")
    assert check_in(http, "a", "x", "a", "x") == [updated("a"), check_in(http, "x")[0]] * 2
    assert jobs.version("a")[1] == version + 1


def test_thousand_jobs_are_checked_in_at_once(
    http: Http, put_jobs: Callable[..., list[str]], jobs: Stored
) -> None:
    ids = put_jobs(1_000, "in_progress", worker_hostname=WORKER)
    assert check_in(http, *ids) == [updated(each) for each in ids]
    assert all("last_seen" in jobs.source(each) for each in (ids[0], ids[499], ids[500], ids[999]))


@pytest.mark.parametrize("bad", ["", "x" * 513, "€" * 171, "/", "a\nb", "\x00", ".", "💥"])
def test_id_that_no_job_has_is_missing_and_the_others_are_updated(http: Http, jobs: Stored, bad: str) -> None:
    jobs.put("a", a_running_job())
    assert check_in(http, bad, "a") == [
        refused(bad, 404, "resource_not_found_exception", f"connector sync job [{bad}] not found"),
        updated("a"),
    ]


def test_future_last_seen_is_overwritten(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_running_job(last_seen="2999-01-01T00:00:00Z"))
    since = datetime.now(UTC)
    assert check_in(http, "a") == [updated("a")]
    assert is_now(jobs.source("a")["last_seen"], since)


def test_status_of_other_programs_is_shown_as_it_is(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_running_job(None))
    jobs.put("b", a_running_job("resting"))
    assert check_in(http, "a", "b") == [updated("a", None), updated("b", "resting")]


LENGTH = "[ids] must have 1 to 1000 entries."
INVALID = [
    ("no ids", {"worker_hostname": "w", "ids": []}, LENGTH),
    ("too many ids", {"worker_hostname": "w", "ids": ["a"] * 1_001}, LENGTH),
    ("no name", {"worker_hostname": "", "ids": ["a"]}, "[worker_hostname] cannot be empty."),
]


@pytest.mark.parametrize(("body", "message"), named(INVALID))
def test_invalid_body_is_refused(http: Http, jobs: Stored, body: Any, message: str) -> None:
    jobs.put("a", a_running_job(worker_hostname=""))
    before = jobs.version("a")
    reason = f"Validation Failed: 1: {message};"
    assert error_body(http.post(CHECK_IN, json=body)) == envelope(
        400, "action_request_validation_exception", reason
    )
    assert jobs.version("a") == before


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": ["a"]}, {"worker_hostname": "w"}, {"worker_hostname": None, "ids": ["a"]}, {"worker_hostname": "w", "ids": [None]},
     {"worker_hostname": "w", "ids": ["a"], "id": "a"}, {"worker_hostname": "w", "ids": [["a"]]}, []],
    ids=str,
)  # fmt: skip
def test_unreadable_body_is_refused(http: Http, jobs: Stored, body: Any) -> None:
    jobs.put("a", a_running_job(worker_hostname="w"))
    before = jobs.version("a")
    assert error_body(http.post(CHECK_IN, json=body))["status"] == 400
    assert jobs.version("a") == before


def test_missing_index_means_missing_jobs(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert [item["status_code"] for item in check_in(http, "a", "b")] == [404, 404]
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


def test_filter_path_shows_parts_of_the_items(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_running_job())
    body = {"worker_hostname": WORKER, "ids": ["a", "b"]}
    response = http.post(f"{CHECK_IN}?filter_path=items.status,items.error.type", json=body)
    assert response.json() == {
        "items": [{"status": "in_progress"}, {"error": {"type": "resource_not_found_exception"}}]
    }


@pytest.fixture(scope="module")
def proxied_service(proxy: FaultProxy) -> Iterator[Service]:
    with Service(proxy.url, WORKERS="1", AUTHORIZATION_CACHE_SECONDS="600") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def proxied(proxied_service: Service, elasticsearch: Elasticsearch) -> Http:
    proxied_service.wait_until_ready()
    empty(elasticsearch)
    assert proxied_service.http.get(JOBS).status_code == 200  # who calls is known from now on
    return proxied_service.http


def test_heartbeats_are_one_request_to_elasticsearch(
    proxied: Http, proxy: FaultProxy, put_jobs: Callable[..., list[str]]
) -> None:
    ids = put_jobs(1_000, "in_progress", worker_hostname=WORKER)
    with proxy.recording() as recorded:
        check_in(proxied, *ids)
    assert [request.path.partition("?")[0] for request in recorded] == [f"/{SYNC_JOBS.alias}/_bulk"]


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_lost_heartbeats_are_sent_again(
    proxied: Http, proxy: FaultProxy, jobs: Stored, responses: bool
) -> None:
    jobs.put("a", a_running_job())
    jobs.put("b", a_running_job("canceling"))
    _, version = jobs.version("a")
    with proxy.losing(nth(1, to("/_bulk")), responses=responses):
        assert check_in(proxied, "a", "b") == [updated("a"), updated("b", "canceling")]
    assert jobs.version("a")[1] == version + 1


def test_cluster_that_stays_away_is_503_for_the_request(
    proxied: Http, proxy: FaultProxy, jobs: Stored
) -> None:
    jobs.put("a", a_running_job())
    with proxy.losing(to("/_bulk")):
        response = proxied.post(CHECK_IN, json={"worker_hostname": WORKER, "ids": ["a", "b"]})
    assert error_body(response) == envelope(
        503, "status_exception", "Elasticsearch cannot be reached. The request can be sent again."
    )
