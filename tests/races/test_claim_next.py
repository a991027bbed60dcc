"""At most one job of a connector and kind runs at any time, however many claim the next one.

Two witnesses: a sampler looks at all running jobs of one moment, and the sequence numbers of each job's claim and end, which are in
the order in which the one shard wrote them, must not overlap with those of another job of the same connector and kind.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import pytest
from elasticsearch import ConflictError, Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored, a_connector
from tests.endpoints import JOBS
from tests.service import Http

CONNECTOR_IDS = [f"c{number}" for number in range(10)]
# By default few; the full count is 1,000 (RACE_JOBS=1000).
JOB_COUNT = int(os.environ.get("RACE_JOBS", "200"))
JOB_TYPES = ["full", "incremental", "access_control"]

Slot = tuple[str, bool]
"""A connector, and whether a job of access control is meant."""


def slot(job: dict[str, Any]) -> Slot:
    return job["connector"]["id"], job["job_type"] == "access_control"


class History:
    """When each job ran: the sequence numbers of its claim and of its end."""

    def __init__(self, elasticsearch: Elasticsearch) -> None:
        self._elasticsearch = elasticsearch
        self._runs: dict[Slot, list[tuple[int, int, str]]] = defaultdict(list)
        self.claims: Counter[str] = Counter()

    def sequence_number(self, job_id: str) -> int:
        return int(self._elasticsearch.get(index=SYNC_JOBS.alias, id=job_id, source=False)["_seq_no"])

    def ran(self, job: dict[str, Any], claimed: int) -> None:
        """Note a run that has just ended."""
        self._runs[slot(job)].append((claimed, self.sequence_number(job["id"]), job["id"]))

    def overlaps(self) -> list[tuple[Slot, str, str]]:
        found = []
        for place, runs in self._runs.items():
            ordered = sorted(runs)
            for (_, end, first), (start, _, second) in itertools.pairwise(ordered):
                if start < end:
                    found.append((place, first, second))
        return found


@contextmanager
def sampling(elasticsearch: Elasticsearch) -> Iterator[list[Slot]]:
    """Collects connectors and kinds that had two running jobs in one moment: a search sees one state of the shard."""
    doubles: list[Slot] = []
    stop = Event()

    def sample() -> None:
        while not stop.wait(0.05):
            found = elasticsearch.search(
                index=SYNC_JOBS.alias,
                query={"terms": {"status": ["in_progress", "canceling"]}},
                size=1000,
                source_includes=["connector.id", "job_type"],
            )
            counts = Counter(slot(hit["_source"]) for hit in found["hits"]["hits"])
            doubles.extend(place for place, count in counts.items() if count > 1)

    thread = Thread(target=sample)
    thread.start()
    try:
        yield doubles
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def prepared(services, connectors: Stored, jobs: Stored, elasticsearch: Elasticsearch) -> list[str]:
    """Ten connectors that share the waiting jobs; some were suspended."""
    connectors.put_all({each: a_connector(index_name=f"search-{each}") for each in CONNECTOR_IDS})
    waiting = {}
    for number in range(JOB_COUNT):
        suspended = {"started_at": "2024-01-01T00:00:00Z", "worker_hostname": "earlier"}
        waiting[f"job-{number}"] = {
            "status": "suspended" if number % 5 == 0 else "pending",
            "job_type": JOB_TYPES[number % 3],
            "connector": {"id": CONNECTOR_IDS[number % 10], "service_type": "mysql"},
            "created_at": datetime.fromtimestamp(1704067200 + number, UTC).isoformat(),
            **(suspended if number % 5 == 0 else {}),
        }
    jobs.put_all(waiting)
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    return list(waiting)


def run_job(http: Http, history: History, job: dict[str, Any], hostname: str, chance: random.Random) -> None:
    """What a worker does with a job that it has: most are completed, some fail, and some are suspended for a later claim."""
    assert (job["status"], job["worker_hostname"]) == ("in_progress", hostname)
    history.claims[job["id"]] += 1
    claimed = history.sequence_number(job["id"])
    path = f"{JOBS}/{job['id']}"
    guard = f"?worker_hostname={hostname}"
    time.sleep(chance.uniform(0, 0.03))
    assert http.put(f"{path}/_check_in{guard}").status_code == 200
    end = chance.choices(["_complete", "_suspend", "_error"], [8, 1, 1])[0]
    body = {"error": "it broke"} if end == "_error" else {"indexed_document_count": 1}
    assert http.put(f"{path}/{end}{guard}", json=body).status_code == 200
    history.ran(job, claimed)


def claim_next_until_empty(http: Http, history: History, hostname: str, left: Callable[[], bool]) -> None:
    """A worker of this API."""
    chance = random.Random(hostname)
    while left():
        wanted = {"worker_hostname": hostname, "limit": chance.choice([1, 1, 1, 3]), "wait": "1s"}
        if chance.random() < 0.3:
            wanted["request_id"] = f"{hostname}-{chance.random()}"
        response = http.post(f"{JOBS}/_claim", json=wanted)
        assert response.status_code == 200, response.text
        for job in response.json()["results"]:
            run_job(http, history, job, hostname, chance)


def lock_first_until_empty(
    elasticsearch: Elasticsearch, http: Http, history: History, hostname: str, left: Callable[[], bool]
) -> None:
    """As the public worker: lock the connector by a conditional write, claim by id, end the job and unlock by direct writes."""
    chance = random.Random(hostname)
    while left():
        connector_id, job_type = chance.choice(CONNECTOR_IDS), chance.choice(JOB_TYPES)
        kind = "last_access_control_sync" if job_type == "access_control" else "last_sync"
        found = elasticsearch.search(
            index=SYNC_JOBS.alias,
            query={
                "bool": {
                    "filter": [
                        {"term": {"connector.id": connector_id}},
                        {"term": {"job_type": job_type}},
                        {"terms": {"status": ["pending", "suspended"]}},
                    ]
                }
            },
            sort=[{"created_at": "asc"}],
            size=1,
        )["hits"]["hits"]
        connector = elasticsearch.get(index=CONNECTORS.alias, id=connector_id)
        if not found or connector["_source"].get(f"{kind}_status") == "in_progress":
            time.sleep(chance.uniform(0, 0.05))
            continue
        try:
            elasticsearch.update(
                index=CONNECTORS.alias,
                id=connector_id,
                doc={f"{kind}_status": "in_progress", f"{kind}_error": None},
                if_seq_no=connector["_seq_no"],
                if_primary_term=connector["_primary_term"],
            )
        except ConflictError:
            continue
        job_id = found[0]["_id"]
        claim = http.put(f"{JOBS}/{job_id}/_claim", json={"worker_hostname": hostname})
        outcome = "canceled"
        if claim.status_code == 200:
            history.claims[job_id] += 1
            claimed = history.sequence_number(job_id)
            time.sleep(chance.uniform(0, 0.03))
            outcome = "completed"
            elasticsearch.update(
                index=SYNC_JOBS.alias, id=job_id, doc={"status": outcome}, retry_on_conflict=5
            )
            history.ran({"id": job_id, **found[0]["_source"]}, claimed)
        now = datetime.now(UTC).isoformat()
        done = {f"{kind}_status": outcome, "last_synced": now, "status": "connected"}
        elasticsearch.update(index=CONNECTORS.alias, id=connector_id, doc=done, retry_on_conflict=5)


@pytest.mark.timeout(200 + JOB_COUNT)
def test_one_job_of_a_connector_and_kind_runs_at_a_time(clients, prepared, elasticsearch) -> None:
    """Seen to fail with a claim that takes no lock (two jobs run), and with a lock that is never refused (some are never freed)."""
    history = History(elasticsearch)
    deadline = time.monotonic() + 100 + JOB_COUNT

    def left() -> bool:
        assert time.monotonic() < deadline, "not all jobs were claimed in time"
        found = elasticsearch.count(
            index=SYNC_JOBS.alias, query={"terms": {"status": ["pending", "suspended", "in_progress"]}}
        )
        return bool(found["count"])

    with sampling(elasticsearch) as doubles, ThreadPoolExecutor(len(clients)) as threads:
        done = [
            threads.submit(lock_first_until_empty, elasticsearch, http, history, f"raw-{number}", left)
            if number % 8 == 0
            else threads.submit(claim_next_until_empty, http, history, f"worker-{number}", left)
            for number, http in enumerate(clients)
        ]
        for each in done:
            each.result()
    assert not doubles
    assert not history.overlaps()
    ended = elasticsearch.mget(index=SYNC_JOBS.alias, ids=prepared)["docs"]
    assert {job["_source"]["status"] for job in ended} <= {"completed", "error"}
    assert history.claims.keys() == set(prepared)
    # A suspended job goes on as the job that it was.
    resumed = [job["_source"] for job in ended if int(job["_id"].partition("-")[2]) % 5 == 0]
    assert {job["started_at"] for job in resumed} == {"2024-01-01T00:00:00Z"}
    stored = elasticsearch.mget(index=CONNECTORS.alias, ids=CONNECTOR_IDS)["docs"]
    assert not [job["_id"] for job in stored if "in_progress" in job["_source"].values()]


def test_busy_connector_starves_no_other(clients, connectors: Stored, jobs: Stored) -> None:
    """The jobs of quiet connectors come between those of a busy one, whose jobs are all older."""
    ids = ["busy", *(f"quiet-{number}" for number in range(10))]
    connectors.put_all({each: a_connector(index_name=f"search-{each}") for each in ids})
    pending = {"status": "pending", "job_type": "full"}
    old, new = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    jobs.put_all(
        {f"b{number}": pending | {"connector": {"id": "busy"}, "created_at": old} for number in range(200)}
        | {f"q-{each}": pending | {"connector": {"id": each}, "created_at": new} for each in ids[1:]}
    )
    first = clients[0].post(f"{JOBS}/_claim", json={"worker_hostname": "w", "limit": 100}).json()["results"]
    assert [job["connector"]["id"] for job in first][:1] == ["busy"]
    assert {job["connector"]["id"] for job in first} == set(ids)
