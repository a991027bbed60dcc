"""The searches of connectors. Soft-deleted ones are left out unless they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.store.search import Search

# More than one connector has the same index only where other programs wrote it.
_MAX_HOLDERS = 100
_DELETED = {"term": {"deleted": True}}


def list_search(
    index_names: Sequence[str],
    connector_names: Sequence[str],
    service_types: Sequence[str],
    query: str,
    *,
    include_deleted: bool,
    offset: int,
    size: int,
    limit: int,
    count_limit: int | None,
) -> Search:
    """The connectors that meet all filters, by `index_name`; nothing filters nothing. `limit` and `count_limit` as in `Search`.

    `query` is looked for in index names, names and descriptions; `*` and `?` in it are wildcards.
    """
    terms = {"index_name": index_names, "name": connector_names, "service_type": service_types}
    filters: list[dict[str, Any]] = [{"terms": {key: list(texts)}} for key, texts in terms.items() if texts]
    if query:
        anywhere = [
            {"wildcard": {key: {"value": f"*{query}*"}}} for key in ("index_name", "name", "description")
        ]
        filters.append({"bool": {"should": anywhere, "minimum_should_match": 1}})
    return Search(
        filters=filters,
        must_not=[] if include_deleted else [_DELETED],
        sort_field="index_name",
        offset=offset,
        size=size,
        limit=limit,
        count_limit=count_limit,
    )


def holders_search(index_name: str) -> Search:
    """The connectors that have the index."""
    return Search(
        filters=[{"term": {"index_name": index_name}}],
        must_not=[_DELETED],
        sort_field="index_name",
        size=_MAX_HOLDERS,
    )
