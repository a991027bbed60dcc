"""What needs a look: jobs that nobody takes, silent workers, connectors that are stuck. Two searches, that others may add to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app import clock
from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.sync_jobs.locked_connectors import LockSeen, search_locks
from app.sync_jobs.queries import RUNNING_FILTER, idle, unclaimed
from app.sync_jobs.states import TRANSITIONS

# Elasticsearch's aggregations by their names, as requests and as responses have them.
Aggregations = dict[str, Any]
# The id of a job, and some of its fields.
Job = tuple[str, Mapping[str, Any]]

BY_STATUS: Final = {"terms": {"field": "status", "include": list(TRANSITIONS), "size": len(TRANSITIONS)}}


@dataclass(frozen=True, slots=True)
class Seen:
    """`jobs` and `connectors` are what was asked for. `stuck`: connectors that are locked although no job of that kind runs."""

    jobs: Aggregations
    connectors: Aggregations
    stuck: Sequence[tuple[LockSeen, Mapping[str, Any]]]


def aggregations(unclaimed_for: timedelta, idle_for: timedelta) -> Aggregations:
    """What to ask of the jobs: counts, and those that hang. `first` of `pending` and `running` has the one that does for longest."""
    now = clock.now()
    pending = {"term": {"status": SyncStatus.PENDING}}
    return {
        "by_status": BY_STATUS,
        "pending": {"filter": pending, "aggs": {"first": sorted_by("created_at")}},
        "running": {"filter": RUNNING_FILTER, "aggs": {"first": sorted_by("last_seen", "worker_hostname")}},
        "unclaimed": {"filter": {"bool": {"filter": unclaimed(now, unclaimed_for)}}},
        "idle": {"filter": {"bool": {"filter": idle(now, idle_for)}}},
    }


def look(
    store: Store,
    jobs: Aggregations,
    *,
    connectors: Aggregations | None = None,
    fields: Sequence[str] = (),
    runtime_mappings: Mapping[str, Any] | None = None,
) -> Seen:
    """The aggregations of all jobs and of all connectors; those of nothing where there is no index.

    `fields` of stuck connectors are shown; `runtime_mappings` are fields of jobs that are computed. Raises `ApiError` where
    Elasticsearch does not respond.
    """
    found_locks, of_connectors = search_locks(store, aggregations=connectors, fields=fields)
    locks = list(found_locks)
    locked = {kind: [seen.connector_id for seen, _ in locks if seen.kind is kind] for kind in SyncKind}
    jobs = jobs | {kind.value: running_on(locked[kind], kind) for kind in SyncKind}
    found = aggregate(store, jobs, **({"runtime_mappings": runtime_mappings} if runtime_mappings else {}))
    at_work = connectors_at_work(found)
    stuck = [(seen, source) for seen, source in locks if seen.connector_id not in at_work[seen.kind]]
    return Seen(found, of_connectors or of_nothing(connectors or {}), stuck)


def aggregate(store: Store, wanted: Aggregations, **body: Any) -> Aggregations:
    """Elasticsearch's response to aggregations of jobs; that of no jobs where there is no index.

    `body` has further keys of the request. Raises `ApiError` where Elasticsearch does not respond.
    """
    try:
        request = {"size": 0, "track_total_hits": False, "aggs": wanted, **body}
        found: Aggregations = store.sync_jobs.query(request)["aggregations"]
    except IndexMissing:
        return of_nothing(wanted)
    return found


def of_nothing(requested: Mapping[str, Any]) -> Aggregations:
    """What these aggregations of no documents are."""
    nothing = {"doc_count": 0, "buckets": [], "sum_other_doc_count": 0, "hits": {"hits": []}, "values": {}}
    return {name: nothing | of_nothing(each.get("aggs", {})) for name, each in requested.items()}


def counts(bucket: Mapping[str, Any]) -> dict[str, int]:
    """How many jobs of a bucket are in each status."""
    counted = {each["key"]: each["doc_count"] for each in bucket["by_status"]["buckets"]}
    return {status: counted.get(status, 0) for status in TRANSITIONS}


def sorted_by(field: str, *others: str, order: str = "asc", size: int = 1) -> Aggregations:
    """The first jobs by a time, with these fields."""
    by = {field: {"order": order, "missing": "_last", "unmapped_type": "date"}}
    return {"top_hits": {"size": size, "sort": [by], "_source": [field, *others]}}


def first(bucket: Mapping[str, Any]) -> list[Job]:
    """What `sorted_by` has found in a bucket: ids and fields."""
    return [(hit["_id"], hit["_source"]) for hit in bucket["first"]["hits"]["hits"]]


def running_on(connector_ids: Sequence[str], kind: SyncKind) -> Aggregations:
    """Those of the connectors on which a job of the kind runs."""
    filters = [*running_of(kind), {"terms": {"connector.id": list(connector_ids)}}]
    connectors = {"terms": {"field": "connector.id", "size": len(connector_ids) or 1}}
    return {"filter": {"bool": {"filter": filters}}, "aggs": {"connectors": connectors}}


def connectors_at_work(found: Aggregations) -> dict[SyncKind, set[str]]:
    """The connectors that `running_on`, asked by the name of each kind, has found."""
    return {kind: {each["key"] for each in found[kind]["connectors"]["buckets"]} for kind in SyncKind}


def running_of(kind: SyncKind) -> list[dict[str, Any]]:
    """The filters of jobs of a kind that run."""
    return [RUNNING_FILTER, {"terms": {"job_type": list(kind.job_types)}}]
