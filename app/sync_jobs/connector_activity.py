"""What goes on at connectors: their latest runs, and their jobs that run or wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.sync_jobs.attention import Job, aggregate, first, running_of, sorted_by
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
    wanted = {"connectors": {"terms": connectors, "aggs": aggregations}}
    found = aggregate(store, wanted, query={"bool": {"filter": {"terms": {"connector.id": ids}}}})
    return {
        each["key"]: Activity(
            runs=_jobs(each["runs"]).jobs,
            running={kind: _jobs(each[kind.value]) for kind in SyncKind},
            waiting=_jobs(each["waiting"]),
        )
        for each in found["connectors"]["buckets"]
    }


def _newest(number: int) -> dict[str, Any]:
    return {"first": sorted_by("created_at", *FIELDS, order="desc", size=number)}


def _jobs(bucket: Mapping[str, Any]) -> Jobs:
    return Jobs(bucket["doc_count"], first(bucket))
