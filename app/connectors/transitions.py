"""What all changes of a connector have in common: one scripted update each, and one word for a connector that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import ApiError, not_found
from app.store import Store
from app.store.documents import Outcome
from app.store.failures import IndexMissing
from app.store.painless import Script


def transition(store: Store, connector_id: str, script: Script, params: Mapping[str, Any]) -> Outcome:
    """Let `script` change the connector. Raises `ApiError` 404 where it is missing or, as the script finds, deleted."""
    try:
        outcome = store.connectors.transition(connector_id, script, params)
    except IndexMissing:
        outcome = None
    if outcome is None or outcome.verdict.get("outcome") == "missing":
        raise missing(connector_id)
    return outcome


def result(outcome: Outcome) -> str:
    """`noop` where the connector already was as it should become, else `updated`."""
    return "noop" if outcome.verdict.get("outcome") == "unchanged" else "updated"


def missing(connector_id: str) -> ApiError:
    """404: there is no such connector, or it is deleted."""
    return not_found(f"connector [{connector_id}] not found")
