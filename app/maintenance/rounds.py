"""The rounds of the leader: each task, one after the other, every so often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Final

import structlog

from app import clock
from app.errors import ApiError
from app.maintenance.leader import Leader
from app.metrics.definitions import MAINTENANCE_CHANGES, MAINTENANCE_FAILURES

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done every `seconds`. `run` returns how many changes it made; it asks `leads` before each step."""

    name: str
    run: Callable[[Callable[[], bool]], int]
    seconds: float = 0.0


class Rounds:
    """Does the tasks every `seconds` while this process leads, for the first time as soon as it does."""

    def __init__(self, leader: Leader, tasks: Sequence[Task], seconds: float, stopping: Event) -> None:
        self._leader = leader
        self._tasks = tasks
        self._seconds = seconds
        self._stopping = stopping
        self._done_at: dict[str, float] = {}
        self._thread = Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Begin, as soon as this process leads."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until the task under way has ended, once the process is stopping."""
        self._thread.join(seconds)

    def _run(self) -> None:
        due = 0.0
        while not self._stopping.wait(min(_LOOK_SECONDS, self._seconds)):
            if not self._leader.leads():
                due = 0.0
            elif time.monotonic() >= due:
                due = time.monotonic() + self._seconds
                self._round()

    def _round(self) -> None:
        began_at, began = clock.now(), time.monotonic()
        changes: dict[str, int] = {}
        for task in self._tasks:
            if not self._leader.leads():
                return
            if time.monotonic() >= self._done_at.get(task.name, -math.inf) + task.seconds:
                self._do(task, changes)
        seconds = round(time.monotonic() - began, 3)
        (log.info if any(changes.values()) else log.debug)("maintenance", **changes, seconds=seconds)
        self._leader.report = self._report(began_at, seconds, changes)

    def _do(self, task: Task, changes: dict[str, int]) -> None:
        """Do one task and count what it changed. Its failure is no reason not to do the others, or not to try again."""
        try:
            changes[task.name] = task.run(self._leader.leads)
        except ApiError as error:
            MAINTENANCE_FAILURES.labels(task.name).inc()
            log.warning("maintenance_failed", task=task.name, reason=error.cause.reason)
        except Exception:
            MAINTENANCE_FAILURES.labels(task.name).inc()
            log.exception("maintenance_failed", task=task.name)
        else:
            MAINTENANCE_CHANGES.labels(task.name).inc(changes[task.name])
            self._done_at[task.name] = time.monotonic()

    def _report(self, at: str, seconds: float, changes: Mapping[str, int]) -> Mapping[str, Any]:
        failed = [task.name for task in self._tasks if task.name not in changes and task.seconds == 0]
        return {"at": at, "seconds": seconds, "changes": dict(changes), "failed": failed}
