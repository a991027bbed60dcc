"""Claim the next job, whatever its id: at most one runs at a time for each connector and kind.

Two documents change, the connector (the lock, see `locks`) and the job, so a claim takes steps, and any process may die between two
of them:

1. One search finds, for each connector and kind without a running job, the oldest that waits (`candidates`).
2. A script locks the connector, unless it is locked.
3. A second search makes sure that no job of the kind runs, since a job can be claimed without a lock: by its id.
4. A script claims the job, if nobody has written it since the first search, and before the lock can be another's.
5. Where 3 or 4 fails, the lock is given back; where the process died, or what came of 4 is not known, it expires.

A response that was lost is found out by `claim_token`, which the job keeps. Requests with one `request_id` take turns under a lease.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import BoundedSemaphore, Event
from time import monotonic
from typing import Any

import structlog

from app import clock, json_codec
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.protocol import JobType, SyncStatus
from app.store import Store
from app.store.bulk import Change
from app.store.document_ids import with_id
from app.store.failures import IndexMissing
from app.store.leases import NOTHING_WRITTEN
from app.store.scripts import Outcome, Verdict, load
from app.sync_jobs.candidates import Candidate, Candidates, SharedLook, find_candidates, find_running
from app.sync_jobs.locks import Lock, lock_connectors, unlock_connectors
from app.sync_jobs.queries import CLAIM_FIELDS, ClaimFilter, claims_search
from app.sync_jobs.updates import CLAIM, claim_params

log = structlog.get_logger(__name__)

GIVE_BACK = load(__package__, "give_back")

# Seconds between two searches for all that wait in a process.
WAIT_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks for: up to `limit` jobs; `wait` is how many seconds it waits for a first one.

    The same `request_id` within `resend_window` seconds gets the same jobs. `is_connected` says whether the worker still waits.
    """

    worker_hostname: str
    wanted: ClaimFilter = field(default_factory=ClaimFilter)
    limit: int = 1
    wait: float = 0.0
    request_id: str | None = None
    resend_window: float = 0.0
    is_connected: Callable[[], bool] = lambda: True

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


