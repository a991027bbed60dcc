"""A stored job as the page shows it. Any program may have written it, so nothing in it is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import timestamps
from app.protocol import SyncStatus
from app.sync_jobs.states import FINISHED, RUNNING
from app.ui.texts import duration

# A claim writes both times at once.
_SAME = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something in the life of a job; `after` is how long after the event before it."""

    name: str
    time: datetime
    after: timedelta | None


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job by the names that templates use. `source` is the stored document; times are None where they cannot be read."""

    id: str
    source: Mapping[str, Any]

    @property
    def status(self) -> Any:
        """As it is stored."""
        return self.source.get("status")

    @property
    def connector(self) -> Mapping[str, Any]:
        """The snapshot of its connector."""
        found = self.source.get("connector")
        return found if isinstance(found, Mapping) else {}

    @property
    def connector_id(self) -> str | None:
        """Whose job it is."""
        found = self.connector.get("id")
        return found if isinstance(found, str) else None

    @property
    def is_running(self) -> bool:
        """Whether a worker has it."""
        return isinstance(self.status, str) and self.status in RUNNING

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""
        return isinstance(self.status, str) and self.status in FINISHED

    @property
    def may_be_canceled(self) -> bool:
        """Whether a cancellation would change it."""
        return not self.is_finished and self.status != SyncStatus.CANCELING

    @property
    def took(self) -> timedelta | None:
        """How long it ran, or has been running."""
        started, ended = self.time("started_at"), self.time("completed_at")
        if started is None or not (self.is_running or ended):
            return None
        return (ended or datetime.now(UTC)) - started

    def time(self, field: str) -> datetime | None:
        """One of its times."""
        return timestamps.read(self.source.get(field))

    @property
    def timeline(self) -> list[Event]:
        """What is known of its life, in the order of time."""
        times = {
            "Created": self.time("created_at"),
            "Claimed": self.time("started_at"),
            "Claimed again": self.time("claimed_at"),
            "Last heartbeat": self.time("last_seen"),
            "Cancellation requested": self.time("cancelation_requested_at"),
            "Ended": self.time("completed_at") or self.time("canceled_at"),
        }
        first, again = times["Claimed"], times["Claimed again"]
        if first is None or again is None or abs(again - first) < _SAME:
            times |= {"Claimed": first or again, "Claimed again": None}
        events: list[Event] = []
        for name, time in sorted(
            ((name, time) for name, time in times.items() if time is not None), key=lambda each: each[1]
        ):
            events.append(Event(name, time, time - events[-1].time if events else None))
        return events

    @property
    def documents_per_second(self) -> float | None:
        """How fast documents were indexed, all in all."""
        indexed, took = self.number("indexed_document_count"), self.took
        return indexed / took.total_seconds() if indexed and took and took > timedelta(0) else None

    @property
    def progress(self) -> float | None:
        """The share of its documents that a running job has indexed, where their total is known."""
        indexed, total = self.number("indexed_document_count"), self.number("total_document_count")
        return min(indexed / total, 1.0) if self.is_running and indexed is not None and total else None

    def number(self, field: str) -> int | None:
        """One of its counters; None for what counts nothing."""
        value = self.source.get(field)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def silent_for(self, least: timedelta) -> timedelta | None:
        """How long nothing was heard of the worker that runs it; None if less than `least`."""
        seen = self.time("last_seen") or self.time("started_at") or self.time("created_at")
        silent = datetime.now(UTC) - seen if self.is_running and seen else None
        return silent if silent is not None and silent > least else None


def meaning(job: ShownJob, silent_after: timedelta) -> str:
    """What the job's status means for whoever waits for it, and what can be done."""
    if job.is_running:
        if silent := job.silent_for(silent_after):
            return (
                f"Nothing was heard of its worker for {duration(silent)}. If the worker is gone, rescue ends the job and frees "
                "its connector."
            )
        if job.status == SyncStatus.CANCELING:
            return "Its worker was asked to stop, and ends it as soon as it can."
        return "A worker is at work on it."
    texts = {
        SyncStatus.PENDING: "It waits until a worker claims it. If that takes long, see whether a worker for its service type runs.",
        SyncStatus.SUSPENDED: "Its worker has stopped before the end; the next worker that claims it goes on.",
        SyncStatus.CANCELED: "It was canceled, and nobody goes on with it.",
        SyncStatus.COMPLETED: "It has done all of its work.",
        SyncStatus.ERROR: "It has failed. The next sync of the connector starts anew.",
    }
    known = isinstance(job.status, str) and job.status in texts
    return (
        texts[SyncStatus(job.status)] if known else "No worker knows this status, so nobody goes on with it."
    )
