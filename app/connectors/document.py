"""The connector document at its creation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.connectors.filtering import default_filtering

# Daily at midnight, in Quartz syntax; off until somebody enables it.
_DEFAULT_SCHEDULE = {"enabled": False, "interval": "0 0 0 * * ?"}


def is_deleted(connector: Mapping[str, Any]) -> bool:
    """Whether a stored connector is soft-deleted; the twin of `flag.painless`, since others may write the flag as a text."""
    return connector.get("deleted") in (True, "true")


def new_connector(fields: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The document of a new connector from the `fields` of a create request; `now` is an ISO instant.

    A field that was not sent, or sent as null, is absent; but `name` and `is_native` have defaults.
    """
    given = {key: value for key, value in fields.items() if value is not None}
    is_native = given.get("is_native", False)
    return {
        "name": "",
        "is_native": is_native,
        **given,
        "configuration": {},
        "custom_scheduling": {},
        "filtering": default_filtering(now),
        "scheduling": {kind: dict(_DEFAULT_SCHEDULE) for kind in ("access_control", "full", "incremental")},
        "status": "needs_configuration" if is_native else "created",
        "sync_now": False,
        "deleted": False,
    }
