"""How many jobs ended when, how long they took, and why some failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app import clock
from app.protocol import SyncStatus
from app.sync_jobs.attention import BY_STATUS, Aggregations, Job, counts, first, sorted_by
from app.sync_jobs.states import FINISHED

REASONS: Final = 10
"""How many reasons of failures are told apart: the most frequent ones."""

_MIDDLE, _HIGH = 50.0, 95.0
# Milliseconds from start to end. Of several values, the first counts; a job that ended before it started took no time that counts.
_TOOK: Final = {
    "type": "long",
    "on_script_error": "continue",
    "script": {
        "source": """
            def started = doc['started_at'];
            def ended = doc['completed_at'];
            if (started.size() > 0 && ended.size() > 0) {
              long took = ended.value.toInstant().toEpochMilli() - started.value.toInstant().toEpochMilli();
              if (took >= 0) {
                emit(took);
              }
            }
        """
    },
}
RUNTIME_MAPPINGS: Final = {"took": _TOOK}
"""The fields that a search with the aggregations of `ended_within` needs."""
_LONGEST_MS: Final = timedelta.max // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole intervals of time, as Elasticsearch counts them from 1970; the last one is not over yet."""

    starts: Sequence[datetime]
    interval: timedelta

    @classmethod
    def until(cls, now: datetime, length: timedelta, interval: timedelta) -> Period:
        """The intervals that reach from `length` ago to now."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        earliest, latest = (now - length - epoch) // interval, (now - epoch) // interval
        return cls([epoch + number * interval for number in range(earliest, latest + 1)], interval)

    @property
    def start(self) -> datetime:
        """Where the first interval starts."""
        return self.starts[0]

    @property
    def end(self) -> datetime:
        """Where the last interval ends, and nothing of it counts any more."""
        return self.starts[-1] + self.interval


@dataclass(frozen=True, slots=True)
class Durations:
    """How long completed jobs ran: half of them not longer than `middle`, 95 % not longer than `high`. None where none did."""

    middle: timedelta | None
    high: timedelta | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How many jobs ended within a time, by their status, and how long the completed ones ran."""

    start: datetime
    end: datetime
    by_status: Mapping[str, int]
    took: Durations


@dataclass(frozen=True, slots=True)
class Failure:
    """Jobs that failed for the same reason, and the latest of them."""

    reason: str
    jobs: int
    latest: Job


@dataclass(frozen=True, slots=True)
class History:
    """What ended within a period: in all, in each interval, and why jobs failed. `failures` has some of the `failed` jobs."""

    all: Ended
    intervals: Sequence[Ended]
    failed: int
    failures: Sequence[Failure]


def ended_within(period: Period) -> Aggregations:
    """The aggregation of the jobs that ended within the period."""
    start, end = clock.iso(period.start), clock.iso(period.end)
    took = {"percentiles": {"field": "took", "percents": [_MIDDLE, _HIGH]}}
    completed = {"filter": {"term": {"status": SyncStatus.COMPLETED}}, "aggs": {"took": took}}
    within = {"by_status": BY_STATUS, "completed": completed}
    intervals = {
        "field": "completed_at",
        "fixed_interval": f"{_seconds(period.interval)}s",
        "min_doc_count": 1,
        # A job with several ends may have some far away, and all intervals between would be made.
        "hard_bounds": {"min": start, "max": end},
    }
    # Without the empty text: the list of jobs has no filter for it.
    reasons = {"terms": {"field": "error", "size": REASONS, "exclude": [""]}}
    latest = {"first": sorted_by("completed_at", order="desc")}
    filters = [{"terms": {"status": FINISHED}}, {"range": {"completed_at": {"gte": start, "lt": end}}}]
    return {
        "filter": {"bool": {"filter": filters}},
        "aggs": within
        | {
            "intervals": {"date_histogram": intervals, "aggs": within},
            "failed": {
                "filter": {"term": {"status": SyncStatus.ERROR}},
                "aggs": {"reasons": reasons | {"aggs": latest}},
            },
        },
    }


def history(period: Period, bucket: Mapping[str, Any]) -> History:
    """What the aggregation of `ended_within` has found."""
    by_start = {each["key"]: each for each in bucket["intervals"]["buckets"]}
    nothing: Aggregations = {"by_status": {"buckets": []}, "completed": {"took": {"values": {}}}}
    return History(
        all=_ended(period.start, period.end, bucket),
        intervals=[
            _ended(start, start + period.interval, by_start.get(_milliseconds(start), nothing))
            for start in period.starts
        ],
        failed=bucket["failed"]["doc_count"],
        failures=[
            Failure(each["key"], each["doc_count"], first(each)[0])
            for each in bucket["failed"]["reasons"]["buckets"]
        ],
    )


def _ended(start: datetime, end: datetime, bucket: Mapping[str, Any]) -> Ended:
    by_status = {status: number for status, number in counts(bucket).items() if status in FINISHED}
    values = bucket["completed"]["took"]["values"]
    return Ended(start, end, by_status, Durations(_duration(values, _MIDDLE), _duration(values, _HIGH)))


def _duration(values: Mapping[str, Any], percent: float) -> timedelta | None:
    value = values.get(str(percent))
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return timedelta(milliseconds=min(value, _LONGEST_MS))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
