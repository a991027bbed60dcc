"""The searches of sync jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app import clock
from app.protocol import JobType, SyncKind, SyncStatus
from app.store.search import WINDOW, Search
from app.sync_jobs.states import RUNNING, WAITING

_LEAST_TOLERANCE: Final = timedelta(minutes=1)
_MOST_TOLERANCE: Final = timedelta(days=1)

# Connectors of one kind that a search for candidates looks at: as many as one request can claim. Fetching their jobs costs more
# than all else, for each filter anew.
CANDIDATES = 100
# What a claim changes of a job, and gives back where it comes to nothing.
CLAIM_FIELDS = ("status", "worker_hostname", "started_at", "last_seen", "claimed_at", "claim_token")

WAITING_FILTER: Final[dict[str, Any]] = {"terms": {"status": list(WAITING)}}
RUNNING_FILTER: Final[dict[str, Any]] = {"terms": {"status": list(RUNNING)}}
_BY_CREATION = {"created_at": {"order": "asc", "missing": "_last", "unmapped_type": "date"}}


@dataclass(frozen=True, slots=True)
class ClaimFilter:
    """Which jobs a worker wants; None wants any."""

    connector_ids: tuple[str, ...] | None = None
    service_types: tuple[str, ...] | None = None
    job_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted: those that meet all that is given. Timestamps are ISO texts.

    `idle_for`: running, and the worker was not heard of for longer. `waiting_for`: pending for longer.
    """

    connector_id: str | None = None
    statuses: Sequence[str] = ()
    job_types: Sequence[str] = ()
    worker_hostname: str | None = None
    error: str | None = None
    created_from: str | None = None
    created_before: str | None = None
    ended_from: str | None = None
    ended_before: str | None = None
    idle_for: timedelta | None = None
    waiting_for: timedelta | None = None

    def clauses(self) -> list[dict[str, Any]]:
        """The filters of a search."""
        now = clock.now()
        one = {
            "connector.id": self.connector_id,
            "worker_hostname": self.worker_hostname,
            "error": self.error,
        }
        several = {"status": self.statuses, "job_type": self.job_types}
        ranges = {
            "created_at": {"gte": self.created_from, "lt": self.created_before},
            "completed_at": {"gte": self.ended_from, "lt": self.ended_before},
        }
        clauses: list[dict[str, Any]] = [
            {"term": {key: value}} for key, value in one.items() if value is not None
        ]
        clauses += [{"terms": {key: list(values)}} for key, values in several.items() if values]
        for field, limits in ranges.items():
            if given := {key: value for key, value in limits.items() if value is not None}:
                clauses.append({"range": {field: given}})
        if self.idle_for is not None:
            clauses += idle(now, self.idle_for)
        if self.waiting_for is not None:
            clauses += unclaimed(now, self.waiting_for)
        return clauses


def list_search(
    wanted: JobFilter,
    *,
    order: str = "asc",
    offset: int = 0,
    size: int = 0,
    after: Sequence[Any] | None = None,
    limit: int = WINDOW,
    count_limit: int | None = None,
) -> Search:
    """The wanted jobs, by `created_at`. `limit` and `count_limit` as in `Search`."""
    return Search(
        filters=wanted.clauses(),
        sort_field="created_at",
        sort_type="date",
        order=order,
        offset=offset,
        size=size,
        after=after,
        limit=limit,
        count_limit=count_limit,
    )


def candidates_search(
    filters: Sequence[ClaimFilter], passed_over: Mapping[SyncKind, Collection[str]]
) -> dict[str, Any]:
    """For each filter (by its position) and kind: the connectors that have jobs, with the oldest that waits for each.

    Those without a running job come first, then those with the oldest job. `passed_over` are ids of connectors.
    """
    return {
        "size": 0,
        "query": {"terms": {"status": [*WAITING, *RUNNING]}},
        "aggs": {
            f"{position} {kind}": _candidates(wanted, kind, passed_over[kind])
            for position, wanted in enumerate(filters)
            for kind in SyncKind
        },
    }


