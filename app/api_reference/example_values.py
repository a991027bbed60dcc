"""Values that the examples of the API reference share."""

from __future__ import annotations

from typing import Any, Final

CONNECTOR_ID: Final = "my-connector"
JOB_ID: Final = "NgrhDJmwRlGRC4sxCGmw"
SECRET_ID: Final = "my-secret"  # noqa: S105

CREATED_AT: Final = "2026-01-31T09:00:00.000001Z"
CLAIMED_AT: Final = "2026-01-31T09:00:12.345678Z"
UPDATED: Final = {"result": "updated"}
WORKER: Final = {"worker_hostname": "worker-1"}
MASKED: Final = 'Sensitive values of configurations are `"********"` for callers who may only monitor.'

ITEM: Final = {
    "label": "Host",
    "type": "str",
    "required": True,
    "sensitive": False,
    "value": "db.example.org",
}
"""An item of a configuration."""

_FILTERING: Final = {
    "advanced_snippet": {"created_at": CREATED_AT, "updated_at": CREATED_AT, "value": {}},
    "rules": [
        {
            "field": "_",
            "id": "DEFAULT",
            "policy": "include",
            "rule": "regex",
            "value": ".*",
            "created_at": CREATED_AT,
            "order": 0,
            "updated_at": CREATED_AT,
        }
    ],
    "validation": {"errors": [], "state": "valid"},
}

SYNC_JOB: Final[dict[str, Any]] = {
    "id": JOB_ID,
    "connector": {
        "id": CONNECTOR_ID,
        "filtering": _FILTERING,
        "index_name": "search-customers",
        "service_type": "postgresql",
        "configuration": {"host": {**ITEM, "default_value": None}},
    },
    "created_at": CREATED_AT,
    "last_seen": CLAIMED_AT,
    "status": "in_progress",
    "job_type": "full",
    "trigger_method": "on_demand",
    "deleted_document_count": 0,
    "indexed_document_count": 0,
    "indexed_document_volume": 0,
    "total_document_count": 0,
    "metadata": {},
    "worker_hostname": "worker-1",
    "started_at": CLAIMED_AT,
    "claimed_at": CLAIMED_AT,
}


_SCHEDULE: Final = {"enabled": False, "interval": "0 0 0 * * ?"}

CONNECTOR: Final[dict[str, Any]] = {
    "id": CONNECTOR_ID,
    "name": "Customers",
    "index_name": "search-customers",
    "service_type": "postgresql",
    "is_native": False,
    "status": "configured",
    "configuration": {"host": {**ITEM, "default_value": None}},
    "custom_scheduling": {},
    "scheduling": dict.fromkeys(("full", "incremental", "access_control"), _SCHEDULE),
    "filtering": [{"active": _FILTERING, "domain": "DEFAULT", "draft": _FILTERING}],
    "sync_now": False,
    "deleted": False,
}


def selected(*fields: str) -> list[str]:
    """A `filter_path` for the jobs of a list."""
    return [f"results.{field}" for field in fields]
