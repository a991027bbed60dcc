"""How the sync jobs are doing, all in all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from app.store import Store
from app.sync_jobs.attention import BY_STATUS, aggregations, counts, first, look
from app.sync_jobs.states import ACTIVE

# As many as the response shows.
_CONNECTORS: Final = 100


def summary(store: Store, unclaimed_for: timedelta, idle_for: timedelta) -> dict[str, Any]:
    """Counts of jobs, and what needs a look: jobs that nobody takes, silent workers, connectors that are stuck.

    `unclaimed` have been pending for longer than `unclaimed_for`; the workers of `idle` were not heard of for longer than
    `idle_for`. `locked_without_job` counts connectors that are locked although no job of that kind runs.
    """
    seen = look(store, aggregations(unclaimed_for, idle_for) | {"by_connector": _by_connector()})
    found = seen.jobs
    return {
        "by_status": counts(found),
        "by_connector": [
            {"connector_id": each["key"], "by_status": counts(each)}
            for each in found["by_connector"]["buckets"]
        ],
        "oldest_pending": _only(found["pending"], "created_at"),
        "longest_idle": _only(found["running"], "worker_hostname", "last_seen"),
        "unclaimed": found["unclaimed"]["doc_count"],
        "idle": found["idle"]["doc_count"],
        "locked_without_job": len({lock.connector_id for lock, _ in seen.stuck}),
        "leader": store.leadership.current(),
    }


def _by_connector() -> dict[str, Any]:
    """The busiest first: those with the most jobs that are not finished, then those with the most jobs."""
    order = [{"unfinished": "desc"}, {"_count": "desc"}, {"_key": "asc"}]
    return {
        "terms": {"field": "connector.id", "size": _CONNECTORS, "order": order},
        "aggs": {"by_status": BY_STATUS, "unfinished": {"filter": {"terms": {"status": ACTIVE}}}},
    }


def _only(bucket: Mapping[str, Any], *fields: str) -> dict[str, Any] | None:
    for sync_job_id, source in first(bucket):
        return {"id": sync_job_id, **{each: source.get(each) for each in fields}}
    return None
