"""Many creations at once through three services: one job for each connector, and one for each key.

RACE_ROUNDS is the number of rounds; each round has a connector of its own.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Lock

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored, a_connector, empty
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, Request, to
from tests.races.crowd import rush
from tests.service import Http, Service

ROUNDS = int(os.environ.get("RACE_ROUNDS", "5"))
CALLERS = 100
# With lost responses, requests take longer and are sent several times.
CALLERS_OF_A_KEY = 24


@pytest.fixture
def connectors(services: list[Service], elasticsearch: Elasticsearch) -> list[str]:
    """The ids of new connectors, one for each round."""
    return put_connectors(elasticsearch)


def put_connectors(elasticsearch: Elasticsearch) -> list[str]:
    ids = [f"connector-{number}" for number in range(ROUNDS)]
    Stored(elasticsearch, CONNECTORS).put_all(dict.fromkeys(ids, a_connector()))
    return ids


@pytest.fixture
def crowd(services: list[Service]) -> Iterator[list[Http]]:
    """As many HTTP clients as callers, spread over the three services."""
    found = [Http(services[number % len(services)].url) for number in range(CALLERS)]
    yield found
    for client in found:
        client.close()


def jobs_of(elasticsearch: Elasticsearch, connector: str) -> list[str]:
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    found = elasticsearch.search(
        index=SYNC_JOBS.alias, query={"term": {"connector.id": connector}}, size=1000
    )
    return [hit["_id"] for hit in found["hits"]["hits"]]


@pytest.mark.timeout(120 + 3 * ROUNDS)
@pytest.mark.parametrize("ways", [["refuse"], ["refuse", "return"]], ids=["refuse", "refuse or return"])
def test_concurrent_creations_make_one_job_and_name_it(
    crowd: list[Http], connectors: list[str], elasticsearch: Elasticsearch, ways: list[str]
) -> None:
    """Fails where the lease is granted to everybody (`acquire_lease.painless`), and where nobody searches under it."""

    def create(member: int, connector: str) -> tuple[str, int, str]:
        way = ways[member % len(ways)]
        response = crowd[member].post(f"{JOBS}?if_active={way}", json={"id": connector})
        body = response.json()
        return way, response.status_code, body.get("id") or body["error"]["reason"]

    rounds = rush(CALLERS, connectors, create)
    for connector, results in zip(connectors, rounds, strict=True):
        [job] = jobs_of(elasticsearch, connector)
        refused = (
            f"Connector [{connector}] already has an active sync job [{job}] "
            "of type [full] with status [pending]."
        )
        counts = Counter(results)
        created = sum(counts.pop((way, 201, job), 0) for way in ways)
        assert created == 1
        expected = {"refuse": ("refuse", 409, refused), "return": ("return", 200, job)}
        assert set(counts) == {expected[way] for way in ways}
        assert counts.total() == CALLERS - 1


class Losses:
    """Chooses a share of the requests to Elasticsearch, at random."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.lost = 0
        self._random = random.Random(7)
        self._lock = Lock()

    def __call__(self, request: Request) -> bool:
        if not to("_update/", "_create/", "_search")(request):
            return False
        with self._lock:
            lost = self._random.random() < self.share
            self.lost += lost
        return lost


@pytest.fixture(scope="module")
def proxied_services(proxy: FaultProxy) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Service(proxy.url, THREADS="16")) for _ in range(3)]


@pytest.mark.timeout(120 + 20 * ROUNDS)
@pytest.mark.parametrize("way", ["create", "refuse"])
def test_concurrent_creations_with_one_key_make_one_job_in_spite_of_lost_responses(
    proxied_services: list[Service], proxy: FaultProxy, elasticsearch: Elasticsearch, way: str
) -> None:
    """A third of the requests to Elasticsearch get lost, some before they reach it. A 503 is sent again.

    Fails where `take_key.painless` gives every request an id of its own.
    """
    for each in proxied_services:
        each.wait_until_ready()
    empty(elasticsearch)
    connectors = put_connectors(elasticsearch)
    clients = [
        Http(proxied_services[number % len(proxied_services)].url) for number in range(CALLERS_OF_A_KEY)
    ]

    def create(member: int, connector: str) -> tuple[int, str]:
        while True:
            response = clients[member].post(
                f"{JOBS}?if_active={way}", json={"id": connector}, headers={"Idempotency-Key": connector}
            )
            if response.status_code != 503:
                return response.status_code, response.json().get("id", response.text)

    unreached, unanswered = Losses(0.1), Losses(0.25)
    with proxy.losing(unreached), proxy.losing(unanswered, responses=True):
        rounds = rush(CALLERS_OF_A_KEY, connectors, create)
    for connector, results in zip(connectors, rounds, strict=True):
        assert Counter(results) == {(201, job): CALLERS_OF_A_KEY for job in jobs_of(elasticsearch, connector)}
    assert unanswered.lost > ROUNDS
    for client in clients:
        client.close()
