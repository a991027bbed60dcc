"""Two nodes of Elasticsearch, and the one that writes is killed: the other one takes over, in long runs by a clock that is another."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from app import clock, settings
from app.store import Store
from app.store.index_definitions import DEFINITIONS, LEASES, SYNC_JOBS
from app.store.leases import Lease
from app.sync_jobs import creating
from app.sync_jobs.document import new_sync_job
from scripts.elasticsearch import EmbeddedNode
from tests.documents import Stored, a_connector
from tests.environment import clock_set
from tests.metrics.scraping import scrape
from tests.service import Service, free_port
from tests.soak.checks import Watch, violations
from tests.soak.conftest import SECONDS, TIMEOUT
from tests.soak.load import new_load, put_connectors, settle
from tests.soak.record import Record
from tests.soak.shortcuts import shortcuts

pytestmark = TIMEOUT

APART = timedelta(minutes=1)
# A short run has time for one.
JUMPS = [timedelta(0)] if SECONDS < 60 else [timedelta(0), -APART, APART]


@pytest.fixture
def nodes(jump: timedelta) -> Iterator[list[EmbeddedNode]]:
    """A cluster of two nodes: one that stays, and is the master, and one whose clock differs by what the time jumps later."""
    port = free_port()
    common = {"discovery.type": "multi-node"}
    stays = {"node.name": "stays", "transport.port": port, "cluster.initial_master_nodes": ["stays"]}
    dies = {
        "node.name": "dies",
        "node.roles": ["data", "ingest"],
        "discovery.seed_hosts": [f"127.0.0.1:{port}"],
    }
    wrong = clock_set(-jump) if jump else {}
    with (
        EmbeddedNode(settings=common | stays) as first,
        EmbeddedNode(settings=common | dies, environment=wrong) as second,
    ):
        yield [first, second]


@pytest.fixture
def client(nodes: list[EmbeddedNode]) -> Iterator[Elasticsearch]:
    """A client of the node that stays."""
    with Elasticsearch(nodes[0].url, request_timeout=30) as client:
        yield client


@pytest.fixture
def services(nodes: list[EmbeddedNode]) -> Iterator[list[Service]]:
    """Two services that know both nodes."""
    options = {
        # A claim whose process died is repeated until its lease has expired, which takes as much longer as the clock jumps back.
        "CLAIM_RESEND_WINDOW": "300",
        "ELASTICSEARCH_TIMEOUT": "5",
        "LOG_FORMAT": "json",
        "MAINTENANCE_INTERVAL": "500ms",
        "RESCUE_IDLE_AFTER": "15m",
        "SCHEDULER": "1",
        "WORKERS": "2",
    }
    with ExitStack() as stack:
        found = [stack.enter_context(Service(",".join(n.url for n in nodes), **options)) for _ in range(2)]
        for each in found:
            each.wait_until_ready()
        yield found


@pytest.fixture
def store(services: list[Service], nodes: list[EmbeddedNode]) -> Store:
    """A store in this process, to hold a lease for as long as a test wants."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", ",".join(each.url for each in nodes))
        return Store(settings.load())


def move_primaries(client: Elasticsearch, services: list[Service]) -> None:
    """Let the node that dies do all writes."""
    names = [each.name for each in DEFINITIONS]
    health = client.cluster.health(wait_for_nodes="2", wait_for_status="green", timeout="60s")
    assert not health["timed_out"]
    cancel = [
        {"cancel": {"index": each, "shard": 0, "node": "stays", "allow_primary": True}}
        for each in names
        if primary(client, each) == "stays"
    ]
    client.cluster.reroute(commands=cancel)
    services[0].wait_for(lambda: {primary(client, each) for each in names} == {"dies"})
    client.cluster.health(wait_for_status="green", timeout="60s")


def primary(client: Elasticsearch, index: str) -> str | None:
    """The name of the node that has the primary shard."""
    shards = client.cat.shards(index=index, format="json")
    return next((each["node"] for each in shards if each["prirep"] == "p"), None)


def leading(services: list[Service]) -> float:
    return sum(scrape(each.http).value("connector_leader") for each in services)


def write(store: Store, lease: Lease | None, record: Record) -> bool:
    """Create a job under a lease, as a request does that holds it; whether it was created."""
    connector = a_connector(service_type="load")
    job_id, job = creating.new_id(), new_sync_job("load-0", connector, "full", "on_demand", clock.now())
    written = lease is not None and creating._write(store, job_id, job, lease)
    if written:
        record.creation(job_id)
    return written


@pytest.mark.parametrize("jump", JUMPS)
def test_nothing_acknowledged_is_lost_when_the_writing_node_dies(
    nodes: list[EmbeddedNode],
    client: Elasticsearch,
    services: list[Service],
    store: Store,
    jump: timedelta,
    seed: str,
) -> None:
    """Seen to fail with each of these breaks:

    - The lease of a leader counts however long it lasts: where the clock jumps back, nobody leads for minutes.
    - The script that creates a job does not look at its lease: where the clock jumps forward, two holders create one.
    - `CLAIM_RESEND_WINDOW` is a minute, and the clock jumps back by one: the jobs of a claim whose process died are nobody's.
    """
    move_primaries(client, services)
    put_connectors(client)
    leases = Stored(client, LEASES)
    services[0].wait_for(lambda: leading(services) == 1)
    load, watch = new_load([each.url for each in services], seed), Watch(client)
    with shortcuts(load, client), watch.looking(), load.running():
        time.sleep(SECONDS / 4)
        former = leases.source("leader")
        with store.leases.hold("across the failover") as held:
            load.repeated_until = math.inf
            nodes[1].kill()
            load.repeated_until = time.monotonic()
            os.kill(int(former["name"].rpartition("/")[2]), signal.SIGKILL)
            died_at = time.monotonic()
            services[0].wait_for(lambda: primary(client, SYNC_JOBS.name) == "stays")
            with store.leases.try_hold("across the failover") as other:
                wrote = [write(store, lease, load.record) for lease in (held, other)]
        for each in services:
            each.wait_until_ready()
        ready_after = time.monotonic() - died_at
        services[0].wait_for(lambda: leases.source("leader")["name"] != former["name"])
        led_after = time.monotonic() - died_at
        time.sleep(SECONDS / 4)
        settle(load, client)
    print(dict(load.record.counts), f"{len(load.record.created)} created, {watch.looks} looks")
    print(f"ready after {ready_after:.1f} s, led after {led_after:.1f} s, {wrote}")
    found = violations(load, watch, client)
    assert not found, "\n".join(found)
    if jump:
        assert wrote == [jump < timedelta(0), jump > timedelta(0)]
    assert sum(wrote) <= 1
    assert leading(services) == 1
