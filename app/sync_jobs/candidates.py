"""The jobs that can be claimed next, and those that run: one search for all callers of a process that ask at the same time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from app.connectors.document import is_deleted
from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.bulk import Version
from app.store.failures import IndexMissing
from app.sync_jobs.locks import may_be_abandoned
from app.sync_jobs.queries import CANDIDATES, ClaimFilter, candidates_search, running_search

# Searches that one look makes at most, each without the connectors that the ones before passed over.
_MAX_ROUNDS = 100
# Filters in one search: more connectors than these find together make a response that Elasticsearch refuses.
_MAX_FILTERS = 32

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A job that waits while no other of its connector and kind runs, as a search saw it. `former` is what a claim changes."""

    sync_job_id: str
    job_type: Any
    connector_id: str
    kind: SyncKind
    version: Version
    former: Mapping[str, Any]
    created_at: float


class Candidates:
    """What one look found, oldest first. It is dealt out: no two callers get the same connector and kind."""

    def __init__(self, found: Mapping[ClaimFilter, list[Candidate]]) -> None:
        self._found = {
            each: sorted(jobs, key=lambda job: job.created_at, reverse=True) for each, jobs in found.items()
        }
        self._dealt: set[tuple[str, ...]] = set()
        self._lock = Lock()

    def has(self, wanted: ClaimFilter) -> bool:
        """Whether there may be jobs to deal out."""
        return bool(self._found.get(wanted))

    def deal(self, wanted: ClaimFilter, count: int) -> list[Candidate]:
        """The next `count` jobs that this filter wants, or as many as there are."""
        dealt: list[Candidate] = []
        with self._lock:
            left = self._found.get(wanted, [])
            while left and len(dealt) < count:
                job = left.pop()
                # A job that another program wrote may be of several connectors.
                keys = {(job.connector_id, job.kind), (job.sync_job_id,)}
                if not keys & self._dealt:
                    self._dealt |= keys
                    dealt.append(job)
        return dealt


@dataclass(slots=True)
class _Gathering(Generic[K, V]):
    """The callers of one look: what they want, and what it found."""

    keys: set[K] = field(default_factory=set)
    found: Future[V] = field(default_factory=Future)


class SharedLook(Generic[K, V]):
    """One look at a time for all callers: whoever asks while one is under way waits for the next, with all others.

    So each gets what was found after it asked. With `pause`, looks are that many seconds apart, unless `stopping` is set.
    """

    def __init__(
        self, look: Callable[[frozenset[K]], V], *, pause: float = 0.0, stopping: Event | None = None
    ) -> None:
        self._look = look
        self._pause = pause
        self._stopping = stopping or Event()
        self._gathering: _Gathering[K, V] | None = None
        self._lock = Lock()
        self._looking = Lock()
        self._last = -math.inf

    def get(self, *keys: K) -> V:
        """What a look for these keys, and those of others, finds. Raises what the look raises."""
        with self._lock:
            first = self._gathering is None
            gathering = self._gathering = self._gathering or _Gathering()
            gathering.keys.update(keys)
        if first:
            with self._looking:
                self._stopping.wait(max(0.0, self._last + self._pause - time.monotonic()))
                with self._lock:
                    self._gathering = None
                try:
                    gathering.found.set_result(self._look(frozenset(gathering.keys)))
                except Exception as error:  # noqa: BLE001 - each caller raises it
                    gathering.found.set_exception(error)
                self._last = time.monotonic()
        return gathering.found.result()


def find_candidates(store: Store, filters: frozenset[ClaimFilter]) -> Candidates:
    """What can be claimed now by callers with these filters.

    Jobs of connectors that are missing, deleted or locked are passed over.
    """
    wanted = list(filters)
    passed_over: dict[SyncKind, set[str]] = {kind: set() for kind in SyncKind}
    found: dict[ClaimFilter, list[Candidate]] = {}
    for start in range(0, len(wanted), _MAX_FILTERS):
        for _ in range(_MAX_ROUNDS):
            some, goes_on = _look(store, wanted[start : start + _MAX_FILTERS], passed_over)
            if not goes_on:
                break
        found |= some
    return Candidates(found)


def find_running(store: Store, connector_ids: frozenset[str]) -> Mapping[tuple[str, SyncKind], str]:
    """The id of a job that runs, for each of the connectors and each kind that has one."""
    try:
        response = store.sync_jobs.query(running_search(connector_ids))
    except IndexMissing:
        return {}
    return {
        (connector_id, SyncKind.of(job_type)): hit["_id"]
        for hit in response["hits"]["hits"]
        for connector_id in hit["fields"]["connector.id"]
        for job_type in hit["fields"].get("job_type", [None])
    }


def _look(
    store: Store, wanted: list[ClaimFilter], passed_over: dict[SyncKind, set[str]]
) -> tuple[dict[ClaimFilter, list[Candidate]], bool]:
    """What one search found, and whether another one, without the connectors now passed over, may find more."""
    try:
        response = store.sync_jobs.query(candidates_search(wanted, passed_over))
    except IndexMissing:
        return {}, False
    groups = [
        (wanted[int(position)], SyncKind(kind), tree["connectors"]["buckets"])
        for name, tree in response["aggregations"].items()
        for position, kind in [name.split(" ")]
    ]
    ids = {bucket["key"] for _, _, buckets in groups for bucket in buckets if _is_free(bucket)}
    fields = ("deleted", "last_synced", "sync_locks", *(kind.status_field for kind in SyncKind))
    connectors = store.connectors.get_all(sorted(ids), fields)
    found: dict[ClaimFilter, list[Candidate]] = {each: [] for each in wanted}
    goes_on = False
    for filter_, kind, buckets in groups:
        free = list(filter(_is_free, buckets))
        jobs = [_candidate(each, kind) for each in free if _can_be_locked(connectors.get(each["key"]), kind)]
        found[filter_] += jobs
        passed_over[kind] |= {each["key"] for each in free} - {each.connector_id for each in jobs}
        cut_off = len(free) == CANDIDATES
        goes_on = goes_on or (cut_off and len(jobs) < CANDIDATES / 2)
    return found, goes_on


def _is_free(bucket: Mapping[str, Any]) -> bool:
    """Whether a job of the connector waits and none of the kind runs."""
    return bool(bucket["waiting"]["doc_count"]) and not bucket["running"]["doc_count"]


def _can_be_locked(connector: Mapping[str, Any] | None, kind: SyncKind) -> bool:
    if connector is None or is_deleted(connector):
        return False
    locked = connector.get(kind.status_field) == SyncStatus.IN_PROGRESS
    return not locked or may_be_abandoned(connector, kind)


def _candidate(bucket: Mapping[str, Any], kind: SyncKind) -> Candidate:
    [hit] = bucket["waiting"]["job"]["hits"]["hits"]
    created_at = bucket["waiting"]["oldest"]["value"]
    former = dict(hit["_source"])
    job_type = former.pop("job_type", None)
    version = Version(hit["_seq_no"], hit["_primary_term"])
    return Candidate(
        hit["_id"],
        job_type,
        bucket["key"],
        kind,
        version,
        former,
        math.inf if created_at is None else created_at,
    )
