"""What goes on: jobs that run, that hang, that failed and why, and how many ended when. In the two searches of `attention`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app import timestamps
from app.protocol import ConnectorStatus
from app.store import Store
from app.sync_jobs.attention import Aggregations, Job, aggregations, counts, first, look, sorted_by
from app.sync_jobs.history import RUNTIME_MAPPINGS, History, Period, ended_within, history
from app.sync_jobs.locked_connectors import LockSeen, lock_owner

MOST: Final = 10
"""How many jobs, workers and connectors there are of each at most, however many are counted."""

_RUNNING_FIELDS: Final = ("connector.id", "job_type", "started_at", "status", "worker_hostname")


@dataclass(frozen=True, slots=True)
class Hanging:
    """Jobs that wait or are silent: how many, the one that has been for longest, and most of their workers or connectors."""

    jobs: int
    longest: Job | None
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class ConnectorSeen:
    """A connector that needs a look. `since` is None where that is not known."""

    id: str
    source: Mapping[str, Any]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """All of it. `failing` has some of the connectors that `failing_count` counts, `running` some of `running_count` jobs."""

    has_jobs: bool
    by_status: Mapping[str, int]
    oldest_pending: Job | None
    running_count: int
    running: Sequence[Job]
    idle: Hanging
    unclaimed: Hanging
    stuck: Sequence[ConnectorSeen]
    failing_count: int
    failing: Sequence[ConnectorSeen]
    history: History
    leader: Mapping[str, Any] | None


def activity(store: Store, period: Period, unclaimed_for: timedelta, idle_for: timedelta) -> Activity:
    """What goes on, and what ended within the period. `unclaimed_for` and `idle_for` as in `summary`.

    Raises `ApiError` where Elasticsearch does not respond.
    """
    wanted = aggregations(unclaimed_for, idle_for)
    wanted["running"]["aggs"]["first"] = sorted_by("last_seen", *_RUNNING_FIELDS, size=MOST)
    wanted["idle"]["aggs"] = _names("worker_hostname") | {"first": sorted_by("last_seen", "created_at")}
    wanted["unclaimed"]["aggs"] = _names("connector.id") | {"first": sorted_by("created_at")}
    wanted["all"] = {"filter": {"match_all": {}}}
    wanted["ended"] = ended_within(period)
    failing = {"first": sorted_by("last_synced", "name", "error", size=MOST)}
    seen = look(
        store,
        wanted,
        connectors={"failing": {"filter": {"term": {"status": ConnectorStatus.ERROR}}, "aggs": failing}},
        fields=("name",),
        runtime_mappings=RUNTIME_MAPPINGS,
    )
    jobs = seen.jobs
    return Activity(
        has_jobs=jobs["all"]["doc_count"] > 0,
        by_status=counts(jobs),
        oldest_pending=next(iter(first(jobs["pending"])), None),
        running_count=jobs["running"]["doc_count"],
        running=first(jobs["running"]),
        idle=_hanging(jobs["idle"]),
        unclaimed=_hanging(jobs["unclaimed"]),
        stuck=_stuck(seen.stuck),
        failing_count=seen.connectors["failing"]["doc_count"],
        failing=[ConnectorSeen(*each) for each in first(seen.connectors["failing"])],
        history=history(period, jobs["ended"]),
        leader=store.leadership.current(),
    )


def _names(field: str) -> Aggregations:
    return {"names": {"terms": {"field": field, "size": MOST}}}


def _hanging(bucket: Mapping[str, Any]) -> Hanging:
    names = [each["key"] for each in bucket["names"]["buckets"]]
    return Hanging(bucket["doc_count"], next(iter(first(bucket)), None), names)


def _stuck(locks: Sequence[tuple[LockSeen, Mapping[str, Any]]]) -> list[ConnectorSeen]:
    """Each connector once. Only claims note since when they lock it."""
    found: dict[str, ConnectorSeen] = {}
    for lock, source in locks:
        owner = lock_owner(source, lock.kind)
        at = owner.get("at") if owner and owner.get("synced") == source.get("last_synced") else None
        found.setdefault(lock.connector_id, ConnectorSeen(lock.connector_id, source, timestamps.read(at)))
    return list(found.values())
