"""Claim the next job, whatever its id: at most one runs at a time for each connector and kind.

Two documents change, the connector (the lock, see `locks`) and the job, so a claim takes steps, and any process may die between two
of them:

1. One search finds, for each connector and kind without a running job, the oldest that waits (`candidates`).
2. A script locks the connector, unless it is locked.
3. A second search makes sure that no job of the kind runs, since a job can be claimed without a lock: by its id.
4. A script claims the job, if nobody has written it since the first search, and before the lock can be another's.
5. Where 3 or 4 fails, the lock is given back; where the process died, it expires.

A response that was lost is found out by `claim_token`, which the job keeps.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore, Event
from time import monotonic
from typing import Any

from app import clock, json_codec
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.protocol import JobType, SyncKind
from app.store import Store
from app.store.bulk import Change
from app.store.documents import with_id
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Verdict, load
from app.sync_jobs.candidates import Candidate, Candidates, SharedLook, find_candidates
from app.sync_jobs.locks import Lock, lock_connectors, unlock_connectors
from app.sync_jobs.queries import CLAIM_FIELDS, ClaimFilter, claims_search, running_search
from app.sync_jobs.updates import CLAIM, claim_params

GIVE_BACK = load(__package__, "give_back")

# Seconds between two searches for all that wait in a process.
WAIT_PAUSE_SECONDS = 0.5

Running = Mapping[tuple[str, SyncKind], str]
"""A job that runs, for each connector and kind that has one."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks for: up to `limit` jobs; `wait` is how many seconds it waits for a first one.

    The same `request_id` within `resend_window` seconds gets the same jobs.
    """

    worker_hostname: str
    wanted: ClaimFilter = field(default_factory=ClaimFilter)
    limit: int = 1
    wait: float = 0.0
    request_id: str | None = None
    resend_window: float = 0.0

    def token(self) -> str:
        """The text that tells this claim from all others."""
        if not self.repeatable:
            return secrets.token_urlsafe(15)
        said = json_codec.dumps([self.worker_hostname, self.request_id])
        return hashlib.sha256(said).hexdigest()[:32]

    @property
    def repeatable(self) -> bool:
        """Whether a repeat of the request gets the same jobs."""
        return self.request_id is not None and self.resend_window > 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim's jobs, as they are stored with their ids, and what it takes to give them back."""

    token: str
    jobs: list[dict[str, Any]]
    taken: Sequence[Candidate] = ()


