"""What an existing mapping lacks. Nothing here ever changes the type of a field that exists."""

from __future__ import annotations

from typing import Any

from app.store.index_definitions import META_KEY

Mapping = dict[str, Any]


def missing(existing: Mapping, wanted: Mapping) -> Mapping:
    """The additions that bring `existing` up to `wanted`, as arguments of a put-mapping request; empty if none.

    Fields that are absent, `ignore_above` where ours says one, our `_meta` beside everybody else's, and `dynamic` where
    the existing root leaves it open. A field of another type is left alone with all that is below it.
    """
    changes: Mapping = {}
    properties = _properties(existing.get("properties", {}), wanted["properties"])
    if properties:
        changes["properties"] = properties
    meta = _meta(existing.get("_meta", {}), wanted["_meta"])
    if meta:
        changes["meta"] = meta
    if "dynamic" not in existing:
        changes["dynamic"] = wanted["dynamic"]
    return changes


def _properties(existing: Mapping, wanted: Mapping) -> Mapping:
    changes: Mapping = {}
    for name, want in wanted.items():
        have = existing.get(name)
        if have is None:
            changes[name] = want
        elif "properties" in want and _is_open_object(have):
            below = _properties(have.get("properties", {}), want["properties"])
            if below:
                changes[name] = {"properties": below}
        elif _lacks_ignore_above(have, want):
            # A put-mapping resets what it leaves out, so the field's own options go along.
            changes[name] = have | {"ignore_above": want["ignore_above"]}
    return changes


def _lacks_ignore_above(have: Mapping, want: Mapping) -> bool:
    return (
        "ignore_above" in want
        and have.get("type") == want["type"]
        and have.get("ignore_above") != want["ignore_above"]
    )


def _is_open_object(field: Mapping) -> bool:
    """Whether fields can be added below: neither a leaf, nor nested, nor switched off."""
    return field.get("type", "object") == "object" and field.get("enabled", True) is not False


def _meta(existing: Mapping, wanted: Mapping) -> Mapping:
    # A newer release beside this one wins, or the two would overwrite each other for ever.
    ours = max(existing.get(META_KEY), wanted[META_KEY], key=_version)
    merged = wanted | existing | {META_KEY: ours}
    return merged if merged != existing else {}


def _version(meta: Any) -> int:
    version = meta.get("version") if isinstance(meta, dict) else None
    return version if isinstance(version, int) else -1
