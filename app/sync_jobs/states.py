"""The states of a sync job and the transitions between them: the one table that scripts, tests and the chart follow."""

from __future__ import annotations

from typing import Final

PENDING: Final = "pending"
IN_PROGRESS: Final = "in_progress"
CANCELING: Final = "canceling"
CANCELED: Final = "canceled"
SUSPENDED: Final = "suspended"
COMPLETED: Final = "completed"
ERROR: Final = "error"

# Source: the Connector Protocol's status machine. Nothing leads from a state to itself.
TRANSITIONS: Final[dict[str, list[str]]] = {
    PENDING: [IN_PROGRESS, CANCELED],
    IN_PROGRESS: [CANCELING, COMPLETED, SUSPENDED, ERROR],
    SUSPENDED: [IN_PROGRESS, CANCELED],
    CANCELING: [CANCELED, ERROR],
    COMPLETED: [],
    CANCELED: [],
    ERROR: [],
}

FINISHED: Final[list[str]] = [status for status, targets in TRANSITIONS.items() if not targets]


def refusal(current: str | None, target: str) -> str:
    """The sentence with which a transition that the table does not have is refused."""
    shown = "null" if current is None else current
    return (
        f"Invalid transition attempt from [{shown}] to [{target}]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )
