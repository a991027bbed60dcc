"""Repair: connectors whose locks and jobs disagree, since these are two documents and whoever changed one may have died before the other.

- A connector that is locked for a kind although no job of it runs is freed: with the result of the latest job, if that ended over a
  minute ago and after the connector was last freed; otherwise once the same lock was seen for five minutes, since a worker may
  take so long between its lock and its claim.
- A connector that isn't locked although a job runs is locked for it, once that was seen for a minute.

What others write is left alone as long as they may still be at it: each write of a connector can make one of a worker's fail.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from app import timestamps
from app.connectors.document import is_deleted
from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.bulk import Change
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Verdict, load
from app.store.search import Search
from app.sync_jobs.document import connector_id
from app.sync_jobs.locked_connectors import LockSeen, lock_owner, locked_connectors
from app.sync_jobs.locks import ENDED_FIELDS, free_connectors, lock_connectors, unlock_connectors
from app.sync_jobs.queries import RUNNING_FILTER
from app.sync_jobs.states import FINISHED
from app.sync_jobs.walks import walk

log = structlog.get_logger(__name__)

ABANDON: Final = load(__package__, "abandon_lock")

_ENDED_FOR: Final = timedelta(seconds=60)
SEEN_LOCKED_SECONDS: Final = 300.0
SEEN_RUNNING_SECONDS: Final = 60.0
# Connectors whose latest jobs are asked for at once.
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that runs."""

    sync_job_id: str
    connector_id: str
    kind: SyncKind


