"""Decision 11: when indices are refreshed, so that lists see every write that was acknowledged before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import ALIASES, Stored, a_connector, a_job
from tests.endpoints import JOBS
from tests.responses import ids_of
from tests.service import Http, Service

STATS = dict.fromkeys(["deleted_document_count", "indexed_document_count", "indexed_document_volume"], 9)


@pytest.fixture(scope="module")
def other(node_url: str) -> Iterator[Service]:
    """A second service with the same node."""
    with Service(node_url, WORKERS="1") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="module")
def refreshing_service(node_url: str) -> Iterator[Service]:
    """A service whose writes refresh, like those of the original."""
    with Service(node_url, WORKERS="1", REFRESH="write") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="module", autouse=True)
def no_refresh_by_itself(running_service: Service, elasticsearch: Elasticsearch) -> Iterator[None]:
    """Elasticsearch refreshes only on request."""
    running_service.wait_until_ready()
    elasticsearch.indices.put_settings(index=ALIASES, settings={"refresh_interval": "-1"})
    # The change of the setting causes a last refresh some time after it was acknowledged.
    quiet_since, seen = time.monotonic(), refreshed(elasticsearch)
    while time.monotonic() < quiet_since + 0.5:
        time.sleep(0.05)
        if (now := refreshed(elasticsearch)) != seen:
            quiet_since, seen = time.monotonic(), now
    yield
    elasticsearch.indices.put_settings(index=ALIASES, settings={"refresh_interval": None})


def refreshed(client: Elasticsearch) -> int:
    """How many refreshes there have been so far."""
    response = client.indices.stats(index=ALIASES, metric="refresh")
    return int(response["_all"]["primaries"]["refresh"]["external_total"])


@pytest.fixture(autouse=True)
def empty_for_raw_searches_too(service: Service, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.refresh(index=ALIASES)


@pytest.fixture
def refreshes(elasticsearch: Elasticsearch) -> Callable[[], int]:
    return lambda: refreshed(elasticsearch)


@pytest.fixture
def raw(elasticsearch: Elasticsearch) -> Callable[..., list[dict[str, Any]]]:
    """The documents that a plain search in Elasticsearch finds, without a refresh."""

    def search(index: str = SYNC_JOBS.alias) -> list[dict[str, Any]]:
        found = elasticsearch.search(index=index)
        return [{"id": hit["_id"], **hit["_source"]} for hit in found["hits"]["hits"]]

    return search


def lifecycle(http: Http) -> Iterator[dict[str, Any] | None]:
    """Make one write after the other; yields after each the job that must be found, None if there is none."""
    assert http.put("/_connector/c1", json={"index_name": "search-x", "service_type": "s"}).status_code == 201
    job = http.post(JOBS, json={"id": "c1"}).json()["id"]
    yield http.get(f"{JOBS}/{job}").json()
    for path, body in (
        ("_claim", {"worker_hostname": "w"}),
        ("_check_in", None),
        ("_stats", STATS),
        ("_cancel", None),
        ("_error", {"error": "x"}),
    ):
        assert http.put(f"{JOBS}/{job}/{path}", **({"json": body} if body else {})).status_code == 200
        yield http.get(f"{JOBS}/{job}").json()
    assert http.delete(f"{JOBS}/{job}").status_code == 200
    yield None


def test_list_sees_every_write_of_another_process(http: Http, other: Service) -> None:
    for job in lifecycle(other.http):
        expected = [job] if job else []
        assert http.get(JOBS).json() == {"count": len(expected), "results": expected}


def test_filter_sees_every_write_of_another_process(http: Http, jobs: Stored, other: Service) -> None:
    jobs.put("j1", a_job())
    assert ids_of(http.get(f"{JOBS}?status=pending")) == ["j1"]
    other.http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "w"})
    assert ids_of(http.get(f"{JOBS}?status=pending")) == []
    assert ids_of(http.get(f"{JOBS}?status=in_progress")) == ["j1"]


def test_check_of_index_names_sees_every_write_of_another_process(http: Http, other: Service) -> None:
    assert other.http.put("/_connector/c1", json={"index_name": "search-x"}).status_code == 201
    assert http.put("/_connector/c2", json={"index_name": "search-x"}).status_code == 400
    assert other.http.put("/_connector/c1", json={"index_name": "search-y"}).status_code == 200
    assert http.put("/_connector/c2", json={"index_name": "search-x"}).status_code == 201


@pytest.mark.parametrize("hard", ["true", "false"])
def test_jobs_not_yet_searchable_are_deleted_with_their_connector(
    http: Http, jobs: Stored, connectors: Stored, other: Service, raw: Callable[..., Any], hard: str
) -> None:
    for connector in ("c1", "c2"):
        connectors.put(connector, a_connector(index_name=f"search-{connector}"))
    made = [other.http.post(JOBS, json={"id": connector}).json()["id"] for connector in ("c1", "c1", "c2")]
    assert raw() == []
    assert http.delete(f"/_connector/c1?hard={hard}&delete_sync_jobs=true").status_code == 200
    assert [jobs.exists(job) for job in made] == [False, False, True]


def test_writes_do_not_refresh(
    http: Http, jobs: Stored, connectors: Stored, refreshes: Callable[[], int], raw: Callable[..., Any]
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", a_job())
    before = refreshes()
    for _ in range(10):
        assert http.put(f"{JOBS}/j1/_check_in").status_code == 200
        assert http.put(f"{JOBS}/j1/_stats", json=STATS).status_code == 200
    assert http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "w"}).status_code == 200
    assert http.put(f"{JOBS}/j1/_cancel").status_code == 200
    assert http.put(f"{JOBS}/j1/_error", json={"error": "x"}).status_code == 200
    assert http.delete(f"{JOBS}/j1").status_code == 200
    assert http.post(JOBS, json={"id": "c1"}).status_code == 201
    assert http.put("/_connector/c1", json={"name": "n"}).status_code == 200
    assert refreshes() == before
    assert raw() == []


def test_get_does_not_refresh(http: Http, jobs: Stored, refreshes: Callable[[], int]) -> None:
    before = refreshes()
    jobs.put("j1", a_job())
    for _ in range(3):
        assert http.get(f"{JOBS}/j1").status_code == 200
        assert http.get("/_connector/c1").status_code == 404
    assert refreshes() == before


def test_with_refresh_write_each_write_is_found_at_once(
    refreshing_service: Service, raw: Callable[..., Any]
) -> None:
    for job in lifecycle(refreshing_service.http):
        assert raw() == ([job] if job else [])


def test_with_refresh_write_each_connector_is_found_at_once(
    refreshing_service: Service, raw: Callable[..., Any]
) -> None:
    assert refreshing_service.http.put("/_connector/c1", json={"name": "n"}).status_code == 201
    assert [connector["name"] for connector in raw(CONNECTORS.alias)] == ["n"]
    assert refreshing_service.http.put("/_connector/c1", json={"name": "m"}).status_code == 200
    assert [connector["name"] for connector in raw(CONNECTORS.alias)] == ["m"]
    made = refreshing_service.http.post("/_connector").json()["id"]
    assert {connector["id"] for connector in raw(CONNECTORS.alias)} == {"c1", made}


def test_with_refresh_write_searches_do_not_refresh(
    refreshing_service: Service, jobs: Stored, refreshes: Callable[[], int]
) -> None:
    before = refreshes()
    jobs.put("j1", a_job())
    assert refreshing_service.http.get(JOBS).json()["count"] == 0
    assert refreshes() == before
