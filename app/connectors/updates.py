"""Changes of a connector: one function per endpoint; each returns `updated`, or `noop` for no change.

All raise `ApiError` 404 where the connector is missing or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import clock
from app.connectors.states import TRANSITIONS
from app.connectors.transitions import change
from app.errors import ApiError, Cause, illegal_argument, status_error
from app.protocol import ConnectorStatus
from app.store import Store
from app.store.scripts import Responses, Verdict, load

UPDATE = load(__package__, "update")
CHECK_IN = load(__package__, "check_in")
CONFIGURATION = load(__package__, "configuration")
CONFIGURATION_VALUES = load(__package__, "configuration_values")
FAIL = load(__package__, "error")
STATUS = load(__package__, "status")

_INVALID_TRANSITION = "connector_invalid_status_transition_exception"


def merge(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Change these fields, objects key by key."""
    return change(store, connector_id, UPDATE, {"merged": fields, "replaced": {}, "now": clock.now()})


def replace(
    store: Store, connector_id: str, fields: Mapping[str, Any], responses: Responses | None = None
) -> str:
    """Change these fields, each as a whole."""
    params = {"merged": {}, "replaced": fields, "now": clock.now()}
    return change(store, connector_id, UPDATE, params, responses)


def set_last_sync(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Store the results of the last syncs, each field as a whole. A soft-deleted connector stays as it is: `noop`."""
    return replace(store, connector_id, fields, {Verdict.MISSING: "noop"})


def check_in(store: Store, connector_id: str) -> str:
    """Note that the connector's service is alive."""
    return change(store, connector_id, CHECK_IN, {"now": clock.now()})


def configure(store: Store, connector_id: str, configuration: Mapping[str, Any]) -> str:
    """Replace the configuration, values and all."""
    params = {"configuration": configuration, "status": ConnectorStatus.CONFIGURED}
    return change(store, connector_id, CONFIGURATION, params)


def set_values(store: Store, connector_id: str, values: Mapping[str, Any]) -> str:
    """Set the values of some configuration items."""
    params = {"values": values, "status": ConnectorStatus.CONFIGURED}

    def unknown_fields(details: Mapping[str, Any]) -> ApiError:
        return status_error(
            400,
            f"Unknown [configuration] fields in the request payload: [{', '.join(sorted(details['fields']))}]. "
            "Remove them from request or register their schema first.",
        )

    return change(store, connector_id, CONFIGURATION_VALUES, params, {Verdict.UNKNOWN_FIELDS: unknown_fields})


def set_error(store: Store, connector_id: str, error: str | None) -> str:
    """Set the connector's error; None or an empty text clears it."""
    params = {"error": error, "status": ConnectorStatus.ERROR if error else ConnectorStatus.CONNECTED}
    return change(store, connector_id, FAIL, params)


def set_status(store: Store, connector_id: str, status: str) -> str:
    """Move the connector along the table of transitions."""
    params = {"status": status, "transitions": TRANSITIONS}

    def refused(details: Mapping[str, Any]) -> ApiError:
        current = details["status"]
        if current not in TRANSITIONS:
            return illegal_argument(f"Unknown ConnectorStatus [{'null' if current is None else current}].")
        reason = (
            f"Invalid transition attempt from [{current}] to [{status}]. "
            "Such a status transition is not supported by the Connector Protocol."
        )
        return status_error(400, reason, Cause(_INVALID_TRANSITION, reason))

    return change(store, connector_id, STATUS, params, {Verdict.REFUSED: refused})
