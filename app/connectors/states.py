"""The transitions between the statuses of a connector that `_status` may ask for: scripts and tests follow this table.

What else changes a status follows from what happened and asks no table: a configuration that is set leads to `configured`,
an error to `error` and its end to `connected`, a new service type to `needs_configuration`.
"""

from __future__ import annotations

from typing import Final

from app.protocol import ConnectorStatus as Status

# Source: the Connector Protocol's status machine. Three statuses lead to themselves.
_TABLE = {
    Status.CREATED: [Status.NEEDS_CONFIGURATION, Status.ERROR],
    Status.NEEDS_CONFIGURATION: [Status.CONFIGURED, Status.ERROR],
    Status.CONFIGURED: [Status.NEEDS_CONFIGURATION, Status.CONFIGURED, Status.CONNECTED, Status.ERROR],
    Status.CONNECTED: [Status.CONFIGURED, Status.CONNECTED, Status.ERROR],
    Status.ERROR: [Status.CONFIGURED, Status.CONNECTED, Status.ERROR],
}

# Plain texts, as scripts get them in their parameters.
TRANSITIONS: Final = {
    status.value: [target.value for target in targets] for status, targets in _TABLE.items()
}
