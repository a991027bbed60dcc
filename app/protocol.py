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
