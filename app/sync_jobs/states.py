"""The transitions between the statuses of a sync job: the one table that scripts, tests and the chart follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.protocol import SyncStatus

# Source: the Connector Protocol's status machine. Nothing leads from a status to itself.
_TABLE = {
    SyncStatus.PENDING: [SyncStatus.IN_PROGRESS, SyncStatus.CANCELED],
    SyncStatus.IN_PROGRESS: [
        SyncStatus.CANCELING,
        SyncStatus.COMPLETED,
        SyncStatus.SUSPENDED,
        SyncStatus.ERROR,
    ],
    SyncStatus.SUSPENDED: [SyncStatus.IN_PROGRESS, SyncStatus.CANCELED],
    SyncStatus.CANCELING: [SyncStatus.CANCELED, SyncStatus.ERROR],
    SyncStatus.COMPLETED: [],
    SyncStatus.CANCELED: [],
    SyncStatus.ERROR: [],
}

WAITING: Final[Sequence[SyncStatus]] = (SyncStatus.PENDING, SyncStatus.SUSPENDED)
"""A job that can be claimed."""
RUNNING: Final[Sequence[SyncStatus]] = (SyncStatus.IN_PROGRESS, SyncStatus.CANCELING)
"""A job that a worker holds."""

# Plain texts, as scripts get them in their parameters.
TRANSITIONS: Final = {
    status.value: [target.value for target in targets] for status, targets in _TABLE.items()
}
FINISHED: Final = [status for status, targets in TRANSITIONS.items() if not targets]
ACTIVE: Final = [status for status, targets in TRANSITIONS.items() if targets]
