"""Walks through all jobs that a search finds, however many there are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import unavailable
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.search import Search

SECONDS = 60.0
PAGE = 1_000

Hits = Sequence[Mapping[str, Any]]


def walk(
    sync_jobs: Documents, search: Search, fields: Sequence[str] = (), *, size: int | None = None, **body: Any
) -> Iterator[Hits]:
    """The hits of a search, with these fields of the jobs, in pages that are never empty.

    `body` has further keys of the request. What the search sorts by must not change in a job that still meets its filters.
    Raises `ApiError` 503 when it has gone on for a minute: the same request, sent again, goes on with what is left.
    """
    body = {"_source": list(fields) or False, "track_total_hits": False, **body}
    deadline = time.monotonic() + SECONDS
    size = size or PAGE
    after = None
    while True:
        page = replace(search, size=size, after=after).body() | body
        try:
            hits: Hits = sync_jobs.query(page)["hits"]["hits"]
        except IndexMissing:
            return
        if hits:
            yield hits
        if len(hits) < size:
            return
        if time.monotonic() >= deadline:
            raise unavailable("There is more to do than one request takes on. It can be sent again.")
        after = hits[-1]["sort"]