class Repair:
    """Remembers since when it has seen what disagrees, in seconds of this process's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[LockSeen | RunningJob, float] = {}

    def run(self, may_go_on: Callable[[], bool]) -> int:
        """Look at all connectors, and repair what has been wrong for long enough; how many connectors were.

        `may_go_on` is asked before each write. Raises `ApiError` where Elasticsearch does not respond.
        """
        locked = dict(locked_connectors(self._store))
        running = {(job.connector_id, job.kind): job for job in _running(self._store)}
        idle = {
            seen: source for seen, source in locked.items() if (seen.connector_id, seen.kind) not in running
        }
        held = {(seen.connector_id, seen.kind) for seen in locked}
        unlocked = _known(self._store, [job for key, job in running.items() if key not in held])
        now = time.monotonic()
        disagreeing: list[LockSeen | RunningJob] = [*idle, *unlocked]
        self._seen = {each: self._seen.get(each, now) for each in disagreeing}
        repaired = 0
        if may_go_on():
            repaired += self._free(idle, now)
        if may_go_on():
            repaired += self._lock([job for job in unlocked if self._lasts(job, now, SEEN_RUNNING_SECONDS)])
        return repaired

    def _lasts(self, seen: LockSeen | RunningJob, now: float, seconds: float) -> bool:
        return now - self._seen[seen] >= seconds

    def _free(self, idle: Mapping[LockSeen, Mapping[str, Any]], now: float) -> int:
        """Free connectors from locks without a job."""
        latest = _latest(self._store, idle)
        ended = {}
        abandoned = []
        for seen, connector in idle.items():
            job_id, job = latest.get((seen.connector_id, seen.kind), (None, {}))
            if job_id is not None and _left_behind(connector, seen.kind, job_id, job):
                ended[job_id] = job
            elif self._lasts(seen, now, SEEN_LOCKED_SECONDS):
                owner = lock_owner(connector, seen.kind) or {}
                params = {
                    "kind": seen.kind,
                    "status_field": seen.kind.status_field,
                    "synced": connector.get("last_synced"),
                    "token": seen.token,
                    "status": job.get("status") or owner.get("former"),
                }
                abandoned.append(Change(seen.connector_id, ABANDON, params))
        freed = free_connectors(self._store, ended) if ended else 0
        outcomes = self._store.connectors.transition_all(abandoned) if abandoned else []
        done = [isinstance(each, Outcome) and each.verdict is Verdict.UPDATED for each in outcomes]
        for change, was_freed in zip(abandoned, done, strict=True):
            if was_freed:
                log.info("lock_abandoned", connector_id=change.document_id, kind=change.params["kind"])
        return freed + sum(done)

    def _lock(self, jobs: Sequence[RunningJob]) -> int:
        """Lock connectors for jobs that run, and take that back where a job has ended meanwhile."""
        if not jobs:
            return 0
        token = secrets.token_urlsafe(15)
        locked = list(lock_connectors(self._store, jobs, token))
        statuses = self._store.sync_jobs.get_all([job.sync_job_id for job in locked], ["status"])
        over = {
            job: None
            for job in locked
            if statuses.get(job.sync_job_id, {}).get("status") in (*FINISHED, None)
        }
        if over:
            unlock_connectors(self._store, over, token)
        return len(locked) - len(over)


def _running(store: Store) -> Iterator[RunningJob]:
    search = Search([RUNNING_FILTER], sort_field="created_at", sort_type="date")
    for hits in walk(store.sync_jobs, search, ("connector.id", "job_type")):
        for hit in hits:
            of = connector_id(hit["_source"])
            if isinstance(of, str):
                yield RunningJob(hit["_id"], of, SyncKind.of(hit["_source"].get("job_type")))


def _known(store: Store, jobs: Iterable[RunningJob]) -> list[RunningJob]:
    """Those of the jobs whose connector is there, and not locked for their kind by now."""
    jobs = list(jobs)
    fields = ["deleted", *(kind.status_field for kind in SyncKind)]
    connectors = store.connectors.get_all(sorted({job.connector_id for job in jobs}), fields)
    return [
        job
        for job in jobs
        if (connector := connectors.get(job.connector_id)) is not None
        and not is_deleted(connector)
        and connector.get(job.kind.status_field) != SyncStatus.IN_PROGRESS
    ]


def _latest(
    store: Store, seen: Iterable[LockSeen]
) -> dict[tuple[str, SyncKind], tuple[str, Mapping[str, Any]]]:
    """The job of each connector and kind that ended last, or was suspended: its id and `ENDED_FIELDS`."""
    found = {}
    for kind in SyncKind:
        connectors = sorted(each.connector_id for each in seen if each.kind is kind)
        for start in range(0, len(connectors), _CHUNK):
            chunk = connectors[start : start + _CHUNK]
            for key, hit in _latest_of(store, chunk, kind):
                found[key, kind] = hit["_id"], hit["_source"]
    return found


def _latest_of(
    store: Store, connectors: Sequence[str], kind: SyncKind
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    filters = [
        {"terms": {"connector.id": connectors}},
        {"terms": {"job_type": list(kind.job_types)}},
        {"terms": {"status": [*FINISHED, SyncStatus.SUSPENDED]}},
        {"exists": {"field": "started_at"}},  # others never ran
    ]
    newest = {
        "size": 1,
        "sort": [{"last_seen": {"order": "desc", "missing": "_last", "unmapped_type": "date"}}],
        "_source": [*ENDED_FIELDS, "completed_at"],
    }
    body = {
        "size": 0,
        "query": {"bool": {"filter": filters}},
        "aggs": {
            "connectors": {
                "terms": {"field": "connector.id", "size": len(connectors)},
                "aggs": {"latest": {"top_hits": newest}},
            }
        },
    }
    try:
        buckets = store.sync_jobs.query(body)["aggregations"]["connectors"]["buckets"]
    except IndexMissing:
        return
    for bucket in buckets:
        yield bucket["key"], bucket["latest"]["hits"]["hits"][0]


def _left_behind(connector: Mapping[str, Any], kind: SyncKind, job_id: str, job: Mapping[str, Any]) -> bool:
    """Whether the job's worker should have freed the connector, a minute ago at least. Not if it is locked for another job."""
    owner = lock_owner(connector, kind)
    if (
        owner is not None
        and owner.get("synced") == connector.get("last_synced")
        and owner.get("job") != job_id
    ):
        return False
    ended = timestamps.read(job.get("completed_at") or job.get("last_seen"))
    synced = timestamps.read(connector.get("last_synced"))
    if ended is None or (synced is not None and ended <= synced):
        return False
    return datetime.now(ended.tzinfo) - ended > _ENDED_FOR
