"""Searches with a total order, so that pages neither overlap nor leave documents out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# What one request may ask for: Elasticsearch's `index.max_result_window`, unless somebody changed it.
WINDOW = 10_000

# `_id` as something Elasticsearch sorts by. (It refuses `_id` itself; `_seq_no` and `_shard_doc` move with each update.)
DOCUMENT_ID = "document_id"
_DOCUMENT_ID_FIELD = {"type": "keyword", "script": {"source": "emit(params['_fields']['_id'].value)"}}


@dataclass(frozen=True, slots=True)
class Search:
    """One page of a search: documents that meet all `filters`, by `sort_field` and then by id.

    `after` are the `sort_values` of the last hit of the page before; `offset` and `size` count documents, and their sum may
    reach `limit`. Documents without the field come last, in both directions. They are counted up to `count_limit`, None for all.
    `backwards`: the page that comes before `after` instead, its hits in the opposite order. `fields`: those that the hits have,
    None for all. `refresh`: see every write, also of other programs, where the settings leave refreshing to writes.
    """

    filters: Sequence[dict[str, Any]]
    sort_field: str
    sort_type: str = "keyword"
    order: str = "asc"
    offset: int = 0
    size: int = 100
    limit: int = WINDOW
    count_limit: int | None = None
    after: Sequence[Any] | None = None
    must_not: Sequence[dict[str, Any]] = field(default_factory=tuple)
    refresh: bool = False
    backwards: bool = False
    fields: Sequence[str] | None = None

    def body(self) -> dict[str, Any]:
        """The request body of the search."""
        opposite = {"asc": "desc", "desc": "asc"}
        order, missing, id_order = self.order, "_last", "asc"
        if self.backwards:
            order, missing, id_order = opposite[order], "_first", "desc"
        body: dict[str, Any] = {
            "query": {"bool": {"filter": list(self.filters), "must_not": list(self.must_not)}},
            "runtime_mappings": {DOCUMENT_ID: _DOCUMENT_ID_FIELD},
            "sort": [
                {self.sort_field: {"order": order, "missing": missing, "unmapped_type": self.sort_type}},
                {DOCUMENT_ID: {"order": id_order}},
            ],
            "from": self.offset,
            "size": self.size,
            "track_total_hits": True if self.count_limit is None else self.count_limit,
        }
        if self.fields is not None:
            body["_source"] = list(self.fields)
        if self.after is not None:
            body["search_after"] = list(self.after)
        return body


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that a search found; `sort_values` say where it stands in the order."""

    id: str
    source: dict[str, Any]
    sort_values: list[Any]


@dataclass(frozen=True, slots=True)
class Page:
    """`total` counts the documents that meet the filters, exactly up to the search's limit; `hits` are the page's."""

    total: int
    hits: list[Hit]
