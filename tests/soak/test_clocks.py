"""Services whose clocks are minutes ahead of Elasticsearch's, and behind: what is decided stays right, and nobody alive is ended."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock
from app.store.index_definitions import CONNECTORS, LEASES, SYNC_JOBS
from tests.documents import Stored, a_connector, a_running_job, empty
from tests.endpoints import JOBS
from tests.environment import clock_set
from tests.metrics.scraping import scrape
from tests.races.crowd import rush
from tests.service import Http, Service
from tests.soak.checks import SCHEDULED, Watch, violations
from tests.soak.conftest import SECONDS, TIMEOUT
from tests.soak.load import new_load, put_connectors, settle
from tests.soak.shortcuts import shortcuts

pytestmark = TIMEOUT

APART = timedelta(minutes=5)
# More than any two clocks are apart.
IDLE_AFTER = "15m"
HOUR = timedelta(hours=1)
SETTINGS = {
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "info",
    "MAINTENANCE_INTERVAL": "500ms",
    "RESCUE_IDLE_AFTER": IDLE_AFTER,
    "SCHEDULER": "1",
    "WORKERS": "1",
    "THREADS": "12",
}


@pytest.fixture(scope="module")
def services(node_url: str, elasticsearch: Elasticsearch) -> Iterator[dict[str, Service]]:
    """The one that is ahead starts first, and leads."""
    environments = {"ahead": clock_set(APART), "behind": clock_set(-APART), "right": {}}
    elasticsearch.options(ignore_status=404).delete(index=LEASES.alias, id="leader")
    with ExitStack() as stack:
        started = {}
        for name, environment in environments.items():
            started[name] = stack.enter_context(Service(node_url, **SETTINGS, **environment))
            if name == "ahead":
                started[name].wait_for(lambda: leads(started["ahead"]))
        for each in started.values():
            each.wait_until_ready()
        yield started


@pytest.fixture(autouse=True)
def without_documents(services: dict[str, Service], elasticsearch: Elasticsearch) -> None:
    empty(
        elasticsearch, [CONNECTORS.alias, SYNC_JOBS.alias]
    )  # without the leader's lease, another one may lead


def leads(service: Service) -> bool:
    return scrape(service.http).value("connector_leader") == 1


def ago(duration: timedelta) -> str:
    return clock.iso(datetime.now(UTC) - duration)


def test_load_on_services_whose_clocks_differ(
    services: dict[str, Service], elasticsearch: Elasticsearch, seed: str
) -> None:
    """Seen to fail with each of these breaks:

    - A job whose last heartbeat is by a clock that is more than a minute ahead counts as idle: live jobs are rescued.
    - The script of the expiry decides by the service's clock: the leader's own lease is removed, and others lead.
    - The lease of the leader is decided by the service's clock: whoever is ahead takes it, again and again.
    - A slot is taken again in each round; a slot is taken, and its job not created.
    """
    put_connectors(elasticsearch)
    load = new_load([each.url for each in services.values()], seed)
    watch = Watch(elasticsearch)
    with shortcuts(load, elasticsearch), watch.looking(), load.running():
        time.sleep(SECONDS / 2)
        settle(load, elasticsearch)
    print(dict(load.record.counts), f"{len(load.record.created)} created, {watch.looks} looks")
    found = violations(load, watch, elasticsearch, leader_ahead=APART)
    assert not found, "\n".join(found)
    assert [name for name, each in services.items() if leads(each)] == ["ahead"]
    let_expire(services["ahead"], Stored(elasticsearch, LEASES))
    hand_over(services, services["ahead"], elasticsearch)


def let_expire(leader: Service, leases: Stored) -> None:
    """A leader removes what expired over a minute ago by Elasticsearch's clock, and nothing else."""
    now = int(time.time() * 1000)
    alive = {"a lease": now + 30_000, "a key": now + 200_000}
    leases.put_all({each: {"holder": "h", "expires_at": at} for each, at in alive.items()})
    leases.put("dead", {"holder": "h", "expires_at": now - 120_000})
    leader.wait_for(lambda: not leases.exists("dead"))
    assert [each for each in alive if not leases.exists(each)] == []


