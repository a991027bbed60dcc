"""The rounds of a leader: what a service does by itself, unasked."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app import clock, settings
from app.errors import unavailable
from app.maintenance.leader import Leader
from app.maintenance.rounds import Rounds, Task
from tests.command_line.program import Program
from tests.documents import ID, Stored, a_connector, a_job
from tests.fault_proxy import FaultProxy
from tests.metrics.scraping import scrape
from tests.service import Service

HOUR = timedelta(hours=1)
SUMMARY = "/_connector/_sync_job/_summary"


def ago(duration: timedelta) -> str:
    return clock.iso(datetime.now(UTC) - duration)


def test_service_rescues_repairs_and_prunes_unasked(
    node_url: str, service, connectors: Stored, jobs: Stored, tmp_path: Path
) -> None:
    connectors.put(ID, a_connector(last_sync_status="in_progress", last_synced=ago(2 * HOUR)))
    connectors.put("stuck", a_connector(last_sync_status="in_progress", last_synced=ago(2 * HOUR)))
    jobs.put("silent", a_job("in_progress", job_type="full", started_at=ago(HOUR), last_seen=ago(HOUR)))
    # The public command line writes this over jobs that nobody runs.
    jobs.put("raw", a_job("canceling", job_type="access_control", last_seen=ago(HOUR)))
    jobs.put("alive", a_job("in_progress", connector={"id": "other"}, last_seen=ago(timedelta(minutes=2))))
    of_stuck = {"connector": {"id": "stuck"}, "started_at": ago(2 * HOUR)}
    jobs.put("ended", a_job("completed", last_seen=ago(HOUR), completed_at=ago(HOUR), **of_stuck))
    jobs.put("old", a_job("completed", completed_at=ago(1000 * HOUR), **of_stuck))
    wanted = {"RETENTION": "30d", "RETENTION_KEEP_LAST": "1", "MAINTENANCE_INTERVAL": "200ms"}
    with Service(node_url, WORKERS="1", THREADS="4", LOG_FORMAT="json", **wanted) as maintained:
        maintained.wait_for(lambda: jobs.source("silent")["status"] == "error")
        maintained.wait_for(lambda: jobs.source("raw")["status"] == "canceled")
        maintained.wait_for(lambda: connectors.source("stuck")["last_sync_status"] == "completed")
        maintained.wait_for(lambda: not jobs.exists("old"))
        assert connectors.source(ID)["last_sync_status"] == "error"
        assert jobs.source("alive")["status"] == "in_progress"
        assert jobs.exists("ended")

        def changes(task: str) -> float:
            return scrape(maintained.http).value("connector_maintenance_changes_total", task=task)

        maintained.wait_for(lambda: changes("retention") >= 1)
        assert (changes("rescue"), changes("repair")) == (2, 1)

        def last_run() -> dict[str, Any] | None:  # published when the lease is renewed
            found: dict[str, Any] | None = maintained.http.get(SUMMARY).json()["leader"]["last_run"]
            return found

        maintained.wait_for(last_run)
        assert last_run().keys() == {"at", "seconds", "changes", "failed"}
        shown = Program(tmp_path, url=maintained.url).output("summary")
        assert re.search(rf"Maintenance +by \S+/{maintained.workers()[0]}, last \d+s ago", shown)
        logged = [json.loads(line) for line in maintained.log().splitlines() if '"maintenance"' in line]
        assert sum(line.get("rescue", 0) for line in logged) == 2


def test_service_may_leave_the_maintenance_to_others(node_url: str, service, jobs: Stored) -> None:
    jobs.put("silent", a_job("in_progress", last_seen=ago(HOUR)))
    wanted = {"RESCUE_IDLE_AFTER": "0", "MAINTENANCE_INTERVAL": "100ms", "WORKERS": "1"}
    with Service(node_url, **wanted) as lazy, Service(node_url, WORKERS="1") as never:
        lazy.wait_for(lambda: (lazy.http.get(SUMMARY).json()["leader"] or {}).get("last_run") is not None)
        assert never.http.get(SUMMARY).json()["leader"]["name"].endswith(f"/{lazy.workers()[0]}")
        assert scrape(never.http).value("connector_leader") == 0
        never.stop()
        assert "Traceback" not in never.log()
    assert jobs.source("silent")["status"] == "in_progress"


def test_outage_is_logged_once_by_those_who_ask_for_the_lease(proxy: FaultProxy, service) -> None:
    with Service(proxy.url, WORKERS="1", MAINTENANCE_INTERVAL="100ms", LOG_FORMAT="json") as candidate:
        candidate.wait_for(lambda: "leader_elected" in candidate.log())
        with proxy.losing(lambda _request: True):
            candidate.wait_for(lambda: "leader_lost" in candidate.log())
        assert candidate.log().count("leadership_unknown") == 1
        candidate.wait_for(lambda: candidate.log().count("leader_elected") == 2)


class Leading(Leader):
    """A process that leads as long as it is told to."""

    def __init__(self) -> None:
        self.report = None
        self.leading = True

    def leads(self) -> bool:
        return self.leading


def done(tasks: list[Task], seconds: float = 0.01) -> tuple[Rounds, Leading, Event]:
    leader, stopping = Leading(), Event()
    rounds = Rounds(leader, tasks, seconds, stopping)
    return rounds, leader, stopping


def test_task_that_fails_keeps_no_other_from_being_done() -> None:
    times: dict[str, int] = {"broken": 0, "defect": 0, "good": 0}
    enough = Event()

    def broken(_leads: Any) -> int:
        times["broken"] += 1
        raise unavailable("away")

    def defect(_leads: Any) -> int:
        times["defect"] += 1
        raise RuntimeError("a defect")

    def good(_leads: Any) -> int:
        times["good"] += 1
        if times["good"] == 3:
            enough.set()
        return 1

    tasks = [Task("broken", broken), Task("defect", defect), Task("good", good)]
    rounds, leader, stopping = done(tasks)
    rounds.start()
    assert enough.wait(60)
    stopping.set()
    rounds.join(60)
    assert min(times.values()) >= 3
    assert leader.report is not None
    assert (leader.report["changes"], leader.report["failed"]) == ({"good": 1}, ["broken", "defect"])


def test_task_with_a_period_of_its_own_waits_for_it() -> None:
    often, seldom = [], []
    enough = Event()

    def count(_leads: Any) -> int:
        often.append(1)
        if len(often) == 5:
            enough.set()
        return 0

    tasks = [Task("often", count), Task("seldom", lambda _: seldom.append(1) or 0, seconds=3600)]
    rounds, _, stopping = done(tasks)
    rounds.start()
    assert enough.wait(60)
    stopping.set()
    rounds.join(60)
    assert len(seldom) == 1


def test_round_ends_when_the_process_no_longer_leads() -> None:
    ran = []

    def loses(_leads: Any) -> int:
        ran.append("first")
        leader.leading = False
        return 0

    rounds, leader, _ = done([Task("first", loses), Task("second", lambda _: ran.append("second") or 0)])
    rounds._round()
    assert ran == ["first"]


@pytest.mark.parametrize("name", ["MAINTENANCE_INTERVAL", "RESCUE_IDLE_AFTER", "RETENTION"])
def test_settings_are_time_values(monkeypatch, name: str) -> None:
    monkeypatch.setenv(name, "10 minutes")
    with pytest.raises(settings.SettingsError, match=f"{name} must be a time value such as 30s"):
        settings.load()
