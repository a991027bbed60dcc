"""Elasticsearch's requests and responses are lost, cut off, late or refused at random: documents are as if nothing was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from random import Random

from elasticsearch import Elasticsearch

from tests.documents import empty
from tests.fault_proxy import NO_FAULT, Fault, FaultProxy, Request
from tests.service import Service
from tests.soak.checks import Watch, violations
from tests.soak.conftest import SECONDS
from tests.soak.load import Load
from tests.soak.settling import put_connectors, settle

TIMEOUT = 1.0  # of the service, for a response of Elasticsearch
FAULTS = {
    "cut off": Fault(cut="request"),
    "response lost": Fault(cut="response"),
    "response cut off": Fault(cut="body"),
    "late request": Fault(held_before=1.5 * TIMEOUT),
    "late response": Fault(held_after=1.5 * TIMEOUT),
    "429": Fault(status=429),
    "502": Fault(status=502),
    "503": Fault(status=503),
}
_PROBABILITY = 0.03
_OF_BULK_RESPONSES = 0.02  # more that are cut off
# Nothing is late in the last seconds: a late lock of a connector belongs to nobody, and is waited for a minute.
_IN_TIME_SECONDS = 10


def at_random(seed: str, met: Counter[str]) -> Callable[[Request], Fault]:
    random = Random(seed)
    in_time = time.monotonic() + SECONDS - _IN_TIME_SECONDS

    def choose(request: Request) -> Fault:
        name = random.choice(list(FAULTS)) if random.random() < _PROBABILITY else None
        if "/_bulk" in request.path and random.random() < _OF_BULK_RESPONSES:
            name = "response cut off"
        if name is None or (name.startswith("late") and time.monotonic() > in_time):
            return NO_FAULT
        met[name] += 1
        return FAULTS[name]

    return choose


def test_every_acknowledged_call_happened_once_whatever_was_lost(
    node_url: str, elasticsearch: Elasticsearch, seed: str
) -> None:
    """Seen to fail with each of these breaks:

    - `store.retries.send` says `is_retry=False` always: jobs end or are canceled, and nobody was told.
    - `Documents.create` takes a new id for each sending: jobs that nobody was told of.
    - Claims do without the lock of the connector: two workers hold jobs of one connector and kind.
    """
    met: Counter[str] = Counter()
    with (
        FaultProxy(node_url) as proxy,
        Service(
            proxy.url,
            ELASTICSEARCH_TIMEOUT=str(TIMEOUT),
            LOG_FORMAT="json",
            LOG_LEVEL="warning",
            MAINTENANCE_INTERVAL="1s",
            RESCUE_IDLE_AFTER="20s",
            SCHEDULER="1",
        ) as service,
    ):
        service.wait_until_ready()
        empty(elasticsearch)
        put_connectors(elasticsearch)
        load = Load([service.url], seed, workers=10)
        watch = Watch(elasticsearch)
        with watch.looking(), load.running():
            with proxy.choosing(at_random(seed, met)):
                time.sleep(SECONDS)
            settle(load, elasticsearch)
    print(dict(met), dict(load.record.counts), f"{len(load.record.created)} created, {watch.looks} looks")
    assert violations(load, watch, elasticsearch) == []
    assert met.keys() == FAULTS.keys()
    assert watch.looks
