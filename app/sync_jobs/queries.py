"""The searches of sync jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.store.search import Search


def list_search(
    connector_id: str | None,
    statuses: Sequence[str],
    job_types: Sequence[str],
    *,
    order: str,
    offset: int,
    size: int,
    after: Sequence[Any] | None,
    limit: int,
    count_limit: int | None,
) -> Search:
    """The jobs that meet all filters, by `created_at`; None or nothing filters nothing. `limit` and `count_limit` as in `Search`."""
    filters: list[dict[str, Any]] = []
    if connector_id is not None:
        filters.append({"term": {"connector.id": connector_id}})
    if statuses:
        filters.append({"terms": {"status": list(statuses)}})
    if job_types:
        filters.append({"terms": {"job_type": list(job_types)}})
    return Search(
        filters=filters,
        sort_field="created_at",
        sort_type="date",
        order=order,
        offset=offset,
        size=size,
        after=after,
        limit=limit,
        count_limit=count_limit,
    )
