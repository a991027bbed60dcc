"""What is counted for requests, transitions, Elasticsearch and leases."""

from __future__ import annotations

import socket
import threading

import pytest

from app.store import leases
from tests.documents import ID
from tests.fault_proxy import FaultProxy, nth, to
from tests.metrics.scraping import Scrape, scrape
from tests.service import Http, Service

JOBS = "/_connector/_sync_job"
CLAIM_ROUTE = f"{JOBS}/{{id}}/_claim"


def test_requests_are_counted_by_route_and_status(http: Http, put_jobs) -> None:
    (job,) = put_jobs(1)
    before = scrape(http)
    for _ in range(2):
        http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "w", "sync_cursor": {"a": 1}})
    http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "another"})
    after = scrape(http)
    counted = {
        status: after.rises_since(before, "connector_http_requests_total", route=CLAIM_ROUTE, status=status)
        for status in ("200", "409")
    }
    assert counted == {"200": 2, "409": 1}
    name = "connector_http_request_duration_seconds_count"
    assert after.rises_since(before, name, method="PUT", route=CLAIM_ROUTE) == 3


def test_transitions_are_counted_by_verdict(http: Http, put_jobs) -> None:
    (job,) = put_jobs(1)
    before = scrape(http)
    http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "w"})
    http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "another"})
    http.post(f"{JOBS}/_check_in", json={"worker_hostname": "w", "ids": [job, job]})
    http.put(f"{JOBS}/{job}/_complete")
    http.put(f"{JOBS}/{job}/_check_in")
    after = scrape(http)

    def rise(transition: str, verdict: str) -> float:
        labels = {"area": "sync_jobs", "transition": transition, "verdict": verdict}
        return after.rises_since(before, "connector_transitions_total", **labels)

    assert (rise("claim", "updated"), rise("claim", "refused")) == (1, 1)
    assert rise("check_in", "updated") + rise("check_in", "done") == 2
    assert (rise("check_in", "finished"), rise("complete", "updated"), rise("suspend", "updated")) == (
        1,
        1,
        0,
    )


def test_texts_of_clients_make_no_series(http: Http) -> None:
    scrape(http)
    http.get("/nowhere")
    http.get(f"{JOBS}/missing")
    http.request("BREW", "/_connector")
    _send_no_http(http)
    before = set(scrape(http).values)
    for number in range(5):
        http.get(f"/nowhere-{number}?a={number}")
        http.get(f"{JOBS}/missing-{number}")
        http.request(f"BREW{number}", f"/_connector?b={number}")
        _send_no_http(http)
    after = scrape(http)
    assert {each for each in after.values if each[0].startswith("connector_http")} <= before
    unknown = {"method": "(unknown)", "route": "(unknown)"}
    assert after.value("connector_http_requests_total", **unknown, status="400") >= 6


def _send_no_http(http: Http) -> None:
    host, port = http.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        while connection.recv(1000):
            pass


def test_requests_to_elasticsearch_and_their_retries_are_counted(
    proxy: FaultProxy, put_jobs, service
) -> None:
    (job,) = put_jobs(1)
    with Service(proxy.url, WORKERS="1", THREADS="4") as counted:
        counted.wait_until_ready()
        before = scrape(counted.http)
        with proxy.losing(nth(1, to(f"_update/{job}")), responses=True):
            assert counted.http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "w"}).status_code == 200
        after = scrape(counted.http)
    calls = "connector_elasticsearch_requests_total"
    assert after.rises_since(before, calls, operation="update", status="unreachable") == 1
    assert after.rises_since(before, calls, operation="update", status="200") >= 1
    assert after.rises_since(before, "connector_elasticsearch_retries_total", reason="failure") == 1
    seconds = "connector_elasticsearch_request_duration_seconds_count"
    assert after.rises_since(before, seconds, operation="update") >= 2
    assert after.value(calls, operation="search", status="200") >= 1


def test_collisions_are_counted(proxy: FaultProxy, put_jobs, service) -> None:
    (job,) = put_jobs(1)
    conflict = (
        '{"error":{"type":"version_conflict_engine_exception","reason":"[1]: version conflict"},"status":409}'
    )
    with Service(proxy.url, WORKERS="1", THREADS="4") as counted:
        counted.wait_until_ready()
        before = scrape(counted.http)
        with proxy.responding(nth(1, to(f"_update/{job}")), 409, conflict):
            assert counted.http.put(f"{JOBS}/{job}/_check_in").status_code == 200
        after = scrape(counted.http)
    assert after.rises_since(before, "connector_elasticsearch_retries_total", reason="conflict") == 1


def test_lease_left_behind_is_counted_as_taken_over(store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.001)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.001)
    taken = leases.LEASE_TAKEOVERS._value.get
    with store.leases.hold("taken over"):
        pass
    with pytest.raises(KeyboardInterrupt), store.leases.hold("taken over"):
        raise KeyboardInterrupt  # leaves the lease to expire
    before = taken()
    with store.leases.hold("taken over"):
        assert taken() == before + 1
    with store.leases.hold("taken over"):
        assert taken() == before + 1


def test_waiting_claims_are_in_progress(http: Http) -> None:
    before = scrape(http).value("connector_http_requests_in_progress")
    body = {"worker_hostname": "w", "wait": "20s", "connector_ids": [ID]}
    waiting = threading.Thread(target=Http(http.url).post, args=(f"{JOBS}/_claim",), kwargs={"json": body})
    waiting.start()
    while scrape(http).value("connector_http_requests_in_progress") < before + 1:
        assert waiting.is_alive()
    http.put(f"/_connector/{ID}", json={"index_name": "search-x", "service_type": "mysql"})
    http.post(JOBS, json={"id": ID})
    waiting.join(60)
    assert scrape(http).value("connector_http_requests_in_progress") == before


def test_scrape_may_ask_for_openmetrics(http: Http) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    response = http.get("/metrics", headers={"Accept": accept})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept", ["text/plain;version=x", "application/openmetrics-text;version=x", "a,b;=,;"]
)
def test_odd_accept_headers_get_the_usual_text(http: Http, accept: str) -> None:
    response = http.get("/metrics", headers={"Accept": accept})
    assert response.status_code == 200
    assert Scrape(response.text.replace("# EOF\n", "")).has("connector_sync_jobs")
