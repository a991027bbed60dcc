"""What all changes of a connector share: one scripted update each, and one error for a missing connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import ApiError, not_found
from app.store import Store
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Responses, Script, Verdict

_RESULTS: Responses = {Verdict.UPDATED: "updated", Verdict.DONE: "updated", Verdict.UNCHANGED: "noop"}


def change(
    store: Store,
    connector_id: str,
    script: Script,
    params: Mapping[str, Any],
    responses: Responses | None = None,
) -> str:
    """Let `script` change the connector: `updated`, `noop` where it was so already, or what `responses` say.

    Raises `ApiError` 404 where the connector is missing or, as the script finds, deleted.
    """
    return result(connector_id, transition(store, connector_id, script, params), responses)


def transition(store: Store, connector_id: str, script: Script, params: Mapping[str, Any]) -> Outcome:
    """Send `script`. Raises `ApiError` 404 where there is no connector."""
    try:
        outcome = store.connectors.transition(connector_id, script, params)
    except IndexMissing:
        outcome = None
    if outcome is None:
        raise missing(connector_id)
    return outcome


def result(connector_id: str, outcome: Outcome, responses: Responses | None = None) -> str:
    """As `change`, for a script that was sent."""
    return outcome.respond(
        {**_RESULTS, Verdict.MISSING: lambda _details: missing(connector_id), **(responses or {})}
    )


def missing(connector_id: str) -> ApiError:
    """404: there is no such connector, or it is deleted."""
    return not_found(f"connector [{connector_id}] not found")
