"""Elasticsearch's requests and responses are lost, cut off, late or refused at random: documents are as if nothing was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from random import Random

from elasticsearch import Elasticsearch

from tests.documents import empty
from tests.fault_proxy import NO_FAULT, Fault, FaultProxy, Request, to
from tests.service import Service
from tests.soak.checks import Watch, violations
from tests.soak.conftest import LONG, SECONDS, TIMEOUT
from tests.soak.load import new_load, put_connectors, settle
from tests.soak.shortcuts import shortcuts

pytestmark = TIMEOUT

ELASTICSEARCH_TIMEOUT = 1.0  # of the service, for a response of Elasticsearch
FAULTS = {
    "cut off": Fault(cut="request"),
    "response lost": Fault(cut="response"),
    "response cut off": Fault(cut="body"),
    "late request": Fault(held_before=1.5 * ELASTICSEARCH_TIMEOUT),
    "late response": Fault(held_after=1.5 * ELASTICSEARCH_TIMEOUT),
    "429": Fault(status=429),
    "502": Fault(status=502),
    "503": Fault(status=503),
}
# After lost responses, the service has to find out what it has done. Late ones keep everybody waiting.
_SHARES = dict.fromkeys(FAULTS, 2) | {
    "response lost": 8,
    "response cut off": 8,
    "late request": 1,
    "late response": 1,
}
_OF_WRITES, _OF_OTHERS = 0.07, 0.02
# Nothing is late in the last seconds: a late lock of a connector belongs to nobody, and is waited for.
_IN_TIME_SECONDS = 10


def at_random(seed: str, met: Counter[str]) -> Callable[[Request], Fault]:
    random = Random(seed)
    in_time = time.monotonic() + SECONDS - _IN_TIME_SECONDS
    next_ones = ["late response", "late request"]  # while there is time
    writes = to("/_bulk", "/_create/", "/_update/")

    def choose(request: Request) -> Fault:
        if random.random() >= (_OF_WRITES if writes(request) else _OF_OTHERS):
            return NO_FAULT
        if not next_ones:
            next_ones.extend(random.sample(list(_SHARES), sum(_SHARES.values()), counts=_SHARES.values()))
        name = next_ones.pop()
        if name.startswith("late") and time.monotonic() > in_time:
            return NO_FAULT
        met[name] += 1
        return FAULTS[name]

    return choose


def test_every_acknowledged_call_happened_once_whatever_was_lost(
    node_url: str, elasticsearch: Elasticsearch, seed: str
) -> None:
    """Seen to fail with each of these breaks:

    - `store.retries.send` and `store.bulk` say `is_retry=False` always: the first sending of a `_complete` gets `noop`.
    - `Documents.create` takes a new id for each sending: acknowledged jobs are lost, others are there that nobody was told of.
    - A claim that was overtaken does not look for its own token: jobs are rescued although no worker died.
    - Claims look neither at the connector's lock nor at what runs: two jobs of a connector and kind run at once.
    """
    met: Counter[str] = Counter()
    with (
        FaultProxy(node_url) as proxy,
        Service(
            proxy.url,
            ELASTICSEARCH_TIMEOUT=str(ELASTICSEARCH_TIMEOUT),
            LOG_FORMAT="json",
            LOG_LEVEL="warning",
            MAINTENANCE_INTERVAL="1s",
            RESCUE_IDLE_AFTER="30s",
            SCHEDULER="1",
        ) as service,
    ):
        service.wait_until_ready()
        empty(elasticsearch)
        put_connectors(elasticsearch)
        load = new_load([service.url], seed)
        watch = Watch(elasticsearch)
        hurry = nullcontext() if LONG else shortcuts(load, elasticsearch)
        with hurry, watch.looking(), load.running():
            with proxy.choosing(at_random(seed, met)):
                time.sleep(SECONDS)
            settle(load, elasticsearch)
    print(dict(met), dict(load.record.counts), f"{len(load.record.created)} created, {watch.looks} looks")
    found = violations(load, watch, elasticsearch)
    assert not found, "\n".join(found)
    assert met.keys() == FAULTS.keys()
    assert watch.looks
