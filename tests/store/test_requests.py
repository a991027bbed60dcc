"""Requests of the service to Elasticsearch, recorded by a proxy: how many, how many at once, retries, and what is logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import empty
from tests.fault_proxy import FaultProxy, Request, nth, to
from tests.service import Http, Service

JOBS = "/_connector/_sync_job"
COUNTERS = {"deleted_document_count": 1, "indexed_document_count": 2, "indexed_document_volume": 3}
THREADS = 16
# Status before, end of the path, body, and status after.
TRANSITIONS: dict[str, tuple[str, str, Any, str]] = {
    "claim": ("pending", "_claim", {"worker_hostname": "w", "sync_cursor": {"a": 1}}, "in_progress"),
    "cancel": ("in_progress", "_cancel", None, "canceling"),
    "cancel at once": ("pending", "_cancel", None, "canceled"),
    "error": ("in_progress", "_error", {"error": "it broke"}, "error"),
    "complete": ("in_progress", "_complete", COUNTERS | {"sync_cursor": {"a": 1}}, "completed"),
    "suspend": ("in_progress", "_suspend", {"metadata": {"a": 1}}, "suspended"),
    "confirm cancel": ("canceling", "_confirm_cancel", None, "canceled"),
    "check in": ("in_progress", "_check_in", None, "in_progress"),
    "stats": ("in_progress", "_stats", COUNTERS | {"metadata": {"a": 1}}, "in_progress"),
    "stats with last_seen": (
        "pending",
        "_stats",
        COUNTERS | {"last_seen": "2024-01-01T00:00:00Z"},
        "pending",
    ),
}
OF_C1 = {"connector": {"id": "c1"}}
ENDS = ("_error", "_complete", "_suspend", "_confirm_cancel")
EACH = pytest.mark.parametrize(("start", "path", "body", "end"), TRANSITIONS.values(), ids=TRANSITIONS.keys())


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    """A service that asks for the privileges of callers once and caches them."""
    settings = {"WORKERS": "1", "THREADS": str(THREADS), "AUTHORIZATION_CACHE_SECONDS": "600"}
    with Service(proxy.url, **settings) as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def http(proxied: Service, elasticsearch: Elasticsearch) -> Http:
    proxied.wait_until_ready()
    empty(elasticsearch)
    connector = {"index_name": "search-x", "service_type": "mysql"}
    elasticsearch.index(index=CONNECTORS.alias, id="c1", document=connector)
    # From now on the privileges of the caller are cached.
    assert proxied.http.get("/_connector/c1").status_code == 200
    return proxied.http


def put(http: Http, path: str, body: Any) -> tuple[int, Any]:
    response = http.put(f"{JOBS}/j1/{path}", **({"json": body} if body else {}))
    return response.status_code, response.json()


def of_the_request(recorded: list[Request]) -> list[Request]:
    """Without requests about security, and without those that a service sends by itself after its start."""
    return [each for each in recorded if "x-opaque-id" in each.headers and not to("/_security/")(each)]


@EACH
def test_transition_is_one_request_without_a_read(
    http: Http, elasticsearch: Elasticsearch, proxy: FaultProxy, start: str, path: str, body: Any, end: str
) -> None:
    """A job that its worker gives up frees its connector, which is another document: one more request."""
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"status": start} | OF_C1)
    with proxy.recording() as recorded:
        assert put(http, path, body) == (200, {"result": "updated"})
    requests = [f"{each.method} {each.path.partition('?')[0]}" for each in of_the_request(recorded)]
    frees = [f"PUT /{CONNECTORS.alias}/_bulk"] * (path in ENDS)
    assert requests == [f"POST /{SYNC_JOBS.alias}/_update/j1", *frees]


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
@EACH
def test_decision_3_lost_transition_is_carried_out_once(
    http: Http,
    elasticsearch: Elasticsearch,
    proxy: FaultProxy,
    start: str,
    path: str,
    body: Any,
    end: str,
    responses: bool,
) -> None:
    job = {"status": start} | OF_C1
    before = elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document=job)["_version"]
    with proxy.recording() as recorded, proxy.losing(nth(1, to("_update/")), responses=responses):
        assert put(http, path, body) == (200, {"result": "updated"})
    requests = of_the_request(recorded)
    assert len([each for each in requests if to(f"/{SYNC_JOBS.alias}/_update/")(each)]) == 2
    assert len(requests) == 2 + (path in ENDS)  # the connector
    found = elasticsearch.get(index=SYNC_JOBS.alias, id="j1")
    assert (found["_version"], found["_source"]["status"]) == (before + 1, end)


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
def test_decision_20_lost_create_makes_one_job(
    http: Http, elasticsearch: Elasticsearch, proxy: FaultProxy, responses: bool
) -> None:
    with proxy.recording() as recorded, proxy.losing(nth(1, to("/_create/")), responses=responses):
        response = http.post(JOBS, json={"id": "c1"})
    assert (response.status_code, list(response.json())) == (201, ["id"])
    assert len([request for request in recorded if "/_create/" in request.path]) == 2
    listed = http.get(JOBS).json()
    assert (listed["count"], listed["results"][0]["id"]) == (1, response.json()["id"])
    assert elasticsearch.get(index=SYNC_JOBS.alias, id=response.json()["id"])["_version"] == 1


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
def test_decision_3_lost_delete_is_acknowledged(
    http: Http, elasticsearch: Elasticsearch, proxy: FaultProxy, responses: bool
) -> None:
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"status": "pending"})
    with proxy.losing(nth(1, to("/_doc/j1")), responses=responses):
        response = http.delete(f"{JOBS}/j1")
    assert (response.status_code, response.json()) == (200, {"acknowledged": True})
    assert http.delete(f"{JOBS}/j1").status_code == 404


def test_elasticsearch_gets_as_many_concurrent_requests_as_there_are_threads(
    http: Http, elasticsearch: Elasticsearch, proxy: FaultProxy
) -> None:
    """The proxy holds each request until all have arrived: with one connection less, none would get a response."""
    for number in range(THREADS):
        elasticsearch.index(index=SYNC_JOBS.alias, id=f"j{number}", document={"status": "in_progress"})
    clients = [Http(http.url) for _ in range(THREADS)]
    with proxy.gathering(THREADS, to("/_doc/"), seconds=8), ThreadPoolExecutor(THREADS) as threads:
        statuses = threads.map(lambda n: clients[n].get(f"{JOBS}/j{n}").status_code, range(THREADS))
        assert list(statuses) == [200] * THREADS
    for client in clients:
        client.close()


# As Elasticsearch says it while it starts, until the shards of an index are there.
NO_SHARD = json.dumps({"error": {"type": "no_shard_available_action_exception", "reason": "no shard"}})


def starting(kind: str) -> str:
    return json.dumps({"error": {"type": kind, "reason": "starting"}, "status": 404})


@pytest.mark.parametrize("call", ["_update/", "_bulk"])
@pytest.mark.parametrize("kind", ["index_not_found_exception", "illegal_index_shard_state_exception"])
def test_job_is_not_missing_while_elasticsearch_starts(
    http: Http, elasticsearch: Elasticsearch, proxy: FaultProxy, kind: str, call: str
) -> None:
    """A node responds so to updates before it knows its indices, and while a shard recovers. Workers drop a job that is missing."""
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"status": "in_progress"} | OF_C1)
    method, path, body = {
        "_update/": ("PUT", f"{JOBS}/j1/_check_in", None),
        "_bulk": ("POST", f"{JOBS}/_check_in", {"worker_hostname": "w", "ids": ["j1"]}),
    }[call]
    with (
        proxy.responding(to(call, "/_field_caps"), 404, starting(kind)),
        ExitStack() as until_it_knows,
    ):
        assert http.request(method, path, json=body).status_code == 503
        until_it_knows.enter_context(proxy.responding(to("/_doc/any"), 503, NO_SHARD))
        assert http.request(method, path, json=body).status_code == 503


def logged(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log().splitlines()]


def warnings(service: Service) -> list[tuple[str, str | None]]:
    """Event and request id of each warning so far, but for those about the pipeline."""
    lines = [line for line in logged(service) if line["level"] == "warning" and "pipeline" not in line]
    return [(line["event"], line.get("request_id")) for line in lines]


def test_failure_of_a_request_is_one_warning(http: Http, proxied: Service, proxy: FaultProxy) -> None:
    """However often it was sent; none for a request that succeeds in the end."""
    before = warnings(proxied)
    with proxy.losing(nth(1, to("_update/"))):
        assert http.put(f"{JOBS}/j1/_check_in").status_code == 404
    with proxy.recording() as recorded, proxy.responding(to("_update/"), 503, NO_SHARD):
        for request_id in ("first", "second"):
            response = http.put(f"{JOBS}/j1/_check_in", headers={"X-Opaque-Id": request_id})
            assert (response.status_code, response.json()["error"]["reason"]) == (503, "no shard")
    assert len(of_the_request(recorded)) > 2
    assert warnings(proxied) == [
        *before,
        ("elasticsearch_failed", "first"),
        ("elasticsearch_failed", "second"),
    ]


def test_service_that_waits_for_elasticsearch_says_so_once(proxy: FaultProxy) -> None:
    """It goes on trying, and is asked again and again whether it is ready."""
    refused: list[Request] = []

    def refuses(request: Request) -> bool:
        found = to("/_component_template", "/_field_caps")(request)
        refused.extend([request] * found)
        return found

    with ExitStack() as elasticsearch_starts:
        elasticsearch_starts.enter_context(proxy.responding(refuses, 503, NO_SHARD))
        with Service(proxy.url, WORKERS="1", LOG_FORMAT="json") as service:
            for _ in range(3):
                assert service.http.get("/readyz").json()["error"]["reason"] == "no shard"
            service.wait_for(lambda: len(refused) > 30)
            elasticsearch_starts.close()
            service.wait_until_ready()
            assert warnings(service) == [("indices_not_prepared", None)]
            changes = [line["problems"] for line in logged(service) if line["event"] == "readiness_changed"]
            assert changes == [["no shard"], []]