class Claims:
    """The claims of a process. At most `max_waiting` callers wait at once, and none once it is `stopping`."""

    def __init__(self, store: Store, max_waiting: int, stopping: Event) -> None:
        self._store = store
        self._stopping = stopping
        self._slots = BoundedSemaphore(max_waiting)
        find = partial(find_candidates, store)
        self._now = SharedLook(find)
        self._later = SharedLook(find, pause=WAIT_PAUSE_SECONDS, stopping=stopping)
        self._running = SharedLook(partial(find_running, store))

    def claim_next(self, request: ClaimRequest) -> list[dict[str, Any]]:
        """Claim jobs for a worker: these, as they are stored now, with their ids; none where there are none in time.

        It waits only while the worker is connected. Where the worker has gone once jobs are claimed, they are given back.
        """
        token = request.token()
        deadline = monotonic() + request.wait
        jobs = self._attempt(request, token)
        if jobs or not request.wait or not self._slots.acquire(blocking=False):
            return jobs
        try:
            while not (jobs or self._stopping.is_set() or monotonic() >= deadline) and request.is_connected():
                candidates = self._later.get(request.wanted)
                if candidates.has(request.wanted):
                    jobs = self._attempt(request, token, candidates)
        finally:
            self._slots.release()
        if not jobs and request.repeatable:
            with self._turn(request, token):
                return self._earlier(request, token)
        return jobs

    def _attempt(
        self, request: ClaimRequest, token: str, candidates: Candidates | None = None
    ) -> list[dict[str, Any]]:
        """What the same request got before, or else what can be claimed: of these candidates, or of those that there are now."""
        with self._turn(request, token) as expires_at:
            if earlier := self._earlier(request, token):
                return earlier
            return self._claim(request, token, candidates or self._now.get(request.wanted), expires_at)

    @contextmanager
    def _turn(self, request: ClaimRequest, token: str) -> Iterator[int | None]:
        """Repeats of a request, which may arrive while it is under way, take turns. Yields when the turn expires, if it does."""
        if not request.repeatable:
            yield None
            return
        with self._store.leases.hold(f"claim:{token}") as lease:
            yield lease.expires_at

    def _claim(
        self, request: ClaimRequest, token: str, candidates: Candidates, expires_at: int | None
    ) -> list[dict[str, Any]]:
        """Claim candidates, and more where that comes to nothing, up to the limit."""
        claimed: dict[Candidate, dict[str, Any]] = {}
        try:
            while dealt := candidates.deal(request.wanted, request.limit - len(claimed)):
                claimed |= self._claim_dealt(request, token, dealt, expires_at)
        except ApiError:
            if not claimed:
                raise
        if not request.is_connected():
            self._give_back(list(claimed), token, expires_at)
            return []
        oldest_first = sorted(claimed, key=lambda each: each.created_at)
        return [with_id(each.sync_job_id, claimed[each]) for each in oldest_first]

    def _claim_dealt(
        self, request: ClaimRequest, token: str, dealt: list[Candidate], expires_at: int | None
    ) -> dict[Candidate, dict[str, Any]]:
        """Those of the jobs that were claimed, as they are stored now."""
        locks = lock_connectors(self._store, dealt, token)
        if not locks:
            return {}
        try:
            running = self._running.get(*(each.connector_id for each in locks))
        except ApiError:
            unlock_connectors(self._store, dict.fromkeys(locks), token)
            raise
        found = {each: running.get((each.connector_id, each.kind)) for each in locks}
        free = {each: lock for each, lock in locks.items() if found[each] is None}
        claimed, errors = self._claim_locked(request, token, free, expires_at)
        unlock_connectors(
            self._store, {each: job for each, job in found.items() if each not in {*claimed, *errors}}, token
        )
        if errors and not claimed:
            raise next(iter(errors.values()))
        return claimed

    def _claim_locked(
        self, request: ClaimRequest, token: str, locks: Mapping[Candidate, Lock], expires_at: int | None
    ) -> tuple[dict[Candidate, dict[str, Any]], dict[Candidate, ApiError]]:
        """The jobs that were claimed, as they are stored now, and the errors of those that may still be."""
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
        errors: dict[Candidate, ApiError] = {}
        for each, outcome in zip(locks, self._store.sync_jobs.transition_all(changes), strict=True):
            if isinstance(outcome, Outcome) and outcome.verdict is Verdict.UPDATED:
                claimed[each] = dict(outcome.details)
                continue
            unclear[each.sync_job_id] = each
            if isinstance(outcome, ApiError) and outcome.status in NOTHING_WRITTEN:
                log.warning("job_not_claimed", sync_job_id=each.sync_job_id, reason=outcome.cause.reason)
            elif isinstance(outcome, ApiError):
                errors[each] = outcome
        try:
            # What was overtaken may be this very claim, whose response was lost.
            stored = self._store.sync_jobs.get_all(list(unclear), ["*"])
        except ApiError as error:
            return claimed, dict.fromkeys(unclear.values(), error)
        claimed |= {unclear[key]: job for key, job in stored.items() if job.get("claim_token") == token}
        return claimed, {each: error for each, error in errors.items() if each not in claimed}

    def _give_back(self, jobs: list[Candidate], token: str, expires_at: int | None) -> None:
        """Make claimed jobs what they were before, where nothing has touched them since."""
        fixed = {"token": token, "fields": CLAIM_FIELDS, "expires_at": expires_at}
        changes = [Change(each.sync_job_id, GIVE_BACK, {**fixed, "former": each.former}) for each in jobs]
        outcomes = zip(jobs, self._store.sync_jobs.transition_all(changes), strict=True)
        given_back = [
            each
            for each, outcome in outcomes
            if isinstance(outcome, Outcome) and outcome.verdict in (Verdict.UPDATED, Verdict.DONE)
        ]
        unlock_connectors(self._store, dict.fromkeys(given_back), token)

    def _earlier(self, request: ClaimRequest, token: str) -> list[dict[str, Any]]:
        """The jobs that the same request got before."""
        if not request.repeatable:
            return []
        since = clock.iso(datetime.now(UTC) - timedelta(seconds=request.resend_window))
        try:
            response = self._store.sync_jobs.query(claims_search(request.worker_hostname, since))
        except IndexMissing:
            return []
        found = [(hit["_id"], hit["_source"]) for hit in response["hits"]["hits"]]
        # A job that has run for longer was seen since then, too. As texts they compare to the second.
        return [
            with_id(job_id, job)
            for job_id, job in found
            if job.get("claim_token") == token and str(job.get("claimed_at")) >= since
        ]


def _cursor(job: Candidate, lock: Lock) -> Mapping[str, Any] | None:
    """An incremental job goes on where the connector stands; one that was suspended, where it stood itself."""
    starts = job.job_type == JobType.INCREMENTAL and job.former.get("status") == SyncStatus.PENDING
    return lock.sync_cursor if starts and isinstance(lock.sync_cursor, Mapping) else None
