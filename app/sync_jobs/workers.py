"""Who works: the workers that were heard of lately, and what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app import clock, timestamps
from app.store import Store
from app.sync_jobs.attention import Job, aggregate
from app.sync_jobs.connector_activity import FIELDS
from app.sync_jobs.queries import RUNNING_FILTER, idle
from app.sync_jobs.states import FINISHED

HEARD_OF_WITHIN: Final = timedelta(days=7)
ENDED_WITHIN: Final = timedelta(hours=24)
MOST: Final = 100
_RUNNING: Final = 10


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker by its host name.

    `running` counts its jobs that run, of which `jobs` are those heard of least lately; `silent` counts those that were not heard of
    for too long. `ended` counts by status. `since` is the first sign of it that was found.
    """

    name: str
    last_seen: datetime | None
    since: datetime | None
    running: int
    silent: int
    jobs: Sequence[Job]
    ended: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Workers:
    """Silent ones first, then those heard of most lately. `others`: there are more. `ended_from` is an ISO timestamp."""

    workers: list[Worker]
    others: bool
    ended_from: str


def workers(store: Store, silent_after: timedelta) -> Workers:
    """The workers that run a job, or were heard of within a week, by one search. Those that run something are found first."""
    now = clock.now()
    ended_from = clock.ago(now, ENDED_WITHIN)
    ended = [{"terms": {"status": FINISHED}}, {"range": {"completed_at": {"gte": ended_from}}}]
    lately = [
        RUNNING_FILTER,
        {"bool": {"filter": ended}},
        {"range": {"last_seen": {"gte": clock.ago(now, HEARD_OF_WITHIN)}}},
    ]
    aggregations = {
        "last_seen": {"max": {"field": "last_seen"}},
        "since": {"min": {"field": "started_at"}},
        "running": {"filter": RUNNING_FILTER, "aggs": {"jobs": _least_lately_heard_of()}},
        "silent": {"filter": {"bool": {"filter": idle(now, silent_after)}}},
        "ended": {
            "filter": {"bool": {"filter": ended}},
            "aggs": {"by_status": {"terms": {"field": "status", "include": FINISHED, "size": len(FINISHED)}}},
        },
    }
    by_name = {
        "field": "worker_hostname",
        "exclude": [""],
        "size": MOST,
        "order": [{"silent": "desc"}, {"running": "desc"}, {"last_seen": "desc"}],
    }
    filters = [
        {"exists": {"field": "worker_hostname"}},
        {"bool": {"should": lately, "minimum_should_match": 1}},
    ]
    wanted = {"workers": {"terms": by_name, "aggs": aggregations}}
    found = aggregate(store, wanted, query={"bool": {"filter": filters}})["workers"]
    listed = [_worker(bucket) for bucket in found["buckets"]]
    listed.sort(key=lambda each: (not each.silent, -_seconds(each.last_seen), each.name))
    return Workers(listed, others=found["sum_other_doc_count"] > 0, ended_from=ended_from)


def _least_lately_heard_of() -> dict[str, Any]:
    order = {"last_seen": {"order": "asc", "missing": "_first", "unmapped_type": "date"}}
    return {"top_hits": {"size": _RUNNING, "sort": [order], "_source": list(FIELDS)}}


def _worker(bucket: Mapping[str, Any]) -> Worker:
    hits = bucket["running"]["jobs"]["hits"]["hits"]
    return Worker(
        name=bucket["key"],
        last_seen=_time(bucket["last_seen"]),
        since=_time(bucket["since"]),
        running=bucket["running"]["doc_count"],
        silent=bucket["silent"]["doc_count"],
        jobs=[(hit["_id"], hit.get("_source", {})) for hit in hits],
        ended={each["key"]: each["doc_count"] for each in bucket["ended"]["by_status"]["buckets"]},
    )


def _time(aggregation: Mapping[str, Any]) -> datetime | None:
    value = aggregation.get("value")
    return None if value is None else timestamps.read(int(value))


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
