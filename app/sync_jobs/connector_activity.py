"""What goes on at connectors: their latest runs, and their jobs that run or wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.failures import IndexMissing
from app.sync_jobs.attention import running_of
from app.sync_jobs.queries import WAITING_FILTER

FIELDS: Final = (
    "completed_at",
    "connector.id",
    "created_at",
    "deleted_document_count",
    "indexed_document_count",
    "job_type",
    "last_seen",
    "started_at",
    "status",
    "total_document_count",
    "trigger_method",
    "worker_hostname",
)
"""What is found of a job: neither its configuration, nor its error, which may be long."""

# A connector has one of a kind, unless other programs made more.
_RUNNING: Final = 3
_WAITING: Final = 20
_NEVER_RAN: Final = {"term": {"status": SyncStatus.PENDING}}

Job = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Jobs:
    """How many there are, and the first ones with their ids."""

    count: int = 0
    jobs: Sequence[Job] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """The jobs of one connector. `runs` are the latest that are not merely pending, the newest first."""

    runs: Sequence[Job] = ()
    running: Mapping[SyncKind, Jobs] = field(default_factory=dict)
    waiting: Jobs = Jobs()


def activities(store: Store, connector_ids: Sequence[str], *, runs: int) -> dict[str, Activity]:
    """What goes on at these connectors, with at most that many runs each, by one search; nothing for those without jobs."""
    if not connector_ids:
        return {}
    aggregations = {
        "runs": {"filter": {"bool": {"must_not": _NEVER_RAN}}, "aggs": _newest(runs)},
        "waiting": {"filter": WAITING_FILTER, "aggs": _newest(_WAITING)},
        **{
            kind.value: {
                "filter": {"bool": {"filter": running_of(kind)}},
                "aggs": _newest(_RUNNING),
            }
            for kind in SyncKind
        },
    }
    ids = sorted(set(connector_ids))
    connectors = {"field": "connector.id", "include": ids, "size": len(ids)}
    body = {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": {"terms": {"connector.id": ids}}}},
        "aggs": {"connectors": {"terms": connectors, "aggs": aggregations}},
    }
    try:
        buckets = store.sync_jobs.query(body)["aggregations"]["connectors"]["buckets"]
    except IndexMissing:
        return {}
    return {
        each["key"]: Activity(
            runs=_jobs(each["runs"]).jobs,
            running={kind: _jobs(each[kind.value]) for kind in SyncKind},
            waiting=_jobs(each["waiting"]),
        )
        for each in buckets
    }


def _newest(number: int) -> dict[str, Any]:
    order = {"created_at": {"order": "desc", "missing": "_last", "unmapped_type": "date"}}
    return {"newest": {"top_hits": {"size": number, "sort": [order], "_source": list(FIELDS)}}}


def _jobs(bucket: Mapping[str, Any]) -> Jobs:
    hits = bucket["newest"]["hits"]["hits"]
    return Jobs(bucket["doc_count"], [(hit["_id"], hit.get("_source", {})) for hit in hits])
