"""What must hold while a load runs, and when it is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from threading import Event, Thread
from typing import Any

from elasticsearch import ApiError as ElasticsearchError
from elasticsearch import Elasticsearch, TransportError
from elasticsearch.helpers import scan

from app import timestamps
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.soak.callers import TOGETHER
from tests.soak.client import Load
from tests.soak.record import COUNTERS, ENDS, Record
from tests.soak.workers import KINDS

Document = Mapping[str, Any]
SCHEDULED = [f"scheduled-{number}" for number in range(3)]
STATUS_FIELDS = {"content": "last_sync_status", "access_control": "last_access_control_sync_status"}
RESCUED = "No heartbeat from worker"
MINUTE = timedelta(minutes=1)
TAKEOVER = timedelta(seconds=30)  # at most, from the death of a leader to the next one


class Watch:
    """Looks into the index again and again: for two running jobs of a connector and kind, and at which slots schedules are."""

    def __init__(self, client: Elasticsearch) -> None:
        self.looks = 0
        self.wrong: list[str] = []
        self.slots: dict[str, set[str]] = defaultdict(set)
        self._client = client.options(request_timeout=5)
        self._over = Event()

    @contextmanager
    def looking(self) -> Iterator[None]:
        thread = Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(30)

    def _run(self) -> None:
        while not self._over.wait(0.3):
            try:
                self._look()
            except (TransportError, ElasticsearchError):  # Elasticsearch is away
                continue
            self.looks += 1

    def _look(self) -> None:
        # The index has one shard, so a search sees all jobs at one moment.
        running: dict[tuple[str, str], str] = {}
        for job_id, job in unfinished(self._client, "in_progress", "canceling"):
            key = job["connector"]["id"], KINDS[job["job_type"]]
            if key in running:
                self.wrong.append(f"{running[key]} and {job_id} run at once for {key}")
            running[key] = job_id
        found = self._client.mget(index=CONNECTORS.alias, ids=SCHEDULED)["docs"]
        for each in found:
            if slot := each["_source"].get("last_sync_scheduled_at"):
                self.slots[each["_id"]].add(slot)


def unfinished(client: Elasticsearch, *statuses: str) -> list[tuple[str, Document]]:
    """The jobs that are in these statuses, by default in those that do not last; a thousand at most."""
    wanted = list(statuses or ("pending", "in_progress", "suspended", "canceling"))
    client.indices.refresh(index=SYNC_JOBS.alias)
    hits = client.search(index=SYNC_JOBS.alias, size=1000, query={"terms": {"status": wanted}})["hits"][
        "hits"
    ]
    return [(hit["_id"], hit["_source"]) for hit in hits]


def locked(client: Elasticsearch) -> dict[tuple[str, str], Document]:
    """The locked connectors of a load, each with the kind, and what a claim noted when it locked it."""
    client.indices.refresh(index=CONNECTORS.alias)
    return {
        (hit["_id"], kind): hit["_source"].get("sync_locks", {}).get(kind, {})
        for hit in client.search(index=CONNECTORS.alias, size=1000)["hits"]["hits"]
        for kind, field in STATUS_FIELDS.items()
        if hit["_source"].get(field) == "in_progress"
    }


def stored_jobs(client: Elasticsearch) -> dict[str, Document]:
    client.indices.refresh(index=SYNC_JOBS.alias)
    return {hit["_id"]: hit["_source"] for hit in scan(client, index=SYNC_JOBS.alias)}


def violations(
    load: Load, watch: Watch, client: Elasticsearch, *, leader_ahead: timedelta = timedelta(0)
) -> list[str]:
    """All that is wrong once the load is over and all its jobs have ended. `leader_ahead`: how far the clock of the leader is."""
    stored = stored_jobs(client)
    return [
        *load.record.wrong,
        *watch.wrong,
        *_wrong_creations(load.record, stored),
        *(
            f"{job_id} {said}: {_shown(stored[job_id])}"
            for job_id in stored
            for said in _wrong(load.record, job_id, stored)
        ),
        *_overlapping(load.record),
        *_wrong_schedules(load.record, watch, stored, leader_ahead),
    ]


def _shown(job: Document) -> Document:
    return {name: value for name, value in job.items() if name not in ("connector", "metadata")}


def _wrong_creations(record: Record, stored: Mapping[str, Document]) -> Iterator[str]:
    """Each acknowledged job exists, and no other one: none was created twice."""
    asked = {job_id for job_id, job in stored.items() if job["trigger_method"] != "scheduled"}
    yield from (f"{each} was acknowledged and is lost" for each in record.created - asked)
    yield from (f"{each} was created and nobody was told" for each in asked - record.created)


def _wrong(record: Record, job_id: str, stored: Mapping[str, Document]) -> Iterator[str]:
    """Whether a job is what its workers and callers were told, and nothing that they were not told."""
    job, told = stored[job_id], record.job(job_id)
    status, error = job["status"], job.get("error")
    rescued = status == "error" and str(error).startswith(RESCUED)
    may_be_canceled = told.cancel in ("acknowledged", "unclear") or job["connector"]["id"] in TOGETHER
    if status not in ENDS:
        yield "has not ended"
    if told.end in ENDS and (status, error if told.error else None) != (told.end, told.error):
        yield f"was acknowledged as {told.end} ({told.error})"
    if status == "completed" and told.end != "completed":
        yield "was completed by nobody"
    if status == "error" and told.end != "error" and not rescued:
        yield "was failed by nobody"
    if rescued and not told.died:
        yield "was rescued, although its worker lived or was never told of it"
    if "cancelation_requested_at" in job and not may_be_canceled:
        yield "was canceled by nobody"
    if told.cancel == "acknowledged" and status not in ("canceled", "error"):
        yield "was not canceled, although that was acknowledged"
    if {name: job[name] for name in COUNTERS} not in told.possible:
        yield f"has counters other than {told.possible}"
    if told.claimed <= told.suspended and status == "completed":
        yield "was not resumed"


def _overlapping(record: Record) -> Iterator[str]:
    """No worker got a job while another one still held one of the same connector and kind."""
    holds = sorted(record.holds, key=lambda each: (each.connector_id, each.kind, each.began))
    for one, other in pairwise(holds):
        if (one.connector_id, one.kind) == (other.connector_id, other.kind) and other.began < one.ended:
            yield f"held at once: {one} and {other}"


def _wrong_schedules(
    record: Record, watch: Watch, stored: Mapping[str, Document], leader_ahead: timedelta
) -> Iterator[str]:
    """Each slot that was taken has one job of its own, unless one was active, and hardly a minute has no slot.

    All times are the leader's: slots, the creation of their jobs, and the end of those that were rescued. Others end by a clock of
    any service, so here they end when their worker was told.
    """
    for connector_id in SCHEDULED:
        slots = sorted(timestamps.read(slot) for slot in watch.slots[connector_id])
        jobs = sorted(
            (
                timestamps.read(job["created_at"]),
                told + leader_ahead
                if (told := record.job(job_id).ended_at)
                else timestamps.read(job["completed_at"]),
            )
            for job_id, job in stored.items()
            if job["connector"]["id"] == connector_id
            and job["trigger_method"] == "scheduled"  # to settle a load, others are created
            and "completed_at" in job
        )
        found = f"{connector_id} has jobs {jobs} for the slots {slots}"
        if not slots or len(jobs) > len(slots) or any(b - a > 2 * MINUTE for a, b in pairwise(slots)):
            yield found
        waiting = list(jobs)
        for slot in slots:
            # Perhaps much later, by the next leader, or when Elasticsearch is back.
            if waiting and slot <= waiting[0][0]:
                waiting.pop(0)
            elif not any(began <= slot <= ended for began, ended in jobs):
                yield f"{found}: none for {slot}"
