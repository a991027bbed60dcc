"""Words and shapes of the Connector Protocol that connectors and sync jobs share."""

from __future__ import annotations

from enum import StrEnum


class SyncStatus(StrEnum):
    """The status of a sync job, and of a connector's last syncs."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    CANCELING = "canceling"
    CANCELED = "canceled"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    ERROR = "error"


class JobType(StrEnum):
    """What a sync job syncs."""

    FULL = "full"
    INCREMENTAL = "incremental"
    ACCESS_CONTROL = "access_control"


class TriggerMethod(StrEnum):
    """Who asked for a sync job."""

    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"


class ConnectorStatus(StrEnum):
    """The status of a connector."""

    CREATED = "created"
    NEEDS_CONFIGURATION = "needs_configuration"
    CONFIGURED = "configured"
    CONNECTED = "connected"
    ERROR = "error"
