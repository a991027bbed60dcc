"""Words and shapes of the Connector Protocol that connectors and sync jobs share."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final


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


class SyncKind(StrEnum):
    """What of a connector can be synced at once: at most one content job, full or incremental, and one of access control."""

    CONTENT = "content"
    ACCESS_CONTROL = "access_control"

    @classmethod
    def of(cls, job_type: Any) -> SyncKind:
        """The kind of a job."""
        return cls.ACCESS_CONTROL if job_type == JobType.ACCESS_CONTROL else cls.CONTENT

    @property
    def job_types(self) -> tuple[JobType, ...]:
        """The types of its jobs."""
        return tuple(each for each in JobType if SyncKind.of(each) is self)

    @property
    def status_field(self) -> str:
        """The field of a connector that is `in_progress` while a job of this kind runs."""
        return "last_sync_status" if self is SyncKind.CONTENT else "last_access_control_sync_status"

    @property
    def error_field(self) -> str:
        """The field of a connector with the error of the last job of this kind."""
        return "last_sync_error" if self is SyncKind.CONTENT else "last_access_control_sync_error"


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


CONFIGURATION_ITEM_DEFAULTS: Final[dict[str, Any]] = {
    "default_value": None,
    "required": False,
    "sensitive": False,
    "value": None,
}
"""What is stored of a configuration item whether it was sent or not."""

# What a job's snapshot of its connector has: the keys of a configuration item, the pipeline, and one state of a filtering.
CONFIGURATION_ITEM_KEYS: Final = (
    "category",
    "default_value",
    "depends_on",
    "display",
    "label",
    "options",
    "order",
    "placeholder",
    "required",
    "sensitive",
    "tooltip",
    "type",
    "ui_restrictions",
    "validations",
    "value",
)
PIPELINE_KEYS: Final = ("extract_binary_content", "name", "reduce_whitespace", "run_ml_inference")
FILTERING_KEYS: Final = ("advanced_snippet", "rules", "validation")
