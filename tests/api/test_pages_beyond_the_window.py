"""Decision 9: pages of lists beyond the 10,000 documents that Elasticsearch shows in one search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored, empty
from tests.endpoints import JOBS, ROOT
from tests.fault_proxy import FaultProxy, Request, nth, to
from tests.responses import error_body, ids_of
from tests.service import Http, Service

COUNT, UNDATED, TIE = 10_250, 150, 20
CONNECTORS_COUNT = 10_100


def created_at(number: int) -> dict[str, Any]:
    """Jobs of one instant in groups; the last ones have none."""
    return {"created_at": 1_700_000_000_000 + number // TIE} if number < COUNT - UNDATED else {}


OLDEST_FIRST = [f"{number:05d}" for number in range(COUNT)]
_DATED = OLDEST_FIRST[: COUNT - UNDATED]
NEWEST_FIRST = [
    *(job for start in range(len(_DATED) - TIE, -1, -TIE) for job in _DATED[start : start + TIE]),
    *OLDEST_FIRST[COUNT - UNDATED :],
]


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy, elasticsearch: Elasticsearch) -> Iterator[Service]:
    """A service with 10,250 jobs and 10,100 connectors, one in a hundred of them with an index; no test changes the order."""
    with Service(proxy.url, WORKERS="1") as service:
        service.wait_until_ready()
        empty(elasticsearch)
        Stored(elasticsearch, SYNC_JOBS).put_all(
            {job: {"status": "in_progress"} | created_at(int(job)) for job in reversed(OLDEST_FIRST)}
        )
        Stored(elasticsearch, CONNECTORS).put_all(
            {
                f"{number:05d}": {} if number % 100 else {"index_name": f"i{number:05d}"}
                for number in range(CONNECTORS_COUNT)
            }
        )
        yield service
        empty(elasticsearch)


@pytest.fixture(scope="module")
def http(proxied: Service) -> Http:
    return proxied.http


EDGES = [
    (9_999, 1),  # the last page of a single search
    (9_999, 2),
    (10_000, 1),
    (10_000, 1_000),
    (10_090, 20),  # where jobs without an instant begin
    (9_000, 1_250),
    (10_249, 1),
    (10_250, 10),
    (20_000, 10),
    (99_990, 10),
    (1, 10_000),
    (90_000, 10_000),
    (20_000, 0),
]


@pytest.mark.parametrize(("order", "jobs"), [("asc", OLDEST_FIRST), ("desc", NEWEST_FIRST)])
@pytest.mark.parametrize(("start", "size"), EDGES)
def test_every_page_that_the_count_promises_exists(
    http: Http, start: int, size: int, order: str, jobs: list[str]
) -> None:
    response = http.get(f"{JOBS}?from={start}&size={size}&order={order}")
    assert ids_of(response) == jobs[start : start + size]
    assert response.json().keys() == {"count", "results"}
    assert response.json()["count"] == COUNT


def test_documents_beyond_the_window_are_shown_as_get_shows_them(http: Http) -> None:
    [job] = http.get(f"{JOBS}?from=10050&size=1").json()["results"]
    assert job == http.get(f"{JOBS}/10050").json()


def test_filters_hold_beyond_the_window(http: Http) -> None:
    found = http.get(f"{JOBS}?from=10100&size=1&status=in_progress").json()
    assert (found["count"], found["results"][0]["id"]) == (COUNT, "10100")
    assert http.get(f"{JOBS}?from=10100&size=1&status=error").json() == {"count": 0, "results": []}


def test_connectors_beyond_the_window(http: Http) -> None:
    """Those without an index come last, and a walk goes on among them."""
    order = sorted(range(CONNECTORS_COUNT), key=lambda number: (number % 100 > 0, number))
    for start, size in ((9_999, 2), (10_000, 50), (10_099, 5), (1, 10_000), (50_000, 1)):
        response = http.get(f"{ROOT}?from={start}&size={size}")
        assert ids_of(response) == [f"{number:05d}" for number in order[start : start + size]]
        assert response.json()["count"] == CONNECTORS_COUNT


@pytest.mark.parametrize("path", [JOBS, ROOT])
@pytest.mark.parametrize(
    ("start", "size"), [(99_999, 2), (100_000, 1), (0, 100_001), (2**31 - 1, 0), (2**31 - 1, 2**31 - 1)]
)
def test_pages_end_at_100_000(http: Http, path: str, start: int, size: int) -> None:
    response = http.get(f"{path}?from={start}&size={size}")
    error = error_body(response)["error"]
    assert response.status_code == 400
    assert (error["type"], error["reason"]) == ("search_phase_execution_exception", "all shards failed")
    [root] = error["root_cause"]
    assert root["type"] == "illegal_argument_exception"
    assert root["reason"] == (
        f"Result window is too large, from + size must be less than or equal to: [100000] but was [{start + size}]. "
        "See [search_after] of the list of sync jobs for a more efficient way to request large data sets."
    )


@pytest.mark.parametrize("path", [JOBS, ROOT])
def test_page_has_at_most_10_000_documents(http: Http, path: str) -> None:
    """A page is held in memory as a whole."""
    for size in (10_001, 100_000):
        response = http.get(f"{path}?size={size}")
        [root] = error_body(response)["error"]["root_cause"]
        assert response.status_code == 400
        assert (
            f"[size] must be less than or equal to: [10000] but was [{size}]. See [search_after]"
            in root["reason"]
        )


def searches(heard: list[Request]) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in heard if to("/_search")(each)]


def points(heard: list[Request], method: str) -> int:
    """How many points in time were opened (POST) or closed (DELETE)."""
    return sum(each.method == method and "/_pit" in each.path for each in heard)


@pytest.mark.parametrize(
    ("start", "size", "sizes"),
    [
        (10_000, 10, [10_000, 10]),
        (10_100, 10, [10_000, 100, 10]),
        (9_000, 1_250, [9_000, 1_250]),
        (250, 10_000, [250, 10_000]),
        (10_250, 10, [10_000]),  # the count says that there is nothing
        (99_990, 10, [10_000]),
        (20_000, 0, [10_000]),
    ],
)
def test_walk_is_a_few_requests_and_keeps_ids_only(
    http: Http, proxy: FaultProxy, start: int, size: int, sizes: list[int]
) -> None:
    with proxy.recording() as heard:
        assert http.get(f"{JOBS}?from={start}&size={size}").status_code == 200
    sent = searches(heard)
    assert [each["size"] for each in sent] == sizes
    passed = [sum(sizes[:number]) for number in range(len(sizes))]
    assert [each["_source"] for each in sent] == [position >= start for position in passed]
    assert [each["track_total_hits"] for each in sent] == [True] + [False] * (len(sent) - 1)
    assert (points(heard, "POST"), points(heard, "DELETE")) == (1, 1)


def test_page_within_the_window_is_one_search(http: Http, proxy: FaultProxy) -> None:
    with proxy.recording() as heard:
        assert http.get(f"{JOBS}?from=9000&size=1000").status_code == 200
    assert len(searches(heard)) == 1
    assert points(heard, "POST") == 0


def open_contexts(client: Elasticsearch) -> int:
    nodes = client.nodes.stats(metric="indices", index_metric="search")["nodes"].values()
    return sum(node["indices"]["search"]["open_contexts"] for node in nodes)


MISSING = json.dumps(
    {
        "error": {
            "root_cause": [{"type": "search_context_missing_exception", "reason": "No search context found"}],
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
        },
        "status": 404,
    }
)


@pytest.mark.parametrize("fault", ["lost", "refused", "forgotten", "closing lost"])
def test_walk_that_fails_half_way_starts_again_and_leaves_nothing_open(
    http: Http, proxy: FaultProxy, elasticsearch: Elasticsearch, fault: str
) -> None:
    second = nth(2, to("/_search"))
    faults = {
        "lost": lambda: proxy.losing(second),
        "refused": lambda: proxy.responding(second, 503, "{}"),
        "forgotten": lambda: proxy.responding(second, 404, MISSING),
        "closing lost": lambda: proxy.losing(
            nth(1, lambda each: each.method == "DELETE" and "/_pit" in each.path), responses=True
        ),
    }
    before = open_contexts(elasticsearch)
    with proxy.recording() as heard, faults[fault]():
        assert ids_of(http.get(f"{JOBS}?from=10000&size=2")) == OLDEST_FIRST[10_000:10_002]
    walks = 1 if fault == "closing lost" else 2
    assert (points(heard, "POST"), points(heard, "DELETE")) == (walks, walks)
    assert open_contexts(elasticsearch) == before


def test_walk_that_fails_closes_its_point_in_time(
    http: Http, proxy: FaultProxy, elasticsearch: Elasticsearch
) -> None:
    before = open_contexts(elasticsearch)
    with proxy.losing(to("/_search")):
        assert http.get(f"{JOBS}?from=10000&size=2").status_code == 503
    assert open_contexts(elasticsearch) == before


def test_heartbeats_meanwhile_move_no_job(
    http: Http, proxied: Service, proxy: FaultProxy, elasticsearch: Elasticsearch
) -> None:
    """Each heartbeat falls between two steps of the walk, and hits jobs on both sides of where it stands."""
    other = Http(proxied.url)
    beaten: list[str] = []

    def beat(request: Request) -> bool:
        if to("/_search")(request):
            for job in (OLDEST_FIRST[len(beaten)], OLDEST_FIRST[-1 - len(beaten)], OLDEST_FIRST[9_999]):
                assert other.put(f"{JOBS}/{job}/_check_in").status_code == 200
                beaten.append(job)
            elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
        return False

    with proxy.gathering(1, beat, seconds=60):
        assert ids_of(http.get(f"{JOBS}?from=9990&size=260")) == OLDEST_FIRST[9_990:]
        assert ids_of(http.get(f"{JOBS}?from=10100&size=100")) == OLDEST_FIRST[10_100:10_200]
    other.close()
    assert len(beaten) == 3 * 5
