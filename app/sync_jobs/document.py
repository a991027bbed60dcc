"""The sync-job document at its creation, with a snapshot of the connector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.connectors.filtering import default_filtering
from app.errors import ApiError, Cause
from app.protocol import (
    CONFIGURATION_ITEM_DEFAULTS,
    CONFIGURATION_ITEM_KEYS,
    FILTERING_KEYS,
    PIPELINE_KEYS,
    JobType,
    SyncStatus,
)

ACCESS_CONTROL_INDEX_PREFIX = ".search-acl-filter-"
# An empty list is no value in Elasticsearch, and some programs write it for an empty object.
_NONE: tuple[Any, ...] = (None, [])


def new_sync_job(
    connector_id: str, connector: Mapping[str, Any], job_type: str, trigger_method: str, now: str
) -> dict[str, Any]:
    """The document of a job that waits for a worker. `connector` is the stored connector, `now` an ISO timestamp.

    Raises `ApiError` 400 where the stored connector cannot be read.
    """
    return {
        "connector": _snapshot(connector_id, connector, job_type, now),
        "created_at": now,
        "last_seen": now,
        "status": SyncStatus.PENDING,
        "job_type": job_type,
        "trigger_method": trigger_method,
        "deleted_document_count": 0,
        "indexed_document_count": 0,
        "indexed_document_volume": 0,
        "total_document_count": 0,
        "metadata": {},
    }


def connector_id(job: Mapping[str, Any]) -> Any:
    """The id of a stored job's connector; None where the job does not say whose it is."""
    connector = job.get("connector")
    return connector.get("id") if isinstance(connector, Mapping) else None


def _snapshot(connector_id: str, connector: Mapping[str, Any], job_type: str, now: str) -> dict[str, Any]:
    """What the job keeps of its connector. Other programs write connectors, too: what is odd is carried as it is."""
    index_name = _text(connector, "index_name")
    if job_type == JobType.ACCESS_CONTROL:
        index_name = f"{ACCESS_CONTROL_INDEX_PREFIX}{index_name}"
    snapshot = {
        "id": connector_id,
        "filtering": _active_filtering(connector.get("filtering"), now),
        "index_name": index_name,
        "language": connector.get("language"),
        "pipeline": _object("pipeline", connector.get("pipeline"), PIPELINE_KEYS),
        "service_type": _text(connector, "service_type"),
        "configuration": _configuration(connector.get("configuration")),
    }
    return {key: value for key, value in snapshot.items() if value is not None}


def _text(connector: Mapping[str, Any], field: str) -> str | None:
    value = connector.get(field)
    if value in _NONE:
        return None
    if not isinstance(value, str):
        raise _unreadable(field, "a text")
    return value


def _object(field: str, value: Any, keys: Iterable[str] | None = None) -> dict[str, Any] | None:
    """The stored object, with those of the `keys` that it has; with all, if there are none."""
    if value in _NONE:
        return None
    if not isinstance(value, Mapping):
        raise _unreadable(field, "an object")
    return {key: value[key] for key in (value if keys is None else keys) if key in value}


def _active_filtering(filtering: Any, now: str) -> dict[str, Any] | None:
    """The active state of the first filtering entry: workers expect one object, not the connector's list.

    Without one the default filtering applies. One that cannot be read is an error: it may hold documents back.
    """
    first = filtering[0] if isinstance(filtering, list) and filtering else filtering
    active = _object("filtering", first or None)
    active = None if active is None else _object("filtering.active", active.get("active"), FILTERING_KEYS)
    return default_filtering(now)[0]["active"] if active is None else active


def _configuration(configuration: Any) -> dict[str, Any] | None:
    items = _object("configuration", configuration)
    return None if items is None else {name: _item(item) for name, item in items.items()}


def _item(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    given = {key: item[key] for key in CONFIGURATION_ITEM_KEYS if item.get(key) is not None}
    return CONFIGURATION_ITEM_DEFAULTS | given


def _unreadable(field: str, expected: str) -> ApiError:
    cause = Cause("illegal_argument_exception", f"[{field}] of the stored connector is not {expected}")
    return ApiError(
        400,
        Cause("x_content_parse_exception", f"[-1:-1] [connector] failed to parse field [{field}]", cause),
    )