def running_search(connector_ids: Collection[str]) -> dict[str, Any]:
    """The jobs of these connectors that run."""
    return {
        "size": WINDOW,
        "query": {"bool": {"filter": [RUNNING_FILTER, {"terms": {"connector.id": sorted(connector_ids)}}]}},
        # As they are indexed: in the source, either may be a list.
        "_source": False,
        "docvalue_fields": ["connector.id", "job_type"],
    }


def claims_search(worker_hostname: str, since: str) -> dict[str, Any]:
    """The jobs that this worker may have claimed since then, an ISO timestamp: it has been seen at them."""
    seen = {"range": {"last_seen": {"gte": since}}}
    return {
        "size": WINDOW,
        "query": {"bool": {"filter": [{"term": {"worker_hostname": worker_hostname}}, seen]}},
        "sort": [_BY_CREATION],
    }


def _candidates(wanted: ClaimFilter, kind: SyncKind, passed_over: Collection[str]) -> dict[str, Any]:
    access_control = {"term": {"job_type": JobType.ACCESS_CONTROL}}
    of_kind: list[dict[str, Any]] = [access_control] if kind is SyncKind.ACCESS_CONTROL else []
    not_of_kind: list[dict[str, Any]] = [access_control] if kind is SyncKind.CONTENT else []
    if wanted.connector_ids is not None:
        of_kind.append({"terms": {"connector.id": list(wanted.connector_ids)}})
    if passed_over:
        not_of_kind.append({"terms": {"connector.id": sorted(passed_over)}})
    waiting: list[dict[str, Any]] = [WAITING_FILTER]
    if wanted.service_types is not None:
        waiting.append({"terms": {"connector.service_type": list(wanted.service_types)}})
    if wanted.job_types is not None:
        waiting.append({"terms": {"job_type": list(wanted.job_types)}})
    oldest = {
        "size": 1,
        "seq_no_primary_term": True,
        "sort": [_BY_CREATION],
        "_source": ["job_type", *CLAIM_FIELDS],
    }
    connectors = {
        "terms": {
            "field": "connector.id",
            "size": CANDIDATES,
            # The last decides where no job says when it was created.
            "order": [{"running": "asc"}, {"waiting>oldest": "asc"}, {"waiting": "desc"}],
        },
        "aggs": {
            "running": {"filter": RUNNING_FILTER},
            "waiting": {
                "filter": {"bool": {"filter": waiting}},
                "aggs": {"oldest": {"min": {"field": "created_at"}}, "job": {"top_hits": oldest}},
            },
        },
    }
    return {
        "filter": {"bool": {"filter": of_kind, "must_not": not_of_kind}},
        "aggs": {"connectors": connectors},
    }


def clock_tolerance(idle_for: timedelta) -> timedelta:
    """How far the clock of a worker, or of another service, may be ahead. What is later lies in the future.

    As far as it may be behind without its jobs counting as idle, so that a wrong clock ends no job whose worker is alive.
    """
    return min(max(idle_for, _LEAST_TOLERANCE), _MOST_TOLERANCE)


def idle(now: str, idle_for: timedelta) -> list[dict[str, Any]]:
    """The filters of running jobs whose workers were not heard of for longer than `idle_for`.

    The twin of `lastSign.painless`: a timestamp that is missing or lies in the future gives way to the next one.
    """
    past, latest = clock.ago(now, idle_for), clock.ago(now, -clock_tolerance(idle_for))
    silent: dict[str, Any] = {"match_all": {}}
    for field in ("created_at", "started_at", "last_seen"):
        known = {"range": {field: {"lte": latest}}}
        otherwise = {"bool": {"must_not": known, "filter": silent}}
        silent = {"bool": {"should": [{"range": {field: {"lt": past}}}, otherwise]}}
    return [RUNNING_FILTER, silent]


def unclaimed(now: str, waiting_for: timedelta) -> list[dict[str, Any]]:
    """The filters of jobs that have been pending for longer than `waiting_for`."""
    waits = {"range": {"created_at": {"lt": clock.ago(now, waiting_for)}}}
    return [{"term": {"status": SyncStatus.PENDING}}, waits]
