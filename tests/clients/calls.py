"""At least one call of every method of `client.connector`, with every parameter, and its expected response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

# Documents that exist before each call.
CONNECTOR = "c 1/x"
JOB = "j 1/x"  # pending
RUNNING = "r 1/x"  # claimed by worker-1
NEW = "new 1/x"  # no document

PUT = {
    "description": "An old one",
    "index_name": "content-old",
    "is_native": False,
    "language": "de",
    "name": "Old",
    "service_type": "mysql",
}


class Having(dict[str, Any]):
    """Equal to any object that has these members, and perhaps others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and all(k in other and v == other[k] for k, v in self.items())

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Call:
    method: str
    arguments: Mapping[str, Any]
    response: Any
    status: int = 200
    stored: Mapping[str, Any] = field(
        default_factory=dict
    )  # expected fields of the document afterwards, read with the client


UPDATED = {"result": "updated"}
NOOP = {"result": "noop"}
ACKNOWLEDGED = {"acknowledged": True}

TIMESTAMP = "2024-05-06T07:08:09.000Z"
RULE = {
    "id": "rule-1",
    "field": "name",
    "order": 1,
    "policy": "exclude",
    "rule": "equals",
    "value": "secret",
    "created_at": TIMESTAMP,
    "updated_at": TIMESTAMP,
}
LAST_RULE = RULE | {
    "id": "DEFAULT",
    "field": "_",
    "order": 2,
    "policy": "include",
    "rule": "regex",
    "value": ".*",
}
SNIPPET = {"value": {"tables": ["a"]}, "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
VALID = {"errors": [], "state": "valid"}
INVALID = {"errors": [{"ids": ["rule-1"], "messages": ["no such field"]}], "state": "invalid"}
FILTERING_STATE = {"advanced_snippet": SNIPPET, "rules": [RULE, LAST_RULE], "validation": VALID}
FIELD = {
    "default_value": None,
    "depends_on": [{"field": "on", "value": True}],
    "display": "textbox",
    "label": "Host",
    "options": [],
    "order": 1,
    "placeholder": "localhost",
    "required": True,
    "sensitive": False,
    "tooltip": "Where it is",
    "type": "str",
    "ui_restrictions": [],
    "validations": [{"constraint": ".+", "type": "regex"}],
    "value": "db.example",
}
FEATURES = {
    "document_level_security": {"enabled": True},
    "incremental_sync": {"enabled": False},
    "native_connector_api_keys": {"enabled": True},
    "sync_rules": {"advanced": {"enabled": True}, "basic": {"enabled": False}},
}
PIPELINE = {
    "extract_binary_content": True,
    "name": "search-default-ingestion",
    "reduce_whitespace": False,
    "run_ml_inference": True,
}
SCHEDULING = {
    "access_control": {"enabled": False, "interval": "0 0 0 * * ?"},
    "full": {"enabled": True, "interval": "0 30 2 ? * MON-FRI"},
    "incremental": {"enabled": True, "interval": "0 0/5 * * * ?"},
}
LAST_SYNC = {
    "last_access_control_sync_error": "none of yours",
    "last_access_control_sync_scheduled_at": TIMESTAMP,
    "last_access_control_sync_status": "error",
    "last_deleted_document_count": 7,
    "last_incremental_sync_scheduled_at": TIMESTAMP,
    "last_indexed_document_count": 8_000_000_000,
    "last_seen": TIMESTAMP,
    "last_sync_error": "nor yours",
    "last_sync_scheduled_at": TIMESTAMP,
    "last_sync_status": "completed",
    "last_synced": TIMESTAMP,
    "sync_cursor": {"page": {"token": "a", "at": [1, None]}},
}
STATS = {
    "deleted_document_count": 1,
    "indexed_document_count": 3_000_000_000,
    "indexed_document_volume": 3,
    "total_document_count": 4,
    "metadata": {"rate": {"limit": 1.5}},
}


def _connector(method: str, stored: Mapping[str, Any] | None = None, **arguments: Any) -> Call:
    """An update of the connector, which then has the fields `stored`, by default the arguments."""
    stored = arguments if stored is None else stored
    return Call(method, {"connector_id": CONNECTOR, **arguments}, UPDATED, stored=stored)


CALLS = [
    # Connectors
    Call("put", {"connector_id": NEW, **PUT, "index_name": "new"}, {"id": NEW, "result": "created"}, 201),
    Call("put", {"connector_id": NEW}, {"id": NEW, "result": "created"}, 201),
    Call("put", {"connector_id": CONNECTOR, **PUT}, {"id": CONNECTOR, "result": "updated"}, stored=PUT),
    Call("post", PUT | {"index_name": "new"}, {"id": ANY, "result": "created"}, 201),
    Call("post", {}, {"id": ANY, "result": "created"}, 201),
    Call("get", {"connector_id": CONNECTOR, "include_deleted": True}, Having(PUT, id=CONNECTOR)),
    Call(
        "list",
        {
            "from_": 0,
            "size": 10,
            "index_name": ["content-old", "other"],
            "connector_name": ["Old", "Other"],
            "service_type": ["mysql", "other"],
            "include_deleted": False,
            "query": "Old",
        },
        {"count": 1, "results": [Having(PUT, id=CONNECTOR)]},
    ),
    Call("delete", {"connector_id": CONNECTOR}, ACKNOWLEDGED),
    Call("delete", {"connector_id": CONNECTOR, "delete_sync_jobs": True, "hard": True}, ACKNOWLEDGED),
    _connector("check_in", {"last_seen": ANY}),
    _connector("last_sync", **LAST_SYNC),
    _connector("update_api_key_id", api_key_id="key", api_key_secret_id="secret"),
    _connector("update_configuration", {"configuration": {"host": FIELD}}, configuration={"host": FIELD}),
    _connector("update_configuration", {"status": "configured"}, values={}),
    _connector("update_error", {"error": "Broken", "status": "error"}, error="Broken"),
    _connector("update_features", features=FEATURES),
    _connector(
        "update_filtering",
        {"filtering": [{"active": FILTERING_STATE, "domain": "DEFAULT", "draft": FILTERING_STATE}]},
        filtering=[{"active": FILTERING_STATE, "domain": "DEFAULT", "draft": FILTERING_STATE}],
    ),
    _connector(
        "update_filtering",
        {
            "filtering": [
                Having(
                    draft={
                        "advanced_snippet": SNIPPET,
                        "rules": [RULE, LAST_RULE],
                        "validation": {"errors": [], "state": "edited"},
                    }
                )
            ]
        },
        rules=[RULE, LAST_RULE],
        advanced_snippet=SNIPPET,
    ),
    _connector(
        "update_filtering_validation",
        {"filtering": [Having(draft=Having(validation=INVALID))]},
        validation=INVALID,
    ),
    Call("update_active_filtering", {"connector_id": CONNECTOR}, NOOP),
    _connector("update_index_name", index_name="content-other"),
    _connector("update_name", name="New", description="A new one"),
    _connector("update_native", is_native=True),
    _connector("update_pipeline", pipeline=PIPELINE),
    _connector("update_scheduling", scheduling=SCHEDULING),
    _connector("update_service_type", service_type="postgresql"),
    _connector("update_status", status="needs_configuration"),
    # Sync jobs
    Call(
        "sync_job_post",
        {"id": CONNECTOR, "job_type": "incremental", "trigger_method": "scheduled"},
        {"id": ANY},
        201,
    ),
    Call("sync_job_post", {"id": CONNECTOR}, {"id": ANY}, 201),
    Call("sync_job_get", {"connector_sync_job_id": JOB}, Having(id=JOB, status="pending")),
    Call(
        "sync_job_list",
        {
            "from_": 0,
            "size": 10,
            "status": "in_progress",
            "connector_id": CONNECTOR,
            "job_type": ["full", "incremental"],
        },
        {"count": 1, "results": [Having(id=RUNNING, worker_hostname="worker-1")]},
    ),
    Call(
        "sync_job_list", {"job_type": "full"}, {"count": 2, "results": [Having(id=JOB), Having(id=RUNNING)]}
    ),
    Call("sync_job_cancel", {"connector_sync_job_id": JOB}, UPDATED, stored={"status": "canceled"}),
    Call("sync_job_cancel", {"connector_sync_job_id": RUNNING}, UPDATED, stored={"status": "canceling"}),
    Call("sync_job_check_in", {"connector_sync_job_id": RUNNING}, UPDATED),
    Call(
        "sync_job_claim",
        {"connector_sync_job_id": JOB, "worker_hostname": "worker-2", "sync_cursor": {"page": 1}},
        UPDATED,
        stored={
            "status": "in_progress",
            "worker_hostname": "worker-2",
            "connector": Having(sync_cursor={"page": 1}),
        },
    ),
    Call("sync_job_delete", {"connector_sync_job_id": JOB}, ACKNOWLEDGED),
    Call(
        "sync_job_error",
        {"connector_sync_job_id": RUNNING, "error": "Oops"},
        UPDATED,
        stored={"status": "error", "error": "Oops"},
    ),
    Call(
        "sync_job_update_stats",
        {"connector_sync_job_id": RUNNING, "last_seen": TIMESTAMP, **STATS},
        UPDATED,
        stored=STATS,
    ),
]

# The JavaScript client alone has methods for secrets.
SECRET_CALLS = [
    Call("secret_post", {"value": "v"}, {"id": ANY}),
    Call("secret_put", {"id": NEW, "value": "v"}, {"result": "created"}, 201),
    Call("secret_put", {"id": CONNECTOR, "value": "w"}, UPDATED),
    Call("secret_get", {"id": CONNECTOR}, {"id": CONNECTOR, "value": "v"}),
    Call("secret_delete", {"id": CONNECTOR}, {"deleted": True}),
]

# Parameters that elasticsearch-py 8 lacks. (It has all methods.)
SINCE_9 = {("delete", "hard"), ("get", "include_deleted"), ("list", "include_deleted")}
