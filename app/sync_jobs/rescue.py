"""Rescue: ending jobs that no worker will end, since it is gone or its connector is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from app import clock
from app.connectors.document import is_deleted
from app.errors import ApiError
from app.store import Store
from app.store.bulk import Change
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Responses, Verdict, load
from app.store.search import Search
from app.sync_jobs.document import connector_id
from app.sync_jobs.locks import ENDED_FIELDS, free_connectors
from app.sync_jobs.many import log_refused, passes
from app.sync_jobs.queries import WAITING_FILTER, clock_tolerance, idle
from app.sync_jobs.states import TRANSITIONS
from app.sync_jobs.walks import Hits, walk
from app.time_values import to_text

RESCUE = load(__package__, "rescue")

_FIELDS = ("connector.id", "last_seen", "status", "worker_hostname")
CONNECTORS = 1_000
"""How many connectors are looked for at once."""

_RESPONSES: Responses = {
    Verdict.UPDATED: "rescued",
    Verdict.DONE: "rescued",
    Verdict.DRY_RUN: "rescued",
    Verdict.REFUSED: "alive",
}


@dataclass(frozen=True, slots=True)
class Rescued:
    """The jobs that were ended, as they were before; whether there may be more (`truncated`)."""

    jobs: list[dict[str, Any]]
    truncated: bool


def rescue(store: Store, idle_for: timedelta, *, dry_run: bool, limit: int) -> Rescued:
    """End running jobs whose workers were not heard of for longer than `idle_for`, and waiting jobs whose connector is gone.

    At most `limit`, those that have been silent for longest first. `dry_run` only says which. The connectors of jobs that
    ran are freed. Raises `ApiError` 503 where Elasticsearch does not respond.
    """
    jobs: list[dict[str, Any]] = []
    failure = None
    # The age counts for running jobs only: nobody is at work on the others.
    silent = ((hits, idle_for) for hits in _silent(store, idle_for))
    orphaned = ((hits, None) for hits in _orphaned(store))
    for hits, age in chain(silent, orphaned):
        candidates = hits
        while candidates:
            room = limit - len(jobs)
            if room == 0:
                return Rescued(jobs, truncated=True)
            found, error = _end(store, candidates[:room], age, dry_run=dry_run)
            jobs += found
            failure = failure or error
            candidates = candidates[room:]
    if failure is not None and not jobs:
        raise failure
    return Rescued(jobs, truncated=failure is not None)


def _silent(store: Store, idle_for: timedelta) -> Iterator[Hits]:
    search = Search(filters=idle(clock.now(), idle_for), sort_field="last_seen", sort_type="date")
    return walk(store.sync_jobs, search, _FIELDS)


def _orphaned(store: Store) -> Iterator[Hits]:
    """Waiting jobs whose connector is gone. Whether it is gone is asked after the jobs were found: it may be made anew."""
    for gone in _connectors_gone(store):
        filters: list[dict[str, Any]] = [
            WAITING_FILTER,
            {"terms": {"connector.id": gone}},
        ]
        search = Search(filters, sort_field="created_at", sort_type="date")
        for hits in walk(store.sync_jobs, search, _FIELDS):
            connectors = [connector_id(hit["_source"]) for hit in hits]
            still_gone = _gone(store, connectors)
            orphans = [hit for hit, each in zip(hits, connectors, strict=True) if each in still_gone]
            if orphans:
                yield orphans


def _connectors_gone(store: Store) -> Iterator[list[str]]:
    """The ids of connectors that have waiting jobs and are gone."""
    sources = [{"connector_id": {"terms": {"field": "connector.id"}}}]
    composite: dict[str, Any] = {"size": CONNECTORS, "sources": sources}
    body = {
        "size": 0,
        "query": WAITING_FILTER,
        "aggs": {"connectors": {"composite": composite}},
    }
    while True:
        try:
            found = store.sync_jobs.query(body)["aggregations"]["connectors"]
            # Without an index of connectors, nobody knows which ones are gone.
            store.connectors.query({"size": 0})
        except IndexMissing:
            return
        gone = _gone(store, (bucket["key"]["connector_id"] for bucket in found["buckets"]))
        if gone:
            yield gone
        if len(found["buckets"]) < CONNECTORS:
            return
        composite["after"] = found["after_key"]


def _gone(store: Store, connector_ids: Iterable[Any]) -> list[str]:
    named = sorted({each for each in connector_ids if isinstance(each, str)})
    known = store.connectors.get_all(named, ["deleted"])
    return [each for each in named if each not in known or is_deleted(known[each])]


def _end(
    store: Store, hits: Hits, idle_for: timedelta | None, *, dry_run: bool
) -> tuple[list[dict[str, Any]], ApiError | None]:
    """End these jobs and free the connectors of those that ran; what was ended, and an error that may pass."""
    params = {
        "transitions": TRANSITIONS,
        "now": clock.now(),
        "idle_for": None if idle_for is None else _milliseconds(idle_for),
        "threshold": None if idle_for is None else to_text(idle_for),
        "tolerance": 0 if idle_for is None else _milliseconds(clock_tolerance(idle_for)),
        "dry_run": dry_run,
    }
    changes = [
        Change(hit["_id"], RESCUE, {**params, "from": hit["_source"].get("status")}, ENDED_FIELDS)
        for hit in hits
    ]
    jobs: list[dict[str, Any]] = []
    ended: dict[str, Mapping[str, Any]] = {}
    failure = None
    for hit, change, outcome in zip(hits, changes, store.sync_jobs.transition_all(changes), strict=True):
        if isinstance(outcome, ApiError) and passes(outcome):
            failure = outcome
        elif isinstance(outcome, Outcome) and outcome.respond(_RESPONSES) == "rescued":
            jobs.append(_shown(hit))
            ended[change.document_id] = outcome.details
        else:
            log_refused(change, outcome)
    if ended and idle_for is not None and not dry_run:
        free_connectors(store, ended)
    return jobs, failure


def _shown(hit: Mapping[str, Any]) -> dict[str, Any]:
    job = hit["_source"]
    return {
        "id": hit["_id"],
        "connector_id": connector_id(job),
        "worker_hostname": job.get("worker_hostname"),
        "status": job.get("status"),
        "last_seen": job.get("last_seen"),
    }


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
