"""What callers see who may read a connector but not change it: sensitive values are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "********"


def masked_connector(connector: Mapping[str, Any]) -> dict[str, Any]:
    """A connector, or its snapshot in a job, with a mask for each value of its configuration that is `sensitive`."""
    configuration = connector.get("configuration")
    if not isinstance(configuration, Mapping):
        return dict(connector)
    return {**connector, "configuration": {name: _masked_item(item) for name, item in configuration.items()}}


def masked_sync_job(sync_job: Mapping[str, Any]) -> dict[str, Any]:
    """A job whose connector's sensitive values are masked."""
    connector = sync_job.get("connector")
    if not isinstance(connector, Mapping):
        return dict(sync_job)
    return {**sync_job, "connector": masked_connector(connector)}


def _masked_item(item: Any) -> Any:
    # Other programs write these documents too: a flag as text counts, and no value at all needs no mask.
    if (
        not isinstance(item, Mapping)
        or item.get("sensitive") not in (True, "true")
        or item.get("value") is None
    ):
        return item
    return {**item, "value": MASK}
