"""What callers see who may read a connector but not change it: sensitive values are masked.

Other programs write these documents too, so this fails closed: in a configuration, what is not known to be harmless is masked.
Elasticsearch takes a list of objects for an object, and `a.b` for `b` in `a`; both are looked through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.protocol import CONFIGURATION_ITEM_KEYS

MASK = "********"

_VALUES = ("default_value", "value")
_NOT_SENSITIVE = (None, False, "false", "")


def masked_connector(connector: Mapping[str, Any]) -> dict[str, Any]:
    """A connector, or its snapshot in a job, with a mask for each value of its configuration that is `sensitive`."""
    return {
        key: _masked(value, _configuration) if key.partition(".")[0] == "configuration" else value
        for key, value in connector.items()
    }


def masked_sync_job(sync_job: Mapping[str, Any]) -> dict[str, Any]:
    """A job whose connector's sensitive values are masked."""
    masked: dict[str, Any] = {}
    for key, value in sync_job.items():
        outer, _, inner = key.partition(".")
        if outer != "connector":
            masked[key] = value
        elif inner:
            masked[key] = masked_connector({inner: value})[inner]
        else:
            masked[key] = _masked(value, masked_connector)
    return masked


def _masked(value: Any, masked_object: Callable[[Mapping[str, Any]], Any]) -> Any:
    """The value with its objects masked, also those in lists. Anything else has no flag that lets it be shown."""
    if isinstance(value, Mapping):
        return masked_object(value)
    if isinstance(value, list):
        return [_masked(each, masked_object) for each in value]
    return None if value is None else MASK


def _configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _masked(item, _item) for name, item in configuration.items()}


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the protocol, of which two are values; others may be anything."""
    is_sensitive = item.get("sensitive") not in _NOT_SENSITIVE
    return {
        key: value
        if value is None or (key in CONFIGURATION_ITEM_KEYS and not (is_sensitive and key in _VALUES))
        else MASK
        for key, value in item.items()
    }
