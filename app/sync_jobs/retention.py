"""Retention: deleting jobs that ended long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app import clock
from app.store import Store
from app.store.bulk import Version
from app.store.search import DOCUMENT_ID, Search
from app.sync_jobs.states import FINISHED
from app.sync_jobs.walks import walk

# The jobs of each connector and job type follow one another, the newest first. What a job lacks comes last.
_SORT: list[dict[str, Any]] = [
    {"connector.id": {"order": "asc", "missing": "_last", "unmapped_type": "keyword"}},
    {"job_type": {"order": "asc", "missing": "_last", "unmapped_type": "keyword"}},
    {"created_at": {"order": "desc", "missing": "_last", "unmapped_type": "date"}},
    {DOCUMENT_ID: {"order": "asc"}},
]
_ENDS = ("completed_at", "canceled_at", "last_seen")
# Without documents, a page may be large.
PAGE = 10_000


def prune(store: Store, finished_for: timedelta, keep_last: int, *, dry_run: bool) -> int:
    """Delete jobs that ended longer ago than `finished_for`; how many there were.

    The newest `keep_last` finished jobs of each connector and job type stay, and so does a job that somebody has written
    since it was found, or that does not say when it ended. `dry_run` only counts. Raises `ApiError` 503 where not all was
    done; sent again, it goes on.
    """
    end = datetime.fromisoformat(clock.ago(clock.now(), finished_for)).timestamp() * 1000
    search = Search(filters=[{"terms": {"status": FINISHED}}], sort_field="created_at")
    ends = [{"field": field, "format": "epoch_millis"} for field in _ENDS]
    group: list[Any] = []
    newer = count = 0
    for hits in walk(
        store.sync_jobs,
        search,
        size=PAGE,
        sort=_SORT,
        docvalue_fields=ends,
        seq_no_primary_term=True,
    ):
        old = {}
        for hit in hits:
            if hit["sort"][:2] != group:
                group, newer = hit["sort"][:2], 0
            if newer >= keep_last and _ended_before(hit, end):
                old[hit["_id"]] = Version(hit["_seq_no"], hit["_primary_term"])
            newer += 1
        count += len(old) if dry_run else store.sync_jobs.delete_unchanged(old)
    return count


def _ended_before(hit: Mapping[str, Any], milliseconds: float) -> bool:
    found = hit.get("fields", {})
    for field in _ENDS:
        if field in found:
            return max(map(float, found[field])) < milliseconds
    return False
