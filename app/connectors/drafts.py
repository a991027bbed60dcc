"""Editing a connector's filtering: a draft, the connector service's validation of it, and its activation.

Each returns `updated`, or `noop` for no change, and raises `ApiError` 404 where the connector is missing or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app import clock
from app.connectors import updates
from app.connectors.filtering import EDITED, dated, default_filtering, entry, in_order
from app.connectors.transitions import change
from app.errors import ApiError, illegal_argument, status_error
from app.store import Store
from app.store.scripts import Responses, Script, Verdict, load

DRAFT = load(__package__, "filtering_draft")
ACTIVATE = load(__package__, "filtering_activate")


def replace(store: Store, connector_id: str, filtering: Sequence[Mapping[str, Any]]) -> str:
    """Replace all of the filtering, both states, as it was sent."""
    now = clock.now()
    return updates.replace(store, connector_id, {"filtering": [entry(each, now) for each in filtering]})


def edit(
    store: Store,
    connector_id: str,
    rules: Sequence[Mapping[str, Any]] | None,
    advanced_snippet: Mapping[str, Any] | None,
) -> str:
    """Replace the draft's rules, its advanced snippet, or both; the draft then waits for validation."""
    now = clock.now()
    draft: dict[str, Any] = {"validation": EDITED}
    if rules is not None:
        draft["rules"] = in_order(rules, now)
    if advanced_snippet is not None:
        draft["advanced_snippet"] = dated(advanced_snippet, now)
    return _change(store, connector_id, DRAFT, {"draft": draft}, now)


def set_validation(store: Store, connector_id: str, validation: Mapping[str, Any]) -> str:
    """Store a connector service's validation of the draft."""
    return _change(store, connector_id, DRAFT, {"draft": {"validation": validation}}, clock.now())


def activate(store: Store, connector_id: str) -> str:
    """Make the draft the active state. Raises `ApiError` 400 unless it was found valid."""

    def not_valid(details: Mapping[str, Any]) -> ApiError:
        state = details["state"]
        return status_error(
            400,
            "Filtering draft needs to be validated by the connector service before activation. "
            f"Current filtering draft validation state [{'null' if state is None else state}] is not equal to [valid].",
        )

    return _change(store, connector_id, ACTIVATE, {}, clock.now(), {Verdict.REFUSED: not_valid})


def _change(
    store: Store,
    connector_id: str,
    script: Script,
    params: Mapping[str, Any],
    now: str,
    responses: Responses | None = None,
) -> str:
    def unreadable(_details: Mapping[str, Any]) -> ApiError:
        return illegal_argument("Required [filtering]")

    return change(
        store,
        connector_id,
        script,
        {**params, "otherwise": default_filtering(now)[0]},
        {Verdict.UNREADABLE: unreadable, **(responses or {})},
    )
