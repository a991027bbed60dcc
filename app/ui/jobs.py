"""A stored job as the page shows it. Any program may have written it, so nothing in it is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import timestamps
from app.protocol import SyncStatus
from app.sync_jobs.states import FINISHED, RUNNING


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
