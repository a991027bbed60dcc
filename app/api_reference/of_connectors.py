"""The endpoints of connectors in the API reference."""

from __future__ import annotations

from typing import Any, Final

from app.api_reference.declarations import Example, Operation
from app.api_reference.example_values import (
    CONNECTOR,
    CONNECTOR_ID,
    CREATED_AT,
    ITEM,
    MASKED,
    UPDATED,
    selected,
)
from app.api_reference.responses import Acknowledged, ConnectorResult, Connectors, Result
from app.api_reference.stored_documents import Connector

_GENERATED_ID: Final = "DOP_Mz2KAhPuoFVrWq3L"
_NEW: Final = {
    "name": "Customers",
    "index_name": "search-customers",
    "service_type": "postgresql",
    "language": "en",
}
_VALIDATION: Final = {"errors": [], "state": "valid"}
_SNIPPET: Final = {"value": {"tables": ["customers"], "query": "SELECT * FROM customers"}}
_RULE: Final = {
    "id": "no-drafts",
    "field": "state",
    "rule": "equals",
    "value": "draft",
    "policy": "exclude",
    "order": 0,
    "created_at": CREATED_AT,
    "updated_at": CREATED_AT,
}


def _update(notes: str = "", *errors: str, **bodies: tuple[str, Any]) -> Operation:
    """A change of one connector: `bodies` are the summary and the body of each example."""
    examples = {name: Example(summary, UPDATED, body=body) for name, (summary, body) in bodies.items()}
    return Operation(Result, examples, notes, ("no_connector", *errors))


