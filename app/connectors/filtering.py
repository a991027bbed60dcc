"""Filtering: what a connector lets through, as an active state and a draft of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EDITED = {"errors": [], "state": "edited"}
"""The validation of a draft that has been edited and not validated yet."""

_DOMAIN = "DEFAULT"
_DEFAULT_RULE = {"field": "_", "id": "DEFAULT", "policy": "include", "rule": "regex", "value": ".*"}


def default_rule(now: str, order: int = 0) -> dict[str, Any]:
    """The last rule of every list: it includes all documents that no other rule decides about. `now` is an ISO timestamp."""
    return {**_DEFAULT_RULE, "created_at": now, "order": order, "updated_at": now}


def default_filtering(now: str) -> list[dict[str, Any]]:
    """A new connector's filtering: one entry that lets everything through, in both states."""
    return [{"active": _everything(now), "domain": _DOMAIN, "draft": _everything(now)}]


def dated(part: Mapping[str, Any], now: str) -> dict[str, Any]:
    """A rule or a snippet with its two timestamps; those that were not sent are `now`."""
    return {"created_at": now, "updated_at": now, **part}


def entry(sent: Mapping[str, Any], now: str) -> dict[str, Any]:
    """An entry as it is stored: what was sent, with its timestamps and the one domain there is."""
    return {"active": _state(sent["active"], now), "domain": _DOMAIN, "draft": _state(sent["draft"], now)}


def in_order(rules: Sequence[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """The rules as they are stored: by their `order`, equals as they were sent, and the default rule at the end.

    A default rule that was sent keeps its `created_at`; numbers have no need to be consecutive.
    """
    decisive = sorted(
        (dated(rule, now) for rule in rules if not _is_default(rule)), key=lambda rule: rule["order"]
    )
    created_at = next((dated(rule, now)["created_at"] for rule in rules if _is_default(rule)), now)
    return [*decisive, default_rule(created_at, decisive[-1]["order"] + 1 if decisive else 0)]


def _is_default(rule: Mapping[str, Any]) -> bool:
    return all(rule[key] == value for key, value in _DEFAULT_RULE.items())


def _state(sent: Mapping[str, Any], now: str) -> dict[str, Any]:
    return {
        "advanced_snippet": dated(sent["advanced_snippet"], now),
        "rules": [dated(rule, now) for rule in sent["rules"]],
        "validation": sent["validation"],
    }


def _everything(now: str) -> dict[str, Any]:
    return {
        "advanced_snippet": dated({"value": {}}, now),
        "rules": [default_rule(now)],
        "validation": {"errors": [], "state": "valid"},
    }
