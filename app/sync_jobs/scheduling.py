"""Scheduling: creating the jobs that connectors' schedules ask for.

A slot is taken in one step on the connector: a script moves `last_…_sync_scheduled_at` to it, as workers do, and notes the id of the
slot's job in `scheduled_jobs`, which no response shows. Then the job is created under that id, and the note removed. Whoever dies
in between is finished by the next round, here or elsewhere; a job that has the id is the one. Of this and a worker that schedules,
the first to move the timestamp has the slot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from app import clock, timestamps
from app.connectors.cron import CronError
from app.connectors.schedule import next_time
from app.errors import ApiError
from app.protocol import ConnectorStatus, JobType, TriggerMethod
from app.store import Store
from app.store.document_ids import new_id
from app.store.scripts import Verdict, load
from app.store.search import Search
from app.sync_jobs.creating import JobRequest, create
from app.sync_jobs.walks import walk

log = structlog.get_logger(__name__)

SCHEDULE: Final = load(__package__, "schedule")
SCHEDULED: Final = load(__package__, "scheduled")

# How far a connector without a timestamp is followed back: over a change of the leader.
_LOOK_BACK: Final = timedelta(minutes=2)
_MINUTE: Final = timedelta(minutes=1)
_NOT_READY: Final = (ConnectorStatus.CREATED, ConnectorStatus.NEEDS_CONFIGURATION)
_NOTES: Final = "scheduled_jobs"


@dataclass(frozen=True, slots=True)
class _Slot:
    """A slot of a connector's schedule, with the interval by which it is due."""

    connector_id: str
    job_type: JobType
    interval: str
    time: datetime


class Scheduling:
    """Reports once why a schedule is not followed, until that changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reported: dict[tuple[str, JobType], str] = {}

    def run(self, may_go_on: Callable[[], bool]) -> int:
        """Create the jobs that are due, and those that a former leader left; how many. `may_go_on` is asked before each.

        Raises `ApiError` where Elasticsearch does not respond.
        """
        created = 0
        for connector_id, connector in _connectors(self._store):
            for job_type in JobType:
                if not may_go_on():
                    return created
                created += self._follow(connector_id, connector, job_type)
        return created

    def _follow(self, connector_id: str, connector: Mapping[str, Any], job_type: JobType) -> int:
        notes = connector.get(_NOTES)
        job_id = notes.get(job_type) if isinstance(notes, Mapping) else None
        if job_id is None:
            slot = self._due(connector_id, connector, job_type)
            if slot is None:
                return 0
            job_id = new_id()
            if not _take(self._store, slot, job_id):
                return 0
        return self._create(connector_id, job_type, job_id)

    def _due(self, connector_id: str, connector: Mapping[str, Any], job_type: JobType) -> _Slot | None:
        schedule = _enabled(connector, job_type)
        if schedule is None:
            self._reported.pop((connector_id, job_type), None)
            return None
        now = datetime.now(UTC)
        last = timestamps.read(connector.get(_field(job_type)))
        try:
            time = latest_time(schedule, now - _LOOK_BACK if last is None else last, now)
        except CronError as error:
            self._report(connector_id, job_type, str(error))
            return None
        if time is None:
            return None
        if connector.get("status") in _NOT_READY:
            self._report(connector_id, job_type, f"its status is [{connector.get('status')}]")
            return None
        for field in ("index_name", "service_type"):
            if not connector.get(field):
                self._report(connector_id, job_type, f"it has no [{field}]")
                return None
        self._reported.pop((connector_id, job_type), None)
        return _Slot(connector_id, job_type, schedule, time)

    def _create(self, connector_id: str, job_type: JobType, job_id: str) -> int:
        request = JobRequest(connector_id, job_type, TriggerMethod.SCHEDULED, if_active="return")
        try:
            created = create(self._store, request, job_id).id == job_id
        except ApiError as error:
            if error.status not in (400, 404):
                raise
            created = False
            self._report(connector_id, job_type, str(error.cause.reason))
        params = {"job_type": job_type, "job_id": job_id}
        self._store.connectors.transition(connector_id, SCHEDULED, params)
        if created:
            log.info("sync_job_scheduled", connector_id=connector_id, job_type=job_type, sync_job_id=job_id)
        return int(created)

    def _report(self, connector_id: str, job_type: JobType, reason: str) -> None:
        key = connector_id, job_type
        if self._reported.get(key) != reason:
            self._reported[key] = reason
            log.warning("schedule_not_followed", connector_id=connector_id, job_type=job_type, reason=reason)


def latest_time(interval: str, after: datetime, now: datetime) -> datetime | None:
    """The latest slot of a schedule after `after` and until `now`; None where there is none. Raises `CronError`.

    Slots that were missed, however many, are one.
    """
    low, high = 0, max(0, (now - after) // _MINUTE) + 1
    # There is a slot after `after + low minutes`, and none after `after + high minutes`.
    found = next_time(interval, after)
    if found is None or found > now:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        later = next_time(interval, after + middle * _MINUTE)
        if later is not None and later <= now:
            low, found = middle, later
        else:
            high = middle
    return found


def _take(store: Store, slot: _Slot, job_id: str) -> bool:
    params = {
        "job_type": slot.job_type,
        "field": _field(slot.job_type),
        "interval": slot.interval,
        "slot": clock.iso(slot.time),
        "job_id": job_id,
    }
    outcome = store.connectors.transition(slot.connector_id, SCHEDULE, params)
    return outcome is not None and outcome.verdict in (Verdict.UPDATED, Verdict.DONE)


def _connectors(store: Store) -> Iterator[tuple[str, Mapping[str, Any]]]:
    fields = [*map(_field, JobType), "index_name", "scheduling", "service_type", "status", _NOTES]
    search = Search([], sort_field="created_at", sort_type="date", must_not=[{"term": {"deleted": True}}])
    for hits in walk(store.connectors, search, fields):
        for hit in hits:
            yield hit["_id"], hit["_source"]


def _enabled(connector: Mapping[str, Any], job_type: JobType) -> str | None:
    """The interval of the schedule, if it is enabled."""
    schedules = connector.get("scheduling")
    schedule = schedules.get(job_type) if isinstance(schedules, Mapping) else None
    if not isinstance(schedule, Mapping) or schedule.get("enabled") not in (True, "true"):
        return None
    interval = schedule.get("interval")
    return interval if isinstance(interval, str) else None


def _field(job_type: JobType) -> str:
    """Until when a connector's schedule has been followed."""
    return "last_sync_scheduled_at" if job_type is JobType.FULL else f"last_{job_type}_sync_scheduled_at"