OPERATIONS: Final = {
    "connectors.create": Operation(
        ConnectorResult,
        {"created": Example("A new connector", {"id": _GENERATED_ID, "result": "created"}, 201, body=_NEW)},
        errors=("index_used",),
    ),
    "connectors.put_without_id": Operation(
        ConnectorResult,
        {"created": Example("A new connector", {"id": _GENERATED_ID, "result": "created"}, 201, body=_NEW)},
        errors=("index_used",),
    ),
    "connectors.list_": Operation(
        Connectors,
        {
            "found": Example(
                "Connectors whose name, description or index has a text, with some of their fields",
                {"count": 1, "results": [{"id": CONNECTOR_ID, "status": "configured", "name": "Customers"}]},
                query={"query": "ustom", "filter_path": ["count", *selected("id", "name", "status")]},
            )
        },
        "By `index_name`; ties by id. `from + size` reaches 100,000.\n\n"
        "Difference: `count` is exact, and `query` has 256 characters at most. With `COMPATIBILITY=elasticsearch`, counts "
        f"and pages end at 10,000. {MASKED}",
    ),
    "connectors.put": Operation(
        ConnectorResult,
        {
            "created": Example("A new connector", {"id": CONNECTOR_ID, "result": "created"}, 201, body=_NEW),
            "updated": Example(
                "Another name for a connector that exists",
                {"id": CONNECTOR_ID, "result": "updated"},
                body={"name": "All customers"},
            ),
        },
        "Difference: on a connector that exists, only what was sent is changed; the original resets all of it. "
        "A soft-deleted connector starts afresh.",
        ("index_used",),
    ),
    "connectors.get": Operation(
        Connector,
        {"found": Example("A configured connector", CONNECTOR)},
        MASKED,
        ("no_connector",),
    ),
    "connectors.delete": Operation(
        Acknowledged,
        {
            "deleted": Example(
                "With its sync jobs, and for good",
                {"acknowledged": True},
                query={"hard": True, "delete_sync_jobs": True},
            )
        },
        "Unless `hard` is sent, the connector is only marked as deleted. A call that failed half-way can be repeated.",
        ("no_connector",),
    ),
    "connectors.check_in": Operation(
        Result, {"recorded": Example("A heartbeat", UPDATED)}, errors=("no_connector",)
    ),
    "connectors.api_key_id": _update(
        "At least one of the two is needed; null changes nothing.",
        both=("A key and its secret", {"api_key_id": "VuaCfGcBCdbkQm", "api_key_secret_id": "my-secret"}),
    ),
    "connectors.configure": _update(
        "Either `configuration`, which replaces all of it, or `values`, which sets the values of items that are there. "
        "The status becomes `configured`.\n\nDifference: a value is stored whole; the original merges objects.",
        "unknown_item",
        all=("All of the configuration", {"configuration": {"host": ITEM}}),
        values=("Values of some items", {"values": {"host": "db2.example.org"}}),
    ),
    "connectors.error": _update(
        "The status becomes `error`; where the error is null or empty, `connected`.",
        failed=("What went wrong", {"error": "The source is away"}),
        cleared=("No error any more", {"error": None}),
    ),
    "connectors.features": _update(
        "Features that are not sent stay as they are.",
        some=(
            "Some features",
            {
                "features": {
                    "incremental_sync": {"enabled": True},
                    "sync_rules": {"basic": {"enabled": True}, "advanced": {"enabled": True}},
                }
            },
        ),
    ),
    "connectors.filter_": _update(
        "Either `filtering`, which replaces both states, or `rules` and `advanced_snippet`, which edit the draft. "
        "The draft then waits for its validation.",
        rules=("The rules of the draft", {"rules": [_RULE]}),
        snippet=("The advanced filter of the draft", {"advanced_snippet": _SNIPPET}),
        all=(
            "Both states",
            {
                "filtering": [
                    {
                        state: {"advanced_snippet": _SNIPPET, "rules": [_RULE], "validation": _VALIDATION}
                        for state in ("active", "draft")
                    }
                ]
            },
        ),
    ),
    "connectors.validate_filtering": _update(
        valid=("The draft is valid", {"validation": _VALIDATION}),
        invalid=(
            "A rule is wrong",
            {
                "validation": {
                    "errors": [{"ids": ["no-drafts"], "messages": ["There is no such field"]}],
                    "state": "invalid",
                }
            },
        ),
    ),
    "connectors.activate_filtering": Operation(
        Result, {"activated": Example("A valid draft", UPDATED)}, errors=("no_connector", "draft_not_valid")
    ),
    "connectors.index_name": _update(
        "Null detaches the index.\n\nDifference: of several connectors that attach one index at once, one gets it.",
        "index_used",
        attached=("Another index", {"index_name": "search-orders"}),
        detached=("No index", {"index_name": None}),
    ),
    "connectors.last_sync": _update(
        "Difference: `last_seen` is accepted, a null is stored, `sync_cursor` is replaced. A soft-deleted connector stays "
        "as it is: `noop`.",
        completed=(
            "A sync that succeeded",
            {
                "last_sync_status": "completed",
                "last_sync_error": None,
                "last_synced": CREATED_AT,
                "last_indexed_document_count": 120,
                "last_deleted_document_count": 3,
            },
        ),
    ),
    "connectors.name": _update(
        "At least one of the two is needed; null changes nothing.",
        named=("A name and a description", {"name": "Customers", "description": "All customers of the shop"}),
    ),
    "connectors.native": _update(
        "The index of a native connector begins with `content-`.",
        native=("Elastic manages it", {"is_native": True}),
    ),
    "connectors.pipeline": _update(
        pipeline=(
            "The pipeline that is there by default",
            {
                "pipeline": {
                    "name": "search-default-ingestion",
                    "extract_binary_content": True,
                    "reduce_whitespace": True,
                    "run_ml_inference": False,
                }
            },
        )
    ),
    "connectors.schedule": _update(
        "At least one schedule is needed; others stay as they are.\n\n"
        "Difference: a body with only `access_control` is accepted.",
        nightly=(
            "A full sync each night",
            {"scheduling": {"full": {"enabled": True, "interval": "0 0 2 * * ?"}}},
        ),
    ),
    "connectors.service_type": _update(
        "The status becomes `needs_configuration`, unless it is `created`.",
        mysql=("Another source", {"service_type": "mysql"}),
    ),
    "connectors.status": _update(
        "",
        "connector_status",
        error=("From any status", {"status": "error"}),
    ),
}