def hand_over(services: dict[str, Service], leader: Service, client: Elasticsearch) -> None:
    """A slot that one leader has taken is nobody else's, however many minutes later their clocks come to it."""
    connectors, leases = Stored(client, CONNECTORS), Stored(client, LEASES)
    scheduled, former = SCHEDULED[0], leases.source("leader")["name"]
    connectors.update(scheduled, {"scheduling": {"full": {"enabled": True}}})
    leader.stop()
    rest = next(each for each in services.values() if each is not leader)
    rest.wait_for(lambda: leases.source("leader")["name"] != former and leases.source("leader")["report"])
    # Minutes ahead.
    assert connectors.source(scheduled)["last_sync_scheduled_at"] > ago(-APART / 2)
    leader.start()


def combinations() -> Iterator[tuple[str, str]]:
    yield from itertools.product(("ahead", "behind", "right"), repeat=2)


def test_job_whose_worker_is_alive_is_rescued_by_no_clock(
    services: dict[str, Service], elasticsearch: Elasticsearch
) -> None:
    """Seen to fail where what lies more than a minute in the future counts as no heartbeat."""
    jobs = Stored(elasticsearch, SYNC_JOBS)
    alive = running_for_an_hour(services, elasticsearch, combinations())
    jobs.put("silent", a_running_job(started_at=ago(HOUR), last_seen=ago(HOUR)))
    for each in services.values():
        heartbeats(services, alive)
        body = {"idle_for": IDLE_AFTER, "dry_run": True}
        found = each.http.post(f"{JOBS}/_rescue", json=body).json()["rescued"]
        assert {job["id"] for job in found} <= {"silent"}
    services["right"].wait_for(lambda: jobs.source("silent")["status"] == "error")
    assert {jobs.source(job_id)["status"] for job_id in alive} == {"in_progress"}


def running_for_an_hour(
    services: dict[str, Service], client: Elasticsearch, pairs: Iterator[tuple[str, str]]
) -> dict[str, str]:
    """Jobs that one service gave to a worker an hour ago, by its own clock; by whom the worker sends heartbeats now."""
    jobs = Stored(client, SYNC_JOBS)
    Stored(client, CONNECTORS).put("c1", a_connector())
    alive = {}
    for claimed_by, seen_by in pairs:
        http = services[claimed_by].http
        job_id = http.post(JOBS, json={"id": "c1"}).json()["id"]
        assert http.put(f"{JOBS}/{job_id}/_claim", json={"worker_hostname": "w"}).status_code == 200
        past = datetime.fromisoformat(jobs.source(job_id)["started_at"]) - HOUR
        jobs.update(job_id, {"created_at": clock.iso(past), "started_at": clock.iso(past)})
        alive[job_id] = seen_by
    return alive


def heartbeats(services: dict[str, Service], alive: dict[str, str]) -> None:
    for job_id, seen_by in alive.items():
        response = services[seen_by].http.put(f"{JOBS}/{job_id}/_check_in?worker_hostname=w")
        assert response.status_code == 200, response.text


@pytest.mark.parametrize(("seen_by", "rescued_by"), [("right", "ahead"), ("behind", "right")])
def test_clock_that_is_wrong_by_more_than_the_threshold_ends_jobs_of_living_workers(
    services: dict[str, Service], elasticsearch: Elasticsearch, seen_by: str, rescued_by: str
) -> None:
    """The limit that docs/extensions.md names."""
    alive = running_for_an_hour(services, elasticsearch, iter([("right", seen_by)]))
    # The time of the claim is later than that of a heartbeat by a clock that is behind.
    Stored(elasticsearch, SYNC_JOBS).update(next(iter(alive)), {"last_seen": ago(HOUR)})
    heartbeats(services, alive)
    for idle_for, found in (("4m", list(alive)), ("6m", [])):
        body = {"idle_for": idle_for, "dry_run": True}
        rescued = services[rescued_by].http.post(f"{JOBS}/_rescue", json=body).json()["rescued"]
        assert [job["id"] for job in rescued] == found


