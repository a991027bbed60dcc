"""Creating sync jobs: one at a time where asked, and once for each key.

**One at a time** (`if_active`). The rule is about several documents, so it takes a lease: search for an active job, take the
lease of the connector and job type, search again, create, release. The script that creates refuses once the lease has expired,
so a request that stalled before its write makes nothing. Nobody waits for the lease: while others hold it, the next search will
show their job.

**Once** (`create_once`). Take the key, create the job under the id that the key holds, note the result, respond.
- First slow, second fast: both create under one id, so there is one job; both respond with the first result noted.
- First fails, second succeeds: the key stays, since the second is on its list, and the second notes its result. If the second
  was faster, the first responds with that result instead of its error.
- Both fail: the last one removes the key, and the next request starts afresh.
- Died after taking the key: the next same request creates the job under the same id. After creating: it finds the job of that
  id, which counts whatever became of it meanwhile. After noting: it gets the result.
- A lost response of any step is sent again by the store; each script takes its own effect for success. A step that gets no
  response at all is a 503, and the key stays for the same request.
What remains: with `if_active=return`, if the active job ends between the searches of two same requests at once, one may note
that job and the other create one. Both respond with what was noted first.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from app import clock
from app.connectors.document import is_deleted
from app.errors import ApiError, index_not_found, not_found, status_error, unavailable
from app.store import Store
from app.store.document_ids import new_id
from app.store.failures import IndexMissing
from app.store.idempotency_keys import digest
from app.store.index_definitions import CONNECTORS
from app.store.leases import Lease
from app.store.scripts import Verdict, load
from app.store.search import Hit
from app.sync_jobs.document import new_sync_job
from app.sync_jobs.errors import active_error
from app.sync_jobs.queries import JobFilter, list_search
from app.sync_jobs.states import ACTIVE

CREATE = load(__package__, "create")

# Longer than a lease that its holder left behind.
TIMEOUT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.05
_MAX_PAUSE_SECONDS = 0.5
_NOTHING_CREATED = frozenset({400, 404, 409})


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The job that somebody wants. `if_active`: `create`, `refuse` or `return` where one of its type is active."""

    connector_id: str
    job_type: str
    trigger_method: str
    if_active: str = "create"


@dataclass(frozen=True, slots=True)
class Created:
    """The id of a job, and the status of the response: 201, or 200 where the job was active already."""

    id: str
    status: int = 201


def create(store: Store, request: JobRequest, sync_job_id: str | None = None) -> Created:
    """Create a job for a connector, with a snapshot of the connector in it.

    A job that has the id `sync_job_id` already is taken for the one to create; None for a new id. Raises `ApiError`: 404
    without the connector, 400 where it cannot be synced, 409 where an active job is refused, 503.
    """
    sync_job_id = sync_job_id or new_id()
    if request.if_active == "create":
        store.sync_jobs.create(sync_job_id, new_document(store, request))
        return Created(sync_job_id)
    # A connector's id may be as long as a key.
    key = f"active_job:{sha256(request.connector_id.encode()).hexdigest()}:{request.job_type}"
    deadline = time.monotonic() + TIMEOUT_SECONDS
    longest_pause = _FIRST_PAUSE_SECONDS
    while True:
        document = new_document(store, request)
        active = active_job(store, request)
        if active is None:
            with store.leases.try_hold(key) as lease:
                if lease is not None:
                    active = active_job(store, request)
                    if active is None and _write(store, sync_job_id, document, lease):
                        return Created(sync_job_id)
        if active is not None:
            return _respond(request, active, sync_job_id)
        if time.monotonic() >= deadline:
            raise unavailable("The sync job could not be created in time. The request can be sent again.")
        time.sleep(random.uniform(0, longest_pause))  # noqa: S311
        longest_pause = min(2 * longest_pause, _MAX_PAUSE_SECONDS)


def create_once(store: Store, request: JobRequest, caller: str, key: str) -> Created:
    """As `create`; for the same key of the same caller with the same request, its first success.

    Raises `ApiError` as `create` does, and 422 where the key was used for another request.
    """
    use = store.idempotency_keys.take(caller, key, digest(asdict(request)), new_id())
    if use.result is not None:
        return Created(**use.result)
    try:
        if use.resumed and store.sync_jobs.get_all([use.target_id], ["status"]):
            made = Created(use.target_id)
        else:
            made = create(store, request, use.target_id)
    except ApiError as error:
        result = store.idempotency_keys.withdraw(use) if error.status in _NOTHING_CREATED else None
        if result is None:
            raise
        return Created(**result)
    return Created(**store.idempotency_keys.note(use, asdict(made)))


def new_document(store: Store, request: JobRequest) -> dict[str, Any]:
    """The job's document, of the connector as it is now. Raises `ApiError` as `create` does: 404, or 400."""
    connector_id = request.connector_id
    try:
        connector = store.connectors.get(connector_id)
    except IndexMissing:
        raise index_not_found(CONNECTORS.name) from None
    if connector is None or is_deleted(connector):
        raise not_found(f"Connector with id '{connector_id}' does not exist.")
    # A connector that cannot be read is refused as such, whatever else it lacks.
    document = new_sync_job(connector_id, connector, request.job_type, request.trigger_method, clock.now())
    if not connector.get("index_name"):
        raise status_error(
            400,
            f"Cannot start a sync for connector [{connector_id}] with no index attached. "
            "Set the [index_name] property for the connector to enable syncing data.",
        )
    if not connector.get("service_type"):
        raise status_error(
            400,
            f"Cannot start a sync for connector [{connector_id}] with [service_type] not defined. "
            "Set the service type of your connector before starting the sync.",
        )
    return document


def active_job(store: Store, request: JobRequest) -> Hit | None:
    """The oldest active job of the connector and type, whoever made it."""
    wanted = JobFilter(request.connector_id, ACTIVE, [request.job_type])
    search = list_search(wanted, size=1, limit=1, count_limit=1)
    return next(iter(store.sync_jobs.search(replace(search, refresh=True)).hits), None)


def _write(store: Store, sync_job_id: str, document: dict[str, Any], lease: Lease) -> bool:
    """Create the job under the lease; False where the lease has expired."""
    params = {"job": document, "lease_expires_at": lease.expires_at}
    outcome = store.sync_jobs.transition_or_create(sync_job_id, CREATE, params)
    if outcome.verdict is Verdict.MISSING:  # the one reason not to create it
        return False
    outcome.respond({Verdict.CREATED: "created", Verdict.DONE: "created"})
    return True


def _respond(request: JobRequest, active: Hit, sync_job_id: str) -> Created:
    if active.id == sync_job_id:  # an earlier attempt of the same request made it
        return Created(sync_job_id)
    if request.if_active == "refuse":
        raise active_error(request.connector_id, active.id, request.job_type, active.source["status"])
    return Created(active.id, 200)
