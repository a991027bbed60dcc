"""What the leader does in each round, and when; which of it, the settings say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Final

from app.maintenance.leader import Leader
from app.maintenance.rounds import Rounds, Task
from app.settings import Settings
from app.store import Store
from app.store.expiry import remove_expired
from app.sync_jobs.repair import Repair
from app.sync_jobs.rescue import rescue
from app.sync_jobs.retention import prune
from app.sync_jobs.scheduling import Scheduling

# It looks at all finished jobs each time.
_RETENTION_SECONDS: Final = 3600.0
_MAX_RESCUED: Final = 10_000


class Maintenance:
    """This process as a candidate for the leader of all replicas, and what it does while it leads."""

    def __init__(self, store: Store, settings: Settings, stopping: Event) -> None:
        seconds = settings.maintenance_interval.total_seconds()
        self._leader = Leader(store.leadership, stopping)
        self._rounds = Rounds(self._leader, _tasks(store, settings), seconds, stopping)

    def start(self) -> None:
        """Begin, in the background."""
        self._leader.start()
        self._rounds.start()

    def finish(self, seconds: float) -> None:
        """Wait until another process may lead, for so long at most. The process is stopping."""
        self._leader.join(seconds)


def _tasks(store: Store, settings: Settings) -> list[Task]:
    """Rescue comes first: a job that it ends frees its connector, which may be due."""
    tasks = [
        Task("repair", Repair(store).run),
        Task("expiry", lambda leads: remove_expired(store.expiring, leads)),
    ]
    if settings.rescue_idle_after:
        tasks.insert(0, Task("rescue", _rescuing(store, settings.rescue_idle_after)))
    if settings.scheduler:
        tasks.append(Task("scheduling", Scheduling(store).run))
    if settings.retention:
        tasks.append(Task("retention", _pruning(store, settings), _RETENTION_SECONDS))
    return tasks


def _rescuing(store: Store, idle_after: timedelta) -> Callable[[Callable[[], bool]], int]:
    return lambda _leads: len(rescue(store, idle_after, dry_run=False, limit=_MAX_RESCUED).jobs)


def _pruning(store: Store, settings: Settings) -> Callable[[Callable[[], bool]], int]:
    return lambda _leads: prune(store, settings.retention, settings.retention_keep_last, dry_run=False)
