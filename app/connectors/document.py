"""The connector document at its creation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.connectors.filtering import default_filtering
from app.protocol import ConnectorStatus, JobType

# Daily at midnight, in Quartz syntax; off until somebody enables it.
_DEFAULT_SCHEDULE = {"enabled": False, "interval": "0 0 0 * * ?"}


def is_deleted(connector: Mapping[str, Any]) -> bool:
    """Whether a stored connector is soft-deleted."""
    return _is_true(connector.get("deleted"))


def _is_true(flag: Any) -> bool:
    """The twin of `flag.painless`: others may write a boolean as a text or into a list, as Elasticsearch takes it."""
    return any(map(_is_true, flag)) if isinstance(flag, list) else flag in (True, "true")


def new_connector_defaults(fields: Mapping[str, Any], now: str) -> dict[str, Any]:
    """What a new connector has beside the `fields` of its create request; `now` is an ISO timestamp."""
    is_native = fields.get("is_native", False)
    return {
        "name": "",
        "is_native": is_native,
        "configuration": {},
        "custom_scheduling": {},
        "filtering": default_filtering(now),
        "scheduling": {kind.value: dict(_DEFAULT_SCHEDULE) for kind in JobType},
        "status": (ConnectorStatus.NEEDS_CONFIGURATION if is_native else ConnectorStatus.CREATED).value,
        "sync_now": False,
        "deleted": False,
    }
