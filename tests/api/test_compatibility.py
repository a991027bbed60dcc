"""Decision 47: what `COMPATIBILITY` changes, row by row, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.compatibility import MODES
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import FINISHED, Stored, a_connector, a_job, a_running_job, empty, only_changes
from tests.endpoints import JOBS, ROOT
from tests.fault_proxy import FaultProxy, to
from tests.responses import bad_transition, error, ids_of
from tests.service import Http, Service

COUNTERS = {"deleted_document_count": 1, "indexed_document_count": 9, "indexed_document_volume": 3}
WORKER = {"worker_hostname": "worker-2"}
ENDED = {
    "completed_at": "2024-01-03T00:00:00Z",
    "canceled_at": "2024-01-03T00:00:00Z",
    "cancelation_requested_at": "2024-01-03T00:00:00Z",
    "error": "it broke",
}


@pytest.fixture(scope="module")
def services(proxy: FaultProxy) -> Iterator[dict[str, Service]]:
    """A service in each mode, over the same documents."""
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(
                Service(proxy.url, WORKERS="1", COMPATIBILITY=name, LOG_FORMAT="json", REFRESH="")
            )
            for name in MODES
        }
        for each in found.values():
            each.wait_until_ready()
        yield found


@pytest.fixture
def documented(services: dict[str, Service], elasticsearch: Elasticsearch) -> Http:
    empty(elasticsearch)
    return services["documented"].http


@pytest.fixture
def compatible(services: dict[str, Service], elasticsearch: Elasticsearch) -> Http:
    empty(elasticsearch)
    return services["elasticsearch"].http


@pytest.fixture
def jobs(elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.fixture
def connectors(elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, CONNECTORS)


def seen(client: Elasticsearch) -> None:
    """Written past the service: the mode in which writes refresh does not look for it by itself."""
    client.indices.refresh(index=[SYNC_JOBS.alias, CONNECTORS.alias])


@pytest.mark.parametrize("name", MODES)
def test_mode_stands_in_the_log_line_of_the_start(services: dict[str, Service], name: str) -> None:
    lines = [json.loads(line) for line in services[name].log().splitlines()]
    [started] = [line for line in lines if line["event"] == "started"]
    assert (started["compatibility"], started["refresh"]) == (
        name,
        {"documented": "search", "elasticsearch": "write"}[name],
    )


def test_order(documented: Http, compatible: Http, jobs: Stored, elasticsearch: Elasticsearch) -> None:
    instants = {"a": "2024-01-02", "b": "2024-01-01", "c": "2024-01-03"}
    jobs.put_all({job: {"created_at": instant} for job, instant in instants.items()} | {"d": {}})
    seen(elasticsearch)
    for http, default in ((documented, "bacd"), (compatible, "cabd")):
        for query, expected in (("", default), ("order=asc", "bacd"), ("order=desc", "cabd")):
            assert "".join(ids_of(http.get(f"{JOBS}?{query}"))) == expected
        first = http.get(f"{JOBS}?size=3&search_after=").json()
        rest = http.get(f"{JOBS}?size=3&search_after={first['search_after']}").json()
        assert "".join(job["id"] for job in first["results"] + rest["results"]) == default


def test_count_and_window(
    documented: Http,
    compatible: Http,
    jobs: Stored,
    connectors: Stored,
    elasticsearch: Elasticsearch,
) -> None:
    number = 10_050
    jobs.put_all({f"{each:05d}": {"created_at": each} for each in range(number)})
    connectors.put_all({f"{each:05d}": {} for each in range(number)})
    seen(elasticsearch)
    for path in (JOBS, ROOT):
        for query in ("", "?size=0", "?from=9999&size=1"):
            assert documented.get(path + query).json()["count"] == number
            assert compatible.get(path + query).json()["count"] == 10_000
        assert len(ids_of(documented.get(f"{path}?from=10000&size=100"))) == 50
        for start, size in ((9_999, 2), (10_000, 1), (0, 10_001), (9_901, 100), (2**31 - 1, 0)):
            response = compatible.get(f"{path}?from={start}&size={size}")
            assert error(response) == (400, "search_phase_execution_exception", "all shards failed")
            [root] = response.json()["error"]["root_cause"]
            assert root["reason"] == (
                "Result window is too large, from + size must be less than or equal to: [10000] "
                f"but was [{start + size}]. "
                "See the scroll api for a more efficient way to request large data sets. "
                "This limit can be set by changing the [index.max_result_window] index level setting."
            )
    assert documented.get(f"{JOBS}?search_after=&size=1").json()["count"] == number
    assert compatible.get(f"{JOBS}?search_after=&size=1").json()["count"] == 10_000


@pytest.mark.parametrize("status", FINISHED)
@pytest.mark.parametrize(
    ("path", "body", "changed"),
    [("_check_in", None, {}), ("_stats", COUNTERS, COUNTERS)],
    ids=["check in", "stats"],
)
def test_heartbeats_of_finished_jobs(
    documented: Http,
    compatible: Http,
    jobs: Stored,
    status: str,
    path: str,
    body: Any,
    changed: dict[str, int],
) -> None:
    before = jobs.put("j1", a_job(status, **ENDED))
    assert documented.put(f"{JOBS}/j1/{path}", json=body).status_code == 409
    assert jobs.source("j1") == before
    response = compatible.put(f"{JOBS}/j1/{path}", json=body)
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    after = jobs.source("j1")
    assert only_changes(before, after) == {
        "last_seen": after["last_seen"],
        **{key: value for key, value in changed.items() if before[key] != value},
    }
    assert after["last_seen"] > before["last_seen"]


@pytest.mark.parametrize("status", FINISHED)
def test_claims_of_finished_jobs(documented: Http, compatible: Http, jobs: Stored, status: str) -> None:
    before = jobs.put("j1", a_running_job(status, **ENDED))
    refused = error(documented.put(f"{JOBS}/j1/_claim", json=WORKER))
    assert refused == (409, "status_exception", bad_transition(status, "in_progress"))
    assert jobs.source("j1") == before

    response = compatible.put(f"{JOBS}/j1/_claim", json=WORKER | {"sync_cursor": {"page": 1}})
    assert (response.status_code, response.json()) == (200, {"result": "updated"})
    after = jobs.source("j1")
    assert not after.keys() & ENDED.keys()
    kept = {key: value for key, value in before.items() if key not in ENDED}
    assert only_changes(kept, after) == {
        "status": "in_progress",
        "worker_hostname": "worker-2",
        "started_at": after["claimed_at"],
        "claimed_at": after["claimed_at"],
        "last_seen": after["claimed_at"],
        "connector": before["connector"] | {"sync_cursor": {"page": 1}},
    }
    # It has one holder again, who may send the claim once more.
    again = compatible.put(f"{JOBS}/j1/_claim", json=WORKER | {"sync_cursor": {"page": 1}})
    assert again.json() == {"result": "noop"}
    code, _, reason = error(compatible.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "worker-3"}))
    assert code == 409
    assert reason.endswith(f" Sync job [j1] was claimed by [worker-2] at [{after['claimed_at']}].")


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_running_job_has_one_holder_in_both_modes(
    documented: Http, compatible: Http, jobs: Stored, status: str
) -> None:
    before = jobs.put("j1", a_running_job(status))
    for http in (documented, compatible):
        code, _, reason = error(http.put(f"{JOBS}/j1/_claim", json=WORKER))
        assert code == 409
        assert "was claimed by [worker-1]" in reason
    assert jobs.source("j1") == before


def test_refresh(
    documented: Http, compatible: Http, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    """Either the write refreshes or the search does, never both."""
    connectors.put("c1", a_connector())
    for http, writes_refresh in ((documented, False), (compatible, True)):
        with proxy.recording() as heard:
            job = http.post(JOBS, json={"id": "c1"}).json()["id"]
            assert http.put(f"{JOBS}/{job}/_check_in").status_code == 200
            assert http.put(f"{JOBS}/{job}/_cancel").status_code == 200
            assert http.put("/_connector/c1/_name", json={"name": f"{writes_refresh}"}).status_code == 200
            assert http.get(JOBS).json()["count"] == 1
            assert http.delete(f"{JOBS}/{job}").status_code == 200
        writing = to("/_create/", "/_update/", "/_doc/")
        writes = [each for each in heard if writing(each) and each.method != "GET"]
        assert len(writes) == 5
        assert {"refresh=true" in each.path for each in writes} == {writes_refresh}
        assert any(to("/_refresh")(each) for each in heard) is not writes_refresh


def test_extensions_are_the_same_in_both_modes(
    documented: Http, compatible: Http, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    jobs.put_all({status: {"status": status} for status in ("pending", "error", "completed")})
    seen(elasticsearch)
    for http in (documented, compatible):
        assert ids_of(http.get(f"{JOBS}?status=pending,error")) == ["error", "pending"]
        jobs.put("j1", a_running_job())
        assert http.put(f"{JOBS}/j1/_complete?worker_hostname=worker-1").json() == {"result": "updated"}
        assert http.put(f"{JOBS}/j1/_complete?worker_hostname=worker-1").json() == {"result": "noop"}
        code, _, reason = error(http.put(f"{JOBS}/j1/_check_in?worker_hostname=worker-2"))
        assert (code, reason) == (409, "Sync job [j1] is held by [worker-1], not by [worker-2].")