def test_heartbeat_by_a_right_clock_counts_after_one_that_was_ahead(
    services: dict[str, Service], elasticsearch: Elasticsearch
) -> None:
    """Seen to fail where a heartbeat never replaces a later one, not even one of the future."""
    jobs = Stored(elasticsearch, SYNC_JOBS)
    (job_id,) = running_for_an_hour(services, elasticsearch, iter([("ahead", "right")]))
    assert jobs.source(job_id)["last_seen"] > ago(-APART / 2)
    since = ago(timedelta(seconds=1))
    heartbeats(services, {job_id: "right"})
    assert since < jobs.source(job_id)["last_seen"] <= ago(timedelta(0))


def test_lock_of_a_claim_is_taken_over_by_the_clock_of_elasticsearch(
    services: dict[str, Service], elasticsearch: Elasticsearch
) -> None:
    """Seen to fail where the script of the lock decides by the service's clock."""
    connectors, jobs = Stored(elasticsearch, CONNECTORS), Stored(elasticsearch, SYNC_JOBS)
    lock = {"job": "dead", "token": "t", "former": None, "synced": None}

    def claimed(name: str, seconds: int) -> list[Any]:
        """What a service hands out where a claim has locked the connector so long ago."""
        locked_at = int((time.time() - seconds) * 1000)
        locks = {"content": lock | {"at": locked_at}}
        connectors.put("c1", a_connector(last_sync_status="in_progress", last_synced=None, sync_locks=locks))
        response = services[name].http.post(f"{JOBS}/_claim", json={"worker_hostname": "w"})
        assert response.status_code == 200, response.text
        return list(response.json()["results"])

    jobs.put(
        "j", {"status": "pending", "connector": {"id": "c1"}, "job_type": "full", "created_at": ago(HOUR)}
    )
    assert [claimed(name, 30) for name in services] == [[], [], []]
    # A service that is behind looks later.
    assert claimed("behind", 90) == []
    assert [job["id"] for job in claimed("ahead", 90)] == ["j"]


def test_rivals_on_services_whose_clocks_differ_have_one_winner(
    services: dict[str, Service], elasticsearch: Elasticsearch
) -> None:
    members, rounds = 9, range(5)
    clients = [Http(each.url) for each in services.values() for _ in range(members // 3)]
    connectors = {f"c{number}": a_connector(index_name=f"search-c{number}") for number in range(members)}
    Stored(elasticsearch, CONNECTORS).put_all(connectors)
    jobs = {f"j{number}": {"status": "pending", "connector": {"id": "c0"}} for number in rounds}
    Stored(elasticsearch, SYNC_JOBS).put_all(jobs)

    def claim(member: int, number: int) -> tuple[int, Any]:
        path, body = f"{JOBS}/j{number}/_claim", {"worker_hostname": f"w{member}"}
        return clients[member].put(path, json=body).status_code, None

    def attach(member: int, number: int) -> tuple[int, Any]:
        path, body = f"/_connector/c{member}/_index_name", {"index_name": f"search-{number}"}
        return clients[member].put(path, json=body).status_code, None

    def create(path: str, member: int, number: int, job_type: str) -> tuple[int, Any]:
        headers = {"Idempotency-Key": f"{path} {number}"} if path == JOBS else {}
        body = {"id": f"c{number % members}", "job_type": job_type}
        response = clients[member].post(path, json=body, headers=headers)
        return response.status_code, response.json()["id"]

    with_key = partial(create, JOBS, job_type="full")
    unless_active = partial(create, f"{JOBS}?if_active=return", job_type="incremental")
    for results in rush(members, rounds, claim):
        assert sorted(status for status, _ in results) == [200] + (members - 1) * [409]
    for results in rush(members, rounds, attach):
        assert [status for status, _ in results].count(200) == 1
    for results in rush(members, rounds, with_key):
        assert {status for status, _ in results} == {201}
        assert len({job_id for _, job_id in results}) == 1
    for results in rush(members, range(members), unless_active):
        assert sorted(status for status, _ in results) == (members - 1) * [200] + [201]
        assert len({job_id for _, job_id in results}) == 1
    for client in clients:
        client.close()
