"""How the sync jobs are doing, all in all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from app import clock
from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.sync_jobs.locked_connectors import locked_connectors
from app.sync_jobs.queries import RUNNING_FILTER, idle, unclaimed
from app.sync_jobs.states import FINISHED, TRANSITIONS

# As many as the response shows.
_CONNECTORS: Final = 100
_BY_STATUS: Final = {"terms": {"field": "status", "include": list(TRANSITIONS), "size": len(TRANSITIONS)}}

# The connectors that are locked for each kind of jobs.
Locks = Mapping[SyncKind, Collection[str]]


def summary(store: Store, unclaimed_for: timedelta, idle_for: timedelta) -> dict[str, Any]:
    """Counts of jobs, and what needs a look: jobs that nobody takes, silent workers, connectors that are stuck.

    `unclaimed` have been pending for longer than `unclaimed_for`; the workers of `idle` were not heard of for longer than
    `idle_for`. `locked_without_job` counts connectors that are locked although no job of that kind runs.
    """
    locks = _locks(store)
    found = _aggregations(store, locks, unclaimed_for, idle_for)
    stuck = {
        connector_id
        for kind, connector_ids in locks.items()
        for connector_id in set(connector_ids)
        - {each["key"] for each in found[kind]["connectors"]["buckets"]}
    }
    return {
        "by_status": _counts(found),
        "by_connector": [
            {"connector_id": each["key"], "by_status": _counts(each)}
            for each in found["by_connector"]["buckets"]
        ],
        "oldest_pending": _first(found["pending"], "created_at"),
        "longest_idle": _first(found["running"], "worker_hostname", "last_seen"),
        "unclaimed": found["unclaimed"]["doc_count"],
        "idle": found["idle"]["doc_count"],
        "locked_without_job": len(stuck),
        "leader": store.leadership.current(),
    }


def _locks(store: Store) -> Locks:
    locks: dict[SyncKind, list[str]] = {kind: [] for kind in SyncKind}
    for lock, _ in locked_connectors(store):
        locks[lock.kind].append(lock.connector_id)
    return locks


def _aggregations(
    store: Store, locks: Locks, unclaimed_for: timedelta, idle_for: timedelta
) -> Mapping[str, Any]:
    """Elasticsearch's aggregations of the jobs; those of no jobs where there is no index."""
    now = clock.now()
    pending = {"term": {"status": SyncStatus.PENDING}}
    aggregations = {
        "by_status": _BY_STATUS,
        "by_connector": _by_connector(),
        "pending": {"filter": pending, "aggs": {"first": _sorted_by("created_at")}},
        "running": {"filter": RUNNING_FILTER, "aggs": {"first": _sorted_by("last_seen", "worker_hostname")}},
        "unclaimed": {"filter": {"bool": {"filter": unclaimed(now, unclaimed_for)}}},
        "idle": {"filter": {"bool": {"filter": idle(now, idle_for)}}},
        **{kind.value: _running_on(connectors, kind) for kind, connectors in locks.items()},
    }
    try:
        response = store.sync_jobs.query({"size": 0, "track_total_hits": False, "aggs": aggregations})
    except IndexMissing:
        nothing = {"buckets": [], "doc_count": 0}
        return dict.fromkeys(aggregations, nothing | {"connectors": nothing, "first": {"hits": {"hits": []}}})
    found: Mapping[str, Any] = response["aggregations"]
    return found


def _by_connector() -> dict[str, Any]:
    """The busiest first: those with the most jobs that are not finished, then those with the most jobs."""
    unfinished = {"filter": {"terms": {"status": [each for each in TRANSITIONS if each not in FINISHED]}}}
    order = [{"unfinished": "desc"}, {"_count": "desc"}, {"_key": "asc"}]
    return {
        "terms": {"field": "connector.id", "size": _CONNECTORS, "order": order},
        "aggs": {"by_status": _BY_STATUS, "unfinished": unfinished},
    }


def _running_on(connector_ids: Collection[str], kind: SyncKind) -> dict[str, Any]:
    """Those of the connectors on which a job of the kind runs."""
    filters = [
        RUNNING_FILTER,
        {"terms": {"job_type": list(kind.job_types)}},
        {"terms": {"connector.id": list(connector_ids)}},
    ]
    connectors = {"terms": {"field": "connector.id", "size": len(connector_ids) or 1}}
    return {"filter": {"bool": {"filter": filters}}, "aggs": {"connectors": connectors}}


def _sorted_by(field: str, *others: str) -> dict[str, Any]:
    order = {field: {"order": "asc", "missing": "_last", "unmapped_type": "date"}}
    return {"top_hits": {"size": 1, "sort": [order], "_source": [field, *others]}}


def _first(bucket: Mapping[str, Any], *fields: str) -> dict[str, Any] | None:
    hits = bucket["first"]["hits"]["hits"]
    return {"id": hits[0]["_id"], **{each: hits[0]["_source"].get(each) for each in fields}} if hits else None


def _counts(bucket: Mapping[str, Any]) -> dict[str, int]:
    counted = {each["key"]: each["doc_count"] for each in bucket["by_status"]["buckets"]}
    return {status: counted.get(status, 0) for status in TRANSITIONS}
