"""Ten thousand workers die: the leader ends their jobs a thousand at a time, and none whose worker was heard of in time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event, Thread
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored, a_connector, a_running_job
from tests.endpoints import JOBS
from tests.fault_proxy import NO_FAULT, Fault, FaultProxy, Request
from tests.metrics.scraping import scrape
from tests.service import Http, Service
from tests.soak.conftest import TIMEOUT

pytestmark = TIMEOUT

STUCK, RACING, LATE = 10_000, 400, 100
BATCH = 1_000
CONNECTOR_IDS = [f"c{number}" for number in range(500)]
ALIVE = "alive"  # the connector of all other jobs
_SLOW_SECONDS = 0.1

_ID = re.compile(rb'\{"update":\{"_id":"([^"]+)"')


class SlowCluster:
    """Each response comes late, that of the third batch very late. Meanwhile late heartbeats arrive.

    A late heartbeat is one that comes between the leader's search and its script: the proxy sends it when it sees the script.
    """

    def __init__(self, direct: Http) -> None:
        self.batches: list[int] = []
        """How many jobs each of the leader's requests ends."""
        self.late: dict[str, int] = {}
        self._direct = direct

    def __call__(self, request: Request) -> Fault:
        if "/_bulk" not in request.path or b"params.idle_for" not in request.body:
            return NO_FAULT if request.path.startswith("/_nodes") else Fault(held_after=_SLOW_SECONDS)
        ids = [each.decode() for each in _ID.findall(request.body)]
        self.batches.append(len(ids))
        if late := [each for each in ids if each.startswith("late")]:
            self.late |= {item["id"]: item.get("status_code", 200) for item in check_in(self._direct, late)}
        return Fault(held_after=20 * _SLOW_SECONDS if len(self.batches) == 3 else _SLOW_SECONDS)


def check_in(http: Http, ids: Sequence[str]) -> list[dict[str, Any]]:
    response = http.post(f"{JOBS}/_check_in", json={"worker_hostname": "worker-1", "ids": list(ids)})
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


@contextmanager
def racing(url: str, seed: str) -> Iterator[dict[str, int]]:
    """Heartbeats of workers that come back, in random order, as long as the block runs: the status of each job's first one."""
    over, first = Event(), dict[str, int]()

    def come_back(part: int) -> None:
        http, ids = Http(url), [f"racing-{number}" for number in range(part, RACING, 4)]
        Random(f"{seed} {part}").shuffle(ids)
        for start in range(0, len(ids), 5):
            for item in check_in(http, ids[start : start + 5]):
                first[item["id"]] = item.get("status_code", 200)
            over.wait(1)
        http.close()

    threads = [Thread(target=come_back, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield first
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def put_jobs(client: Elasticsearch, seed: str) -> list[str]:
    """Jobs that were silent for an hour or more, in random order of their last heartbeats, and their connectors, which are locked."""
    connectors = {each: a_connector(last_sync_status="in_progress") for each in CONNECTOR_IDS}
    Stored(client, CONNECTORS).put_all(connectors | {ALIVE: a_connector()})
    stuck = [f"stuck-{number}" for number in range(STUCK)]
    ids = stuck + [f"racing-{n}" for n in range(RACING)] + [f"late-{n}" for n in range(LATE)]
    Random(seed).shuffle(ids)
    began = datetime.now(UTC) - timedelta(hours=4)
    documents = {
        job_id: a_running_job(
            connector={
                "id": CONNECTOR_IDS[number % len(CONNECTOR_IDS)] if job_id.startswith("stuck") else ALIVE
            },
            last_seen=clock.iso(began + timedelta(seconds=number)),
        )
        for number, job_id in enumerate(ids)
    }
    jobs = Stored(client, SYNC_JOBS)
    for start in range(0, len(ids), 2_000):
        jobs.put_all({each: documents[each] for each in ids[start : start + 2_000]})
    return stuck


def count(client: Elasticsearch, *filters: dict[str, Any]) -> int:
    client.indices.refresh(index=SYNC_JOBS.alias)
    return int(client.count(index=SYNC_JOBS.alias, query={"bool": {"filter": filters}})["count"])


def test_all_jobs_of_dead_workers_end_and_none_of_another(
    node_url: str, elasticsearch: Elasticsearch, service: Service, seed: str
) -> None:
    """Seen to fail with each of these breaks:

    - The script of the rescue doesn't look at the age: jobs end whose late heartbeats were acknowledged.
    """
    stuck = put_jobs(elasticsearch, seed)
    slow = SlowCluster(service.http)
    settings = {
        "ELASTICSEARCH_TIMEOUT": "60",  # what becomes of a request without a response is not counted
        "MAINTENANCE_INTERVAL": "200ms",
        "RESCUE_IDLE_AFTER": "10m",
        "WORKERS": "1",
        "THREADS": "4",
    }
    with (
        FaultProxy(node_url) as proxy,
        proxy.choosing(slow),
        racing(service.url, seed) as first,
        Service(proxy.url, **settings) as maintained,
    ):

        def rescued() -> float:
            return scrape(maintained.http).value("connector_maintenance_changes_total", task="rescue")

        running, silent = {"term": {"status": "in_progress"}}, {"range": {"last_seen": {"lt": "now-10m"}}}
        maintained.wait_for(lambda: count(elasticsearch, running, silent) == 0, 300)
        # A round is counted when it is over.
        maintained.wait_for(lambda: rescued() == count(elasticsearch, {"term": {"status": "error"}}))
    found = {hit["_id"]: hit["_source"] for hit in scan(elasticsearch, index=SYNC_JOBS.alias)}
    print(Counter(first.values()), slow.batches)
    ended = {each for each, job in found.items() if job["status"] == "error"}
    assert slow.late == {f"late-{number}": 200 for number in range(LATE)}
    assert set(first.values()) <= {200, 409}
    assert ended == {*stuck, *(each for each, status in first.items() if status == 409)}
    assert {job["status"] for each, job in found.items() if each not in ended} == {"in_progress"}
    assert max(slow.batches) == BATCH
    assert slow.batches.count(BATCH) >= STUCK // BATCH
    connectors = scan(elasticsearch, index=CONNECTORS.alias)
    assert not [hit["_id"] for hit in connectors if hit["_source"].get("last_sync_status") == "in_progress"]
