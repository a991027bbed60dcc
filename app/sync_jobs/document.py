"""The sync-job document at its creation, with a snapshot of the connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def new_sync_job(
    connector_id: str, connector: Mapping[str, Any], job_type: str, trigger_method: str, now: str
) -> dict[str, Any]:
    """The document of a job that waits for a worker. `connector` is the stored connector, `now` an ISO timestamp.

    Raises `ApiError` 400 where the stored connector cannot be read.
    """
    return {
        "connector": _snapshot(connector_id, connector, job_type),
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


def _snapshot(connector_id: str, connector: Mapping[str, Any], job_type: str) -> dict[str, Any]:
    index_name = _text(connector, "index_name")
    if job_type == JobType.ACCESS_CONTROL:
        index_name = f"{ACCESS_CONTROL_INDEX_PREFIX}{index_name}"
    snapshot = {
        "id": connector_id,
        "filtering": _active_filtering(connector.get("filtering")),
        "index_name": index_name,
        "language": _text(connector, "language"),
        "pipeline": _pipeline(connector.get("pipeline")),
        "service_type": _text(connector, "service_type"),
        "configuration": _configuration(connector.get("configuration")),
    }
    return {key: value for key, value in snapshot.items() if value is not None}


def _text(connector: Mapping[str, Any], field: str) -> str | None:
    value = connector.get(field)
    if value is not None and not isinstance(value, str):
        raise _unreadable(field)
    return value


def _active_filtering(filtering: Any) -> dict[str, Any] | None:
    """The active half of the first filtering entry: workers expect one object, not the connector's list."""
    if not filtering:
        return None
    first = filtering[0] if isinstance(filtering, list) else filtering
    active = first.get("active") if isinstance(first, Mapping) else None
    if not isinstance(active, Mapping):
        raise _unreadable("filtering")
    return {key: active[key] for key in FILTERING_KEYS if key in active}


def _pipeline(pipeline: Any) -> dict[str, Any] | None:
    if pipeline is None:
        return None
    if not isinstance(pipeline, Mapping) or any(pipeline.get(key) is None for key in PIPELINE_KEYS):
        raise _unreadable("pipeline")
    return {key: pipeline[key] for key in PIPELINE_KEYS}


def _configuration(configuration: Any) -> dict[str, Any] | None:
    if configuration is None:
        return None
    if not isinstance(configuration, Mapping):
        raise _unreadable("configuration")
    return {name: _item(item) for name, item in configuration.items()}


def _item(item: Any) -> dict[str, Any]:
    if (
        not isinstance(item, Mapping)
        or not isinstance(item.get("label"), str)
        or isinstance(item.get("value"), list)
    ):
        raise _unreadable("configuration")
    always = {
        key: default if item.get(key) is None else item[key]
        for key, default in CONFIGURATION_ITEM_DEFAULTS.items()
    }
    return always | {
        key: item[key] for key in CONFIGURATION_ITEM_KEYS if key not in always and item.get(key) is not None
    }


def _unreadable(field: str) -> ApiError:
    return ApiError(
        400, Cause("x_content_parse_exception", f"[-1:-1] [connector] failed to parse field [{field}]")
    )
