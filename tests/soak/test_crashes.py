"""Services and Elasticsearch are killed and replaced while callers and workers use them: nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from app.store.index_definitions import LEASES
from scripts.elasticsearch import EmbeddedNode
from tests.service import Service
from tests.soak.checks import TAKEOVER, Watch, violations
from tests.soak.client import Load
from tests.soak.conftest import SECONDS, TIMEOUT
from tests.soak.load import new_load, put_connectors, settle

pytestmark = TIMEOUT

_REPLICAS = 3
_PAUSE_SECONDS = 2.0


@pytest.fixture(scope="module")
def killable_node() -> Iterator[EmbeddedNode]:
    with EmbeddedNode() as node:
        yield node


class Chaos:
    """Kills and replaces services and their node. All of it is done in the thread that started the node."""

    def __init__(
        self, node: EmbeddedNode, client: Elasticsearch, seed: str, settings: dict[str, str]
    ) -> None:
        self.node, self.client = node, client
        self.random = Random(seed)
        self.settings = settings
        self.services: list[Service] = []
        self.urls: list[str] = []
        """The addresses that the load uses."""
        self.done: Counter[str] = Counter()
        self.takeovers: list[float] = []
        self.rolls: list[tuple[str, float, float]] = []
        """Which address was rolled: from when to when."""
        self.sent_to_rolled = 0

    def start(self, stack: ExitStack) -> None:
        stack.callback(lambda: [each.close() for each in self.services])
        for _ in range(_REPLICAS):
            self._add(Service(self.node.url, **self.settings))

    def lease(self) -> dict[str, Any]:
        """The leader's lease."""
        return dict(self.client.get(index=LEASES.alias, id="leader")["_source"])

    def leader(self) -> tuple[Service, int]:
        """The service that leads, and its process."""
        deadline = time.monotonic() + 60
        while True:
            try:
                pid = int(self.lease()["name"].rpartition("/")[2])
            except NotFoundError:  # at the very start
                pid = 0
            for service in self.services:
                if pid in service.workers():
                    return service, pid
            assert time.monotonic() < deadline, "no process leads"
            time.sleep(0.1)

    def kill_leading_service(self) -> None:
        service, _ = self.leader()
        self._kill_leader(service, service.kill)
        service.start()

    def kill_leading_process(self) -> None:
        """The service starts another process in its place."""
        service, pid = self.leader()
        self._kill_leader(service, lambda: os.kill(pid, signal.SIGKILL))

    def _kill_leader(self, service: Service, kill: Callable[[], None]) -> None:
        """Kill the leader and wait for the next one. Meanwhile a process that does not lead is killed.

        The lease lasts 20 seconds from the last renewal, and the others ask for it every 5. So the next one leads after 25
        seconds at most; what remains to 30 is for a machine that is busy. Both times are of this machine's clock.
        """
        killed_at = time.time()
        kill()
        other = self.random.choice([each for each in self.services if each is not service])
        os.kill(self.random.choice(other.workers()), signal.SIGKILL)
        self.done["kill another process"] += 1
        deadline = time.monotonic() + 120
        while (lease := self.lease())["since"] <= killed_at * 1000:
            assert time.monotonic() < deadline, f"nobody has taken over from {lease}"
            time.sleep(0.1)
        self.takeovers.append(lease["since"] / 1000 - killed_at)

    def kill_service(self) -> None:
        service = self.random.choice(self.services)
        service.kill()
        time.sleep(self.random.uniform(0, _PAUSE_SECONDS))
        service.start()

    def kill_elasticsearch(self) -> None:
        self.node.kill()
        time.sleep(self.random.uniform(0, _PAUSE_SECONDS))
        self.node.start()
        for service in self.services:
            service.wait_until_ready()

    def roll_leader(self) -> None:
        """The new service starts before the old one stops, elsewhere."""
        service, _ = self.leader()
        self._add(Service(self.node.url, **self.settings))
        self._stop(service)
        self.services.remove(service)
        service.close()

    def roll(self) -> None:
        """The new service starts at the same address, when the old one has stopped."""
        service = self.random.choice(self.services)
        self._stop(service)
        self._add(service)

    def _add(self, service: Service) -> None:
        service.start().wait_until_ready()
        if service not in self.services:
            self.services.append(service)
        self.urls.append(service.url)

    def _stop(self, service: Service) -> None:
        """Stop a service as a load balancer and its platform do: first nobody chooses it any more, then it gets SIGTERM."""
        began = time.monotonic()
        self.urls.remove(service.url)
        time.sleep(1)  # until who has chosen it has sent its request
        assert service.stop() == 0
        self.rolls.append((service.url, began, time.monotonic()))


def broken_by_rolls(chaos: Chaos, load: Load) -> list[str]:
    """Requests that a service got and did not answer although it was stopped gracefully.

    Counted is each sending to its address that ended without a response from the moment on when nobody chose it any more, until it
    has stopped. Before that moment clients have it for a choice, and it runs; so none is on a connection that was only kept open.
    """
    return [
        f"{each} in a roll"
        for each in load.record.unanswered
        for url, began, ended in chaos.rolls
        if each.url == url and began <= each.ended <= ended
    ]


def test_nothing_acknowledged_is_lost_by_crashes_and_rolls(
    killable_node: EmbeddedNode, seed: str, tmp_path: Path
) -> None:
    """Seen to fail with each of these breaks:

    - `LEASE_SECONDS` of the leadership is 60: no takeover within 30 seconds.
    """
    settings = {
        "ELASTICSEARCH_TIMEOUT": "5",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "warning",
        "MAINTENANCE_INTERVAL": "1s",
        "RESCUE_IDLE_AFTER": "60s",
        "SCHEDULER": "1",
        "TMPDIR": str(tmp_path),  # who is killed leaves files
    }
    with ExitStack() as stack:
        client = stack.enter_context(Elasticsearch(killable_node.url, request_timeout=30))
        chaos = Chaos(killable_node, client, seed, settings)
        chaos.start(stack)
        put_connectors(client)
        load, watch = new_load(chaos.urls, seed), Watch(client)
        until = time.monotonic() + SECONDS
        # Once each at least, kills first: what they leave behind takes a minute.
        first = [chaos.kill_leading_service, chaos.kill_elasticsearch, chaos.roll_leader, chaos.roll]
        with watch.looking(), load.running():
            while first or time.monotonic() < until:
                act = (
                    first.pop(0)
                    if first
                    else chaos.random.choice(
                        [
                            chaos.kill_leading_service,
                            chaos.kill_leading_process,
                            chaos.kill_service,
                            chaos.kill_service,
                            chaos.kill_elasticsearch,
                            chaos.roll_leader,
                            chaos.roll,
                        ]
                    )
                )
                act()
                chaos.done[act.__name__] += 1
                time.sleep(chaos.random.uniform(0, _PAUSE_SECONDS))
            settle(load, client)
        print(dict(chaos.done), [round(each, 1) for each in chaos.takeovers], dict(load.record.counts))
        print(f"{len(load.record.created)} created, {watch.looks} looks")
        logs = [each.log() for each in chaos.services]
        found = violations(load, watch, client)
    assert not found, "\n".join(found)
    assert broken_by_rolls(chaos, load) == []
    assert max(chaos.takeovers) <= TAKEOVER.total_seconds()
    assert not [line for log in logs for line in log.splitlines() if '"exception"' in line]
