"""Filtering: what a connector lets through, as an active half and a draft of it."""

from __future__ import annotations

from typing import Any


def default_rule(now: str, order: int = 0) -> dict[str, Any]:
    """The rule that ends every list of rules: it includes all that no other rule has decided. `now` is an ISO instant."""
    return {
        "created_at": now,
        "field": "_",
        "id": "DEFAULT",
        "order": order,
        "policy": "include",
        "rule": "regex",
        "updated_at": now,
        "value": ".*",
    }


def default_filtering(now: str) -> list[dict[str, Any]]:
    """A new connector's filtering: one entry that lets everything through, in both halves."""
    return [{"active": _everything(now), "domain": "DEFAULT", "draft": _everything(now)}]


def _everything(now: str) -> dict[str, Any]:
    return {
        "advanced_snippet": {"created_at": now, "updated_at": now, "value": {}},
        "rules": [default_rule(now)],
        "validation": {"errors": [], "state": "valid"},
    }
