"""What can be done with connectors: one function per use case, plain values in and out, `ApiError` where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import clock
from app.connectors.document import new_connector
from app.connectors.index_names import MANAGED_PREFIX, unmanageable
from app.errors import ApiError, not_found, status_error, validation_failed
from app.store import Store
from app.store.documents import new_id
from app.store.failures import IndexMissing
from app.store.painless import load
from app.store.search import Search

PUT = load(__package__, "put", uses=("merge",))


def create(store: Store, fields: Mapping[str, Any]) -> str:
    """Make a connector from the fields of a create request; its new id."""
    _refuse_used_index(store, fields.get("index_name"), connector_id=None)
    connector_id = new_id()
    store.connectors.create(connector_id, new_connector(fields, clock.now()))
    return connector_id


def put(store: Store, connector_id: str, fields: Mapping[str, Any]) -> str:
    """Make the connector of this id, or change those `fields` of it; `created` or `updated`."""
    _refuse_used_index(store, fields.get("index_name"), connector_id)
    fresh = new_connector(fields, clock.now())
    params = {"fields": fields, "fresh": fresh, "managed_prefix": MANAGED_PREFIX}
    outcome = store.connectors.transition_or_create(connector_id, PUT, params, fresh)
    if outcome.verdict.get("outcome") == "unmanageable":
        raise validation_failed([unmanageable(outcome.verdict["index_name"])])
    return "created" if outcome.result == "created" else "updated"


def get(store: Store, connector_id: str, *, include_deleted: bool = False) -> dict[str, Any]:
    """The connector's document as it is stored, its id first."""
    try:
        connector = store.connectors.get(connector_id)
    except IndexMissing:
        connector = None
    if connector is None or (connector.get("deleted") is True and not include_deleted):
        raise _missing(connector_id)
    return {"id": connector_id, **connector}


def _refuse_used_index(store: Store, index_name: str | None, connector_id: str | None) -> None:
    """Raise where a connector other than this one, not deleted, writes to the index."""
    if index_name is None:
        return
    others = store.connectors.search(
        Search(
            filters=[{"term": {"index_name": index_name}}],
            must_not=[
                {"term": {"deleted": True}},
                {"ids": {"values": [connector_id] if connector_id else []}},
            ],
            sort_field="index_name",
            size=0,
        )
    )
    if others.total:
        raise status_error(400, f"Index name [{index_name}] is used by another connector.")


def _missing(connector_id: str) -> ApiError:
    return not_found(f"connector [{connector_id}] not found")
