"""The connectors that are locked, as a search sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.store.search import WINDOW

LOCKED_FILTER: Final[dict[str, Any]] = {
    "bool": {
        "should": [{"term": {kind.status_field: SyncStatus.IN_PROGRESS}} for kind in SyncKind],
        "minimum_should_match": 1,
    }
}
"""Connectors that are locked for a kind; `locked_for` says for which."""


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
    locks, _ = search_locks(store)
    return locks


def search_locks(
    store: Store, *, aggregations: Mapping[str, Any] | None = None, fields: Sequence[str] = ()
) -> tuple[Iterator[tuple[LockSeen, Mapping[str, Any]]], dict[str, Any] | None]:
    """As `locked_connectors`, with further `fields` of the connector; and these aggregations of all connectors that are not deleted.

    None for those where there is no index.
    """
    deleted = {"term": {"deleted": True}}
    query = {"bool": {"filter": LOCKED_FILTER, "must_not": deleted}}
    source = [*(kind.status_field for kind in SyncKind), "last_synced", "sync_locks", *fields]
    body: dict[str, Any] = {"size": WINDOW, "_source": source, "query": query}
    if aggregations:
        there = {"filter": {"bool": {"must_not": deleted}}, "aggs": aggregations}
        body["aggs"] = {"all": {"global": {}, "aggs": {"there": there}}}
    try:
        found = store.connectors.query(body)
    except IndexMissing:
        return iter(()), None
    all_ = found["aggregations"]["all"]["there"] if aggregations else None
    return _locks(found["hits"]["hits"]), all_


def _locks(hits: Iterable[Mapping[str, Any]]) -> Iterator[tuple[LockSeen, Mapping[str, Any]]]:
    for hit in hits:
        connector = hit["_source"]
        for kind in locked_for(connector):
            token = (lock_owner(connector, kind) or {}).get("token")
            yield LockSeen(hit["_id"], kind, str(connector.get("last_synced")), token), connector


def locked_for(connector: Mapping[str, Any]) -> list[SyncKind]:
    """The kinds for which a stored connector is locked."""
    return [kind for kind in SyncKind if connector.get(kind.status_field) == SyncStatus.IN_PROGRESS]


def lock_owner(connector: Mapping[str, Any], kind: SyncKind) -> Mapping[str, Any] | None:
    """For which job a claim has locked the connector, if one has."""
    locks = connector.get("sync_locks")
    owner = locks.get(kind) if isinstance(locks, Mapping) else None
    return owner if isinstance(owner, Mapping) else None
