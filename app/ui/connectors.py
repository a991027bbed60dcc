"""A stored connector as the page shows it. Any program may have written it, so nothing in it is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from app import timestamps
from app.connectors.cron import CronError
from app.connectors.schedule import next_time
from app.protocol import JobType, SyncKind
from app.sync_jobs.attention import Job
from app.sync_jobs.connector_activity import Activity
from app.sync_jobs.locked_connectors import locked_for
from app.ui.jobs import ShownJob
from app.ui.run_chart import RunChart, run_chart
from app.ui.schedule_words import in_words

HEARD_OF_WITHIN: Final = timedelta(minutes=30)
"""How long ago a worker may have been heard of for a connector. The public worker reports every five minutes."""
SMALL_CHART: Final = {"most": 20, "bar_width": 5, "height": 34}
LARGE_CHART: Final = {"most": 50, "bar_width": 14, "height": 120}


@dataclass(frozen=True, slots=True)
class ShownSchedule:
    """When jobs of a type are due. `interval` as it is stored; `words` are None where only that is reliable.

    `next` is the next time, None where there is none or the schedule is off; `is_valid`: the interval is a cron expression.
    """

    job_type: JobType
    is_enabled: bool
    interval: Any
    words: str | None
    is_valid: bool
    next: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last sync of a kind ended; `at` as it is stored, None where that is not known of the kind."""

    kind: SyncKind
    status: Any
    error: Any
    at: Any


@dataclass(frozen=True, slots=True)
class ShownLock:
    """What holds a connector for a kind: its jobs that run, perhaps none. `is_locked`: workers pass the connector over."""

    kind: SyncKind
    is_locked: bool
    jobs: Sequence[ShownJob]


@dataclass(frozen=True)
class ShownConnector:
    """A connector by the names that templates use. `source` is the stored document, or a part of it."""

    id: str
    source: Mapping[str, Any]
    activity: Activity

    @property
    def name(self) -> str | None:
        """Its name, if it has a readable one."""
        found = self.source.get("name")
        return found if isinstance(found, str) and found.strip() else None

    @cached_property
    def schedules(self) -> list[ShownSchedule]:
        """Of each job type, whatever is stored."""
        found = self.source.get("scheduling")
        schedules = found if isinstance(found, Mapping) else {}
        return [_schedule(each, schedules.get(each)) for each in JobType]

    @property
    def main_schedules(self) -> list[ShownSchedule]:
        """Of full syncs, and the others that are on."""
        return [each for each in self.schedules if each.is_enabled or each.job_type is JobType.FULL]

    @property
    def outcomes(self) -> list[Outcome]:
        """Of each kind that was ever synced."""
        return [
            Outcome(
                kind,
                self.source.get(kind.status_field),
                self.source.get(kind.error_field),
                self.source.get("last_synced") if kind is SyncKind.CONTENT else None,
            )
            for kind in SyncKind
            if self.source.get(kind.status_field) or self.source.get(kind.error_field)
        ]

    @cached_property
    def runs(self) -> list[ShownJob]:
        """Its latest runs, the newest first."""
        return _shown(self.activity.runs)

    @property
    def locks(self) -> list[ShownLock]:
        """What holds it, by kind; nothing for kinds that are free."""
        locked = locked_for(self.source)
        running = {kind: _shown(jobs.jobs) for kind, jobs in self.activity.running.items()}
        return [
            ShownLock(kind, kind in locked, running.get(kind, []))
            for kind in SyncKind
            if kind in locked or running.get(kind)
        ]

    @property
    def running(self) -> list[ShownJob]:
        """Its jobs that run, of whatever kind."""
        return [job for jobs in self.activity.running.values() for job in _shown(jobs.jobs)]

    @property
    def waiting(self) -> list[ShownJob]:
        """Its jobs that wait for a worker, the newest ones."""
        return _shown(self.activity.waiting.jobs)

    @property
    def is_heard_of(self) -> bool:
        """Whether a worker was heard of for it lately."""
        seen = timestamps.read(self.source.get("last_seen"))
        return seen is not None and datetime.now(UTC) - seen < HEARD_OF_WITHIN

    @property
    def small_chart(self) -> RunChart:
        """Its latest runs, as a chart in a table."""
        return run_chart(self.runs, **SMALL_CHART)

    @property
    def large_chart(self) -> RunChart:
        """Its latest runs, as a chart by itself."""
        return run_chart(self.runs, **(LARGE_CHART | {"most": max(len(self.runs), 1)}))


def _schedule(job_type: JobType, stored: Any) -> ShownSchedule:
    schedule = stored if isinstance(stored, Mapping) else {"interval": stored}
    interval = schedule.get("interval")
    is_enabled = schedule.get("enabled") in (True, "true")
    later = None
    try:
        is_valid = isinstance(interval, str)
        later = next_time(interval, datetime.now(UTC)) if isinstance(interval, str) else None
    except CronError:
        is_valid = False
    return ShownSchedule(
        job_type, is_enabled, interval, in_words(interval), is_valid, later if is_enabled else None
    )


def _shown(jobs: Sequence[Job]) -> list[ShownJob]:
    return [ShownJob(*job) for job in jobs]
