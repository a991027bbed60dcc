"""The load of the suites: the connectors that it begins with, its callers and workers, and how it comes to rest."""

from __future__ import annotations

import time

from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS
from tests.documents import Stored, a_connector
from tests.soak.callers import BY_ONE, TOGETHER, call_at_random, create_job
from tests.soak.checks import SCHEDULED, locked, unfinished
from tests.soak.client import Client, Load
from tests.soak.conftest import LONG
from tests.soak.workers import KINDS, work, work_on_schedules

# A lock that a claim has left behind can be taken over after a minute, and is freed after five.
_REST_SECONDS = 600 if LONG else 240


def new_load(urls: list[str], seed: str) -> Load:
    return Load(urls, seed, {work: 7, work_on_schedules: 4, call_at_random: 5})


def put_connectors(client: Elasticsearch) -> None:
    every_minute = {"full": {"enabled": True, "interval": "0 * * * * ?"}}
    documents = {each: a_connector(service_type="load") for each in [*BY_ONE, *TOGETHER]}
    documents |= {each: a_connector(service_type="scheduled", scheduling=every_minute) for each in SCHEDULED}
    for number, document in enumerate(documents.values()):
        document["index_name"] = f"search-{number}"
    Stored(client, CONNECTORS).put_all(documents)


def settle(load: Load, client: Elasticsearch) -> None:
    """Let the workers finish all jobs; returns when no job is left, and no connector is locked.

    A claim that died leaves its connector locked. After a minute (`shortcuts` make it pass) the next claim takes it over, so in
    a short run each such connector gets one more job. In a long one nothing comes, and the leader must free it.
    """
    load.calm.set()
    deadline = time.monotonic() + _REST_SECONDS
    connectors = Stored(client, CONNECTORS)
    for each in SCHEDULED:
        while not connectors.source(each).get("last_sync_scheduled_at"):
            assert time.monotonic() < deadline, f"the schedule of {each} is not followed"
            time.sleep(0.5)
        connectors.update(each, {"scheduling": {"full": {"enabled": False}}})
    helped: set[tuple[str, str]] = set()
    caller = Client(load, "settling")
    while (left := unfinished(client)) or locked(client):
        assert time.monotonic() < deadline, (left, locked(client), load.record.wrong)
        for connector_id, kind in set(locked(client)) - helped if not (LONG or left) else ():
            helped.add((connector_id, kind))
            create_job(caller, connector_id, next(each for each in KINDS if KINDS[each] == kind))
        time.sleep(0.5)
    caller.close()
