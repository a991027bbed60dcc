"""The locks of connectors: one job of a kind at a time.

Workers take the connector document as their lock: a status field of it, one for each kind, is `in_progress` while a job of the kind
runs. The public worker sets and clears it by direct writes. A claim through this API that sets it notes for which job it did
so, in `sync_locks` of the connector, which no response shows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import structlog

from app import clock
from app.errors import ApiError
from app.protocol import ConnectorStatus, SyncKind, SyncStatus
from app.store import Store
from app.store.bulk import Change
from app.store.leases import NOTHING_WRITTEN
from app.store.scripts import Outcome, Verdict, load
from app.sync_jobs.document import connector_id
from app.sync_jobs.locked_connectors import lock_owner

log = structlog.get_logger(__name__)

LOCK: Final = load(__package__, "lock_connector")
UNLOCK: Final = load(__package__, "unlock_connector")
FREE: Final = load(__package__, "free_connector")

# Elasticsearch cannot make the claim of a job depend on the lock of its connector, so it is fenced by time, as writes under a
# lease are: the claim's script refuses later than CLAIM_SECONDS after the lock, and only after TAKEOVER_SECONDS, more than
# clocks of nodes differ, another claim takes the lock over. Both are Elasticsearch's clock.
CLAIM_SECONDS = 50.0
TAKEOVER_SECONDS = 60.0

ENDED_FIELDS: Final = (
    "connector.id",
    "deleted_document_count",
    "error",
    "indexed_document_count",
    "job_type",
    "last_seen",
    "status",
)
"""What `free_connectors` needs to know of a job."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A connector that is locked for a job until `expires_at`, milliseconds since 1970; the connector's `sync_cursor`."""

    expires_at: int
    sync_cursor: Any


class Locked(Protocol):
    """The job that a connector is locked for."""

    @property
    def sync_job_id(self) -> str:
        """The id of the job."""

    @property
    def connector_id(self) -> str:
        """The id of its connector."""

    @property
    def kind(self) -> SyncKind:
        """Its kind."""


J = TypeVar("J", bound=Locked)


def may_be_abandoned(connector: Mapping[str, Any], kind: SyncKind) -> bool:
    """Whether a lock may have been left behind by a claim that died; its script decides. See `lockOwner.painless`."""
    owner = lock_owner(connector, kind)
    if owner is None or owner.get("synced") != connector.get("last_synced"):
        return False
    taken_at = owner.get("at")
    return isinstance(taken_at, int) and taken_at + TAKEOVER_SECONDS * 1000 <= time.time() * 1000


def lock_connectors(store: Store, jobs: Sequence[J], token: str) -> dict[J, Lock]:
    """Lock the connector of each job for it; without those that another job has, or that there are not.

    Raises `ApiError` where none was locked as far as is known. A lock that was taken nevertheless expires.
    """
    changes = [
        Change(
            job.connector_id,
            LOCK,
            {**_lock_params(job, token), "takeover": int(TAKEOVER_SECONDS * 1000)},
            returns=("sync_cursor", "sync_locks"),
        )
        for job in jobs
    ]
    outcomes = store.connectors.transition_all(changes)
    locks: dict[J, Lock] = {}
    failure = None
    for job, outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, Outcome):
            if lock := _lock(outcome, job.kind):
                locks[job] = lock
        elif outcome is not None and outcome.status in NOTHING_WRITTEN:
            log.warning("connector_not_locked", connector_id=job.connector_id, reason=outcome.cause.reason)
        else:
            failure = outcome or failure
    if failure is not None and not locks:
        raise failure
    return locks


def unlock_connectors(store: Store, jobs: Mapping[J, str | None], token: str) -> None:
    """Give locks of a claim back, or hand each to the job of the kind that turned out to run, if there is one (its id).

    It raises nothing: what cannot be given back expires.
    """
    changes = [
        Change(job.connector_id, UNLOCK, {**_lock_params(job, token), "running": running})
        for job, running in jobs.items()
    ]
    with suppress(ApiError):
        store.connectors.transition_all(changes)


def _lock_params(job: Locked, token: str) -> dict[str, Any]:
    return {
        "job_id": job.sync_job_id,
        "kind": job.kind,
        "status_field": job.kind.status_field,
        "token": token,
    }


def _lock(outcome: Outcome, kind: SyncKind) -> Lock | None:
    if outcome.verdict not in (Verdict.UPDATED, Verdict.DONE):
        outcome.respond({Verdict.HELD: "held", Verdict.MISSING: "missing"})
        return None
    taken_at = outcome.details["sync_locks"][kind]["at"]
    return Lock(taken_at + int(CLAIM_SECONDS * 1000), outcome.details.get("sync_cursor"))


def free_connectors(
    store: Store,
    ended: Mapping[str, Mapping[str, Any]],
    sync_cursor: Mapping[str, Any] | None = None,
    *,
    repeated: bool = False,
) -> int:
    """Leave the results of jobs on their connectors, and unlock these; how many were locked. `ended` has the `ENDED_FIELDS` of each job, by its id.

    `sync_cursor` is where the next incremental job goes on, if the jobs' worker has said so. `repeated`: the jobs ended before
    this request, so that their connectors may have been freed, and locked for the next job, since.
    It raises nothing: the jobs have ended in any case. What it could not free is logged.
    """
    now = clock.now()
    changes = {
        job_id: change
        for job_id, job in ended.items()
        if (change := _freeing(job_id, job, now, sync_cursor, repeated=repeated))
    }
    try:
        outcomes = store.connectors.transition_all(list(changes.values()))
    except ApiError as error:
        outcomes = [error] * len(changes)
    freed = 0
    for (job_id, change), outcome in zip(changes.items(), outcomes, strict=True):
        if isinstance(outcome, ApiError):
            log.warning(
                "connector_not_freed",
                connector_id=change.document_id,
                sync_job_id=job_id,
                reason=outcome.cause.reason,
            )
        elif outcome is not None and outcome.verdict is Verdict.UPDATED:
            freed += 1
    return freed


def _freeing(
    job_id: str,
    job: Mapping[str, Any],
    now: str,
    sync_cursor: Mapping[str, Any] | None,
    *,
    repeated: bool,
) -> Change | None:
    """None for a job that does not say whose it is."""
    owner = connector_id(job)
    if not isinstance(owner, str):
        return None
    kind = SyncKind.of(job.get("job_type"))
    params = {
        "job_id": job_id,
        "kind": kind,
        "status_field": kind.status_field,
        "result": _result(kind, job, now, sync_cursor),
        "repeated": repeated,
        "ended_at": job.get("last_seen") if repeated else now,
    }
    return Change(owner, FREE, params)


def _result(
    kind: SyncKind, job: Mapping[str, Any], now: str, sync_cursor: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the connector keeps of the job: the fields that the public worker writes."""
    failed, error = job["status"] == SyncStatus.ERROR, job.get("error")
    result = {
        "last_synced": now,
        "status": ConnectorStatus.ERROR if failed else ConnectorStatus.CONNECTED,
        "error": error,
        kind.status_field: job["status"],
        kind.error_field: error,
    }
    if job["status"] != SyncStatus.SUSPENDED:
        counts = ("indexed_document_count", "deleted_document_count")
        result |= {f"last_{each}": job[each] for each in counts if job.get(each) is not None}
    if kind is SyncKind.CONTENT and job["status"] == SyncStatus.COMPLETED and sync_cursor is not None:
        result["sync_cursor"] = sync_cursor
    return result
