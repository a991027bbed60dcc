"""The connectors that are locked, as a search sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.store.search import WINDOW


@dataclass(frozen=True, slots=True)
class LockSeen:
    """The lock of a connector for one kind, as it was seen. Freed and locked again, it is another one.

    `synced` is the connector's `last_synced`; `token` is that of the claim that locked it, if one did.
    """

    connector_id: str
    kind: SyncKind
    synced: str
    token: str | None


def locked_connectors(store: Store) -> Iterator[tuple[LockSeen, Mapping[str, Any]]]:
    """Each lock, with what repair needs to know of the connector. Soft-deleted connectors are left out.

    Raises `ApiError` where Elasticsearch does not respond.
    """
    fields = {kind: kind.status_field for kind in SyncKind}
    query = {
        "bool": {
            "should": [{"term": {field: SyncStatus.IN_PROGRESS}} for field in fields.values()],
            "minimum_should_match": 1,
            "must_not": {"term": {"deleted": True}},
        }
    }
    body = {"size": WINDOW, "_source": [*fields.values(), "last_synced", "sync_locks"], "query": query}
    try:
        hits = store.connectors.query(body)["hits"]["hits"]
    except IndexMissing:
        return
    for hit in hits:
        connector = hit["_source"]
        for kind, field in fields.items():
            if connector.get(field) == SyncStatus.IN_PROGRESS:
                token = (lock_owner(connector, kind) or {}).get("token")
                yield LockSeen(hit["_id"], kind, str(connector.get("last_synced")), token), connector


def lock_owner(connector: Mapping[str, Any], kind: SyncKind) -> Mapping[str, Any] | None:
    """For which job a claim has locked the connector, if one has."""
    locks = connector.get("sync_locks")
    owner = locks.get(kind) if isinstance(locks, Mapping) else None
    return owner if isinstance(owner, Mapping) else None
