"""Pages of connectors to look at, with what goes on at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.compatibility import Compatibility
from app.connectors.queries import list_search
from app.protocol import SyncKind
from app.store import Store
from app.store.search import WINDOW, Hit
from app.sync_jobs.attention import aggregate, connectors_at_work, running_on
from app.sync_jobs.connector_activity import Activity, activities
from app.sync_jobs.locked_connectors import LOCKED_FILTER, locked_for

FIELDS: Final = (
    "error",
    "index_name",
    "last_access_control_sync_error",
    "last_access_control_sync_status",
    "last_sync_error",
    "last_sync_status",
    "last_synced",
    "name",
    "scheduling",
    "service_type",
    "status",
)
"""What a page has of its connectors: never their configurations."""


@dataclass(frozen=True, slots=True)
class ConnectorPage:
    """`total` counts all connectors that are wanted; those of the page come with their ids and with what goes on there."""

    total: int
    connectors: list[tuple[str, Mapping[str, Any], Activity]]


def connector_page(
    store: Store,
    *,
    compatibility: Compatibility,
    query: str = "",
    status: str | None = None,
    locked_without_job: bool = False,
    offset: int,
    size: int,
    runs: int,
) -> ConnectorPage:
    """The connectors by `index_name`, ties by id, as the API lists them, with their latest `runs`.

    `query` as in the API; `status` is theirs, not that of their syncs; `locked_without_job`: only those that are locked for a kind of jobs of which none runs.
    Raises `ApiError` 400 where the page lies too far behind.
    """
    listed = list_search(
        (),
        (),
        (),
        query,
        include_deleted=False,
        offset=offset,
        size=size,
        limit=compatibility.page_limit,
        count_limit=compatibility.count_limit,
    )
    of_status = [] if status is None else [{"term": {"status": status}}]
    search = replace(listed, filters=[*listed.filters, *of_status], fields=FIELDS)
    if locked_without_job:
        locked = replace(search, filters=[*search.filters, LOCKED_FILTER], offset=0, size=WINDOW)
        stuck = _without_job(store, store.connectors.search(locked).hits)
        total, hits = len(stuck), stuck[offset : offset + size]
    else:
        page = store.connectors.search(search)
        total, hits = page.total, page.hits
    found = activities(store, [hit.id for hit in hits], runs=runs)
    return ConnectorPage(total, [(hit.id, hit.source, found.get(hit.id, Activity())) for hit in hits])


def _without_job(store: Store, locked: list[Hit]) -> list[Hit]:
    """Those of them that are locked for a kind of jobs of which none runs; as `attention.look` decides it for all connectors."""
    if not locked:
        return []
    aggregations = {
        kind.value: running_on([hit.id for hit in locked if kind in locked_for(hit.source)], kind)
        for kind in SyncKind
    }
    running = connectors_at_work(aggregate(store, aggregations))
    return [hit for hit in locked if any(hit.id not in running[kind] for kind in locked_for(hit.source))]
