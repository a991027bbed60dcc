"""Pages of jobs to look at: newest first, in both directions, at any depth for the cost of the first page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.store import Store
from app.sync_jobs import paging
from app.sync_jobs.attention import BY_STATUS, aggregate, counts
from app.sync_jobs.queries import JobFilter, list_search

FIELDS: Final = (
    "canceled_at",
    "completed_at",
    "connector.id",
    "connector.index_name",
    "connector.service_type",
    "created_at",
    "deleted_document_count",
    "error",
    "indexed_document_count",
    "job_type",
    "last_seen",
    "started_at",
    "status",
    "trigger_method",
    "worker_hostname",
)
"""What a page has of its jobs: never their configurations."""

_ORDER: Final = "desc"


@dataclass(frozen=True, slots=True)
class JobPage:
    """`total` counts all jobs that are wanted. `newer` and `older` lead to the pages before and after; None where there are none."""

    total: int
    jobs: list[tuple[str, Mapping[str, Any]]]
    newer: str | None
    older: str | None


def browse(
    store: Store,
    wanted: JobFilter,
    *,
    size: int,
    older_than: str | None = None,
    newer_than: str | None = None,
) -> JobPage:
    """The page that follows the token `older_than`, or that precedes `newer_than`; without either, the newest jobs.

    Raises `ApiError` 400 for a text that is no token.
    """
    token = newer_than or older_than
    backwards = newer_than is not None
    search = replace(
        # One more than is shown tells whether the list goes on.
        list_search(
            wanted, order=_ORDER, size=size + 1, after=paging.position(_ORDER, token) if token else None
        ),
        backwards=backwards,
        fields=FIELDS,
    )
    page = store.sync_jobs.search(search)
    goes_on = len(page.hits) > size
    hits = page.hits[:size]
    if backwards:
        hits.reverse()
    has_newer, has_older = (goes_on, True) if backwards else (token is not None, goes_on)
    return JobPage(
        total=page.total,
        jobs=[(hit.id, hit.source) for hit in hits],
        newer=paging.token(_ORDER, hits[0].sort_values) if hits and has_newer else None,
        older=paging.token(_ORDER, hits[-1].sort_values) if hits and has_older else None,
    )


def count_by_status(store: Store, wanted: JobFilter) -> dict[str, int]:
    """How many jobs are wanted, by their status."""
    found = aggregate(store, {"by_status": BY_STATUS}, query={"bool": {"filter": wanted.clauses()}})
    return counts(found)
