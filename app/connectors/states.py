"""The states of a connector and the transitions between them that `_status` may ask for: scripts and tests follow this table.

What else changes a status follows from what happened and asks no table: a configuration that is set leads to `configured`,
an error to `error` and its end to `connected`, a new service type to `needs_configuration`.
"""

from __future__ import annotations

from typing import Final

CREATED: Final = "created"
NEEDS_CONFIGURATION: Final = "needs_configuration"
CONFIGURED: Final = "configured"
CONNECTED: Final = "connected"
ERROR: Final = "error"

# Source: the Connector Protocol's status machine. Three states lead to themselves.
TRANSITIONS: Final[dict[str, list[str]]] = {
    CREATED: [NEEDS_CONFIGURATION, ERROR],
    NEEDS_CONFIGURATION: [CONFIGURED, ERROR],
    CONFIGURED: [NEEDS_CONFIGURATION, CONFIGURED, CONNECTED, ERROR],
    CONNECTED: [CONFIGURED, CONNECTED, ERROR],
    ERROR: [CONFIGURED, CONNECTED, ERROR],
}


def refusal(current: str, target: str) -> str:
    """The sentence with which a transition that the table does not have is refused."""
    return (
        f"Invalid transition attempt from [{current}] to [{target}]. "
        "Such a status transition is not supported by the Connector Protocol."
    )
