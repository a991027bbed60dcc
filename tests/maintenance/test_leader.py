"""One leader among all processes, and who takes over from it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.store.index_definitions import LEASES
from tests.metrics.scraping import scrape
from tests.service import Service

SUMMARY = "/_connector/_sync_job/_summary"


@pytest.fixture
def candidates(node_url: str, elasticsearch, service) -> Iterator[list[Service]]:
    """Three services of two processes each, without a former leader."""
    elasticsearch.options(ignore_status=404).delete(index=LEASES.alias, id="leader")
    with ExitStack() as stack:
        yield [
            stack.enter_context(Service(node_url, THREADS="4", MAINTENANCE_INTERVAL="1s", LOG_FORMAT="json"))
            for _ in range(3)
        ]


def leader(service: Service) -> dict[str, Any] | None:
    found: dict[str, Any] | None = service.http.get(SUMMARY).json()["leader"]
    return found


def next_leader(service: Service, former: str = "") -> dict[str, Any]:
    """Wait for a leader other than the former one."""
    found: list[dict[str, Any]] = []

    def another() -> bool:
        now = leader(service)
        if now is not None and now["name"] != former:
            found.append(now)
        return bool(found)

    service.wait_for(another, 120)
    return found[0]


def pid(found: dict[str, Any]) -> int:
    return int(found["name"].rpartition("/")[2])


def leading(services: list[Service]) -> list[float]:
    return [scrape(each.http).value("connector_leader") for each in services]


def of(services: list[Service], found: dict[str, Any]) -> int:
    """Which of the services the leader belongs to."""
    return next(n for n, each in enumerate(services) if str(pid(found)) in map(str, each.workers()))


def test_one_process_of_all_leads(candidates: list[Service]) -> None:
    found = next_leader(candidates[0])
    candidates[0].wait_for(lambda: sum(leading(candidates)) == 1)
    assert leading(candidates)[of(candidates, found)] == 1
    assert {leader(each)["name"] for each in candidates} == {found["name"]}
    elected = [line for each in candidates for line in each.log().splitlines() if "leader_elected" in line]
    assert len(elected) == 1
    candidates[0].wait_for(lambda: (leader(candidates[0]) or {})["last_run"] is not None)


def test_leader_that_stops_hands_over_at_once(candidates: list[Service]) -> None:
    found = next_leader(candidates[0])
    first = of(candidates, found)
    rest = [each for number, each in enumerate(candidates) if number != first]
    candidates[first].stop()
    assert re.search("leader_stepped_down", candidates[first].log())
    second = next_leader(rest[0], found["name"])
    assert not any('"taken_from": "' in line for each in rest for line in elections(each))
    assert second["since"] > found["since"]


def test_leader_that_is_killed_is_replaced(candidates: list[Service]) -> None:
    found = next_leader(candidates[0])
    os.kill(pid(found), signal.SIGKILL)
    second = next_leader(candidates[0], found["name"])
    taken = [
        line for each in candidates for line in elections(each) if f'"taken_from": "{found["name"]}"' in line
    ]
    assert len(taken) == 1
    assert second["name"] in taken[0]
    candidates[0].wait_for(lambda: sum(leading(candidates)) == 1)


def elections(service: Service) -> list[str]:
    return [line for line in service.log().splitlines() if "leader_elected" in line]