class Claims:
    """The claims of a process. At most `max_waiting` callers wait at once, and none once it is `stopping`."""

    def __init__(self, store: Store, max_waiting: int, stopping: Event) -> None:
        self._store = store
        self._stopping = stopping
        self._slots = BoundedSemaphore(max(1, max_waiting))
        self._now = SharedLook(self._find)
        self._later = SharedLook(self._find, pause=WAIT_PAUSE_SECONDS, stopping=self._stopping)
        self._running = SharedLook(self._find_running)

    def claim_next(self, request: ClaimRequest, is_connected: Callable[[], bool]) -> Claim:
        """Claim jobs for a worker; none where there are none in time. It waits only while `is_connected`."""
        token = request.token()
        if request.repeatable and (earlier := self._earlier(request, token)):
            return Claim(token, earlier)
        deadline = monotonic() + request.wait
        claim = self._attempt(request, token, self._now.get(request.wanted))
        if claim.jobs or not request.wait or not self._slots.acquire(blocking=False):
            return claim
        try:
            while not (claim.jobs or self._stopping.is_set() or monotonic() >= deadline) and is_connected():
                claim = self._attempt(request, token, self._later.get(request.wanted))
        finally:
            self._slots.release()
        return claim

    def give_back(self, claim: Claim) -> None:
        """Make the jobs of a claim what they were before, where nothing has touched them since."""
        changes = [
            Change(
                each.sync_job_id,
                GIVE_BACK,
                {"token": claim.token, "former": each.former, "fields": CLAIM_FIELDS},
            )
            for each in claim.taken
        ]
        outcomes = self._store.sync_jobs.transition_all(changes)
        given_back = [
            (each, None)
            for each, outcome in zip(claim.taken, outcomes, strict=True)
            if isinstance(outcome, Outcome) and outcome.verdict in (Verdict.UPDATED, Verdict.DONE)
        ]
        unlock_connectors(self._store, given_back, claim.token)

    def _attempt(self, request: ClaimRequest, token: str, candidates: Candidates) -> Claim:
        first = candidates.deal(request.wanted, request.limit)
        if not first:
            return Claim(token, [])
        if not request.repeatable:
            return self._claim(request, token, candidates, first, None)
        # A repeat may arrive while the first request still waits.
        with self._store.leases.hold(f"claim:{token}") as lease:
            if earlier := self._earlier(request, token):
                return Claim(token, earlier)
            return self._claim(request, token, candidates, first, lease.expires_at)

    def _claim(
        self,
        request: ClaimRequest,
        token: str,
        candidates: Candidates,
        dealt: list[Candidate],
        expires_at: int | None,
    ) -> Claim:
        """Claim what was dealt, and more where that comes to nothing, up to the limit."""
        claimed: dict[Candidate, dict[str, Any]] = {}
        while dealt:
            claimed |= self._claim_dealt(request, token, dealt, expires_at)
            dealt = candidates.deal(request.wanted, request.limit - len(claimed))
        oldest_first = sorted(claimed, key=lambda each: each.created_at)
        return Claim(token, [with_id(each.sync_job_id, claimed[each]) for each in oldest_first], oldest_first)

    def _claim_dealt(
        self, request: ClaimRequest, token: str, dealt: list[Candidate], expires_at: int | None
    ) -> dict[Candidate, dict[str, Any]]:
        """Those of the jobs that were claimed, as they are stored now."""
        taken = zip(dealt, lock_connectors(self._store, dealt, token), strict=True)
        locks = {each: lock for each, lock in taken if lock is not None}
        if not locks:
            return {}
        running = self._running.get(*(each.connector_id for each in locks))
        free = {each: lock for each, lock in locks.items() if (each.connector_id, each.kind) not in running}
        claimed = self._claim_locked(request, token, free, expires_at)
        failed = [
            (each, running.get((each.connector_id, each.kind))) for each in locks if each not in claimed
        ]
        if failed:
            unlock_connectors(self._store, failed, token)
        return claimed

    def _claim_locked(
        self, request: ClaimRequest, token: str, locks: Mapping[Candidate, Lock], expires_at: int | None
    ) -> dict[Candidate, dict[str, Any]]:
        changes = [
            Change(
                each.sync_job_id,
                CLAIM,
                {
                    **claim_params(request.worker_hostname, _cursor(each, lock), 0, compatibility=DOCUMENTED),
                    "token": token,
                    "expires_at": min(lock.expires_at, expires_at or lock.expires_at),
                },
                returns=["*"],
                version=each.version,
            )
            for each, lock in locks.items()
        ]
        claimed: dict[Candidate, dict[str, Any]] = {}
        unclear: dict[str, Candidate] = {}
        failure = None
        for each, outcome in zip(locks, self._store.sync_jobs.transition_all(changes), strict=True):
            if isinstance(outcome, Outcome) and outcome.verdict is Verdict.UPDATED:
                claimed[each] = dict(outcome.details)
                continue
            failure = outcome if isinstance(outcome, ApiError) else failure
            unclear[each.sync_job_id] = each
        # What was overtaken may be this very claim, whose response was lost.
        for job_id, job in self._store.sync_jobs.get_all(list(unclear), ["*"]).items():
            if job.get("claim_token") == token:
                claimed[unclear[job_id]] = job
        if failure is not None and not claimed:
            raise failure
        return claimed

    def _earlier(self, request: ClaimRequest, token: str) -> list[dict[str, Any]]:
        """The jobs that the same request got before."""
        since = datetime.now(UTC) - timedelta(seconds=request.resend_window)
        try:
            response = self._store.sync_jobs.query(claims_search(request.worker_hostname, clock.iso(since)))
        except IndexMissing:
            return []
        hits = response["hits"]["hits"]
        return [
            with_id(hit["_id"], hit["_source"]) for hit in hits if hit["_source"].get("claim_token") == token
        ]

    def _find(self, filters: frozenset[ClaimFilter]) -> Candidates:
        return find_candidates(self._store, filters)

    def _find_running(self, connector_ids: frozenset[str]) -> Running:
        hits = self._store.sync_jobs.query(running_search(connector_ids))["hits"]["hits"]
        return {
            (hit["_source"]["connector"]["id"], SyncKind.of(hit["_source"].get("job_type"))): hit["_id"]
            for hit in hits
        }


def _cursor(job: Candidate, lock: Lock) -> Mapping[str, Any] | None:
    """An incremental job goes on where the connector stands."""
    cursor = lock.sync_cursor if job.job_type == JobType.INCREMENTAL else None
    return cursor if isinstance(cursor, Mapping) else None
