"""What can be changed about a connector: one function per endpoint; each returns `updated`, or `noop` for no change.

All raise `ApiError` 404 where the connector is missing or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import clock
from app.connectors.index_names import MANAGED_PREFIX
from app.connectors.states import (
    CONFIGURED,
    CONNECTED,
    CREATED,
    ERROR,
    NEEDS_CONFIGURATION,
    TRANSITIONS,
    refusal,
)
from app.connectors.transitions import result, transition
from app.errors import Cause, illegal_argument, status_error
from app.store import Store
from app.store.painless import load

UPDATE = load(__package__, "update", uses=("flag", "merge", "unchanged"))
CHECK_IN = load(__package__, "check_in", uses=("flag", "instant", "heartbeat"))
CONFIGURATION = load(__package__, "configuration", uses=("flag",))
CONFIGURATION_VALUES = load(__package__, "configuration_values", uses=("flag", "merge", "unchanged"))
FAIL = load(__package__, "error", uses=("flag", "unchanged"))
NATIVE = load(__package__, "native", uses=("flag", "permits", "unchanged"))
SERVICE_TYPE = load(__package__, "service_type", uses=("flag", "permits", "unchanged"))
STATUS = load(__package__, "status", uses=("flag", "permits"))

_INVALID_TRANSITION = "connector_invalid_status_transition_exception"


def merge(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Change these fields, objects key by key."""
    return result(transition(store, connector_id, UPDATE, {"merged": fields, "replaced": {}}))


def replace(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Change these fields, each as a whole."""
    return result(transition(store, connector_id, UPDATE, {"merged": {}, "replaced": fields}))


def check_in(store: Store, connector_id: str) -> str:
    """Note that the connector's service is alive."""
    return result(transition(store, connector_id, CHECK_IN, {"now": clock.now()}))


def configure(store: Store, connector_id: str, configuration: Mapping[str, Any]) -> str:
    """Replace the configuration, values and all."""
    params = {"configuration": configuration, "status": CONFIGURED}
    return result(transition(store, connector_id, CONFIGURATION, params))


def set_values(store: Store, connector_id: str, values: Mapping[str, Any]) -> str:
    """Set the values of some configuration items."""
    params = {"values": values, "status": CONFIGURED}
    outcome = transition(store, connector_id, CONFIGURATION_VALUES, params)
    if outcome.verdict.get("outcome") == "unknown":
        unknown = ", ".join(sorted(outcome.verdict["fields"]))
        raise status_error(
            400,
            f"Unknown [configuration] fields in the request payload: [{unknown}]. "
            "Remove them from request or register their schema first.",
        )
    return result(outcome)


def set_error(store: Store, connector_id: str, error: str | None) -> str:
    """Note what is wrong with the connector; None or an empty text for nothing."""
    params = {"error": error, "status": ERROR if error else CONNECTED}
    return result(transition(store, connector_id, FAIL, params))


def set_native(store: Store, connector_id: str, is_native: bool) -> str:
    """Say whether Elastic manages the connector."""
    params = {
        "is_native": is_native,
        "managed_prefix": MANAGED_PREFIX,
        "connected": CONNECTED,
        "configured": CONFIGURED,
    }
    outcome = transition(store, connector_id, NATIVE, params)
    if outcome.verdict.get("outcome") == "unmanageable":
        index_name = outcome.verdict["index_name"]
        raise status_error(
            400,
            f"The index name [{index_name}] attached to the connector [{connector_id}] must start with the required "
            f"prefix: [{MANAGED_PREFIX}] to be Elastic-managed. Please update the attached index first to comply with "
            "this requirement.",
        )
    return result(outcome)


def set_service_type(store: Store, connector_id: str, service_type: str) -> str:
    """Say what the connector connects to."""
    params = {
        "service_type": service_type,
        "created": CREATED,
        "needs_configuration": NEEDS_CONFIGURATION,
    }
    return result(transition(store, connector_id, SERVICE_TYPE, params))


def set_status(store: Store, connector_id: str, status: str) -> str:
    """Move the connector along the table of transitions."""
    params = {"status": status, "transitions": TRANSITIONS}
    outcome = transition(store, connector_id, STATUS, params)
    if outcome.verdict.get("outcome") == "refused":
        current = outcome.verdict.get("status")
        if current not in TRANSITIONS:
            raise illegal_argument(f"Unknown ConnectorStatus [{'null' if current is None else current}].")
        sentence = refusal(current, status)
        raise status_error(400, sentence, Cause(_INVALID_TRANSITION, sentence))
    return result(outcome)
