"""Finding and deleting sync jobs: one function per use case, plain values in and out, else an `ApiError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.compatibility import Compatibility
from app.errors import not_found
from app.store import Store
from app.store.document_ids import with_id
from app.store.failures import IndexMissing
from app.store.search import WINDOW
from app.sync_jobs import paging
from app.sync_jobs.errors import missing_error
from app.sync_jobs.queries import JobFilter, list_search


@dataclass(frozen=True, slots=True)
class SyncJobList:
    """A page of jobs: `count` of all that meet the filters, the page's documents with their ids, and where it ends.

    `search_after` continues the walk that asked for it; None at its end, and in lists that are no walk.
    """

    count: int
    results: list[dict[str, Any]]
    search_after: str | None


def get(store: Store, sync_job_id: str) -> dict[str, Any]:
    """The job's document as it is stored, its id first."""
    try:
        job = store.sync_jobs.get(sync_job_id)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if job is None:
        raise not_found(sync_job_id)
    return with_id(sync_job_id, job)


def list_(
    store: Store,
    *,
    compatibility: Compatibility,
    offset: int = 0,
    size: int = 100,
    connector_id: str | None = None,
    statuses: Sequence[str] = (),
    job_types: Sequence[str] = (),
    order: str | None = None,
    search_after: str | None = None,
) -> SyncJobList:
    """The jobs that meet all filters, by `created_at` (`order` is `asc` or `desc`, None for the mode's), those without one last.

    `search_after` walks the list page by page: an empty text starts, the token of a page continues. A walk meets each job
    exactly once, whatever is updated meanwhile, since what it sorts by never changes.
    """
    order = order or compatibility.job_order
    after = paging.position(order, search_after) if search_after else None
    search = list_search(
        JobFilter(connector_id, statuses, job_types),
        order=order,
        offset=offset,
        size=size,
        after=after,
        # A step of the caller's walk is one search.
        limit=compatibility.page_limit if search_after is None else WINDOW,
        count_limit=compatibility.count_limit,
    )
    page = store.sync_jobs.search(search)
    goes_on = search_after is not None and page.hits and len(page.hits) == size
    return SyncJobList(
        count=page.total,
        results=[with_id(hit.id, hit.source) for hit in page.hits],
        search_after=paging.token(order, page.hits[-1].sort_values) if goes_on else None,
    )


def delete(store: Store, sync_job_id: str) -> None:
    """Delete the job, whatever its status."""
    try:
        deleted = store.sync_jobs.delete(sync_job_id)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if not deleted:
        raise not_found(sync_job_id)
