"""The overview as templates take it: the time that it shows, its charts, and the links behind its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app import clock
from app.errors import illegal_argument
from app.protocol import SyncStatus
from app.sync_jobs.history import Ended, Failure, History, Period
from app.ui import charts
from app.ui.findings import Link, linked
from app.ui.texts import address, duration

DEFAULT_RANGE: Final = "24h"
# From below, so that what failed stands on top.
SERIES: Final = (SyncStatus.COMPLETED, SyncStatus.CANCELED, SyncStatus.ERROR)


@dataclass(frozen=True, slots=True)
class Range:
    """A time that can be chosen, in words, with its intervals and the labels of its axis."""

    text: str
    length: timedelta
    interval: timedelta
    labels: Sequence[str]


RANGES: Final = {
    "1h": Range("the last hour", timedelta(hours=1), timedelta(minutes=2), ("1 h ago", "30 min ago", "now")),
    "24h": Range(
        "the last 24 hours", timedelta(hours=24), timedelta(minutes=30), ("24 h ago", "12 h ago", "now")
    ),
    "7d": Range("the last 7 days", timedelta(days=7), timedelta(hours=4), ("7 d ago", "3.5 d ago", "now")),
}


def chosen(name: str) -> tuple[Range, Period]:
    """The range of that name, and the time that it means now. Raises `ApiError` 400 where there is none."""
    if name not in RANGES:
        raise illegal_argument(f"[range] is one of {', '.join(RANGES)}, not [{name}].")
    found = RANGES[name]
    return found, Period.until(datetime.now(UTC), found.length, found.interval)


@dataclass(frozen=True, slots=True)
class Moment:
    """One interval: what ended in it, with the links behind its numbers, and its bar."""

    ended: Ended
    bar: charts.Bar
    links: Mapping[str, str]

    @property
    def text(self) -> str:
        """When it was."""
        start, end = self.ended.start, self.ended.end
        return f"{start:%Y-%m-%d %H:%M}–{end:%H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Charts:
    """Both charts. `middle` and `high` are paths; there is no `longest` where no job completed."""

    moments: Sequence[Moment]
    most: int
    longest: timedelta | None
    middle: str
    high: str

    @property
    def ticks(self) -> tuple[str, str]:
        """The labels of the durations at the upper edge and in the middle."""
        return duration(self.longest), duration(self.longest / 2 if self.longest else None)


def draw(history: History) -> Charts:
    """The charts of what ended."""
    rows = [{status.value: each.by_status.get(status, 0) for status in SERIES} for each in history.intervals]
    most = charts.top_count(max((sum(row.values()) for row in rows), default=0))
    middles = [each.took.middle for each in history.intervals]
    highs = [each.took.high for each in history.intervals]
    known = [each for each in (*middles, *highs) if each is not None]
    longest = charts.top_duration(max(known)) if known else None
    moments = [
        Moment(ended, bar, {status.value: ended_address(ended, status=status) for status in SERIES})
        for ended, bar in zip(history.intervals, charts.bars(rows, most), strict=True)
    ]
    return Charts(moments, most, longest, _line(middles, longest), _line(highs, longest))


def _line(values: Sequence[timedelta | None], top: timedelta | None) -> str:
    seconds = [None if each is None else each.total_seconds() for each in values]
    return charts.line(seconds, top.total_seconds() if top else 0.0)


def ended_address(ended: Ended, **filters: Any) -> str:
    """The jobs that ended in that time."""
    times = {"ended_from": clock.iso(ended.start), "ended_to": clock.iso(ended.end)}
    return address("/jobs", {**filters, **times})


def failure_link(history: History, failure: Failure) -> Link:
    """The number of jobs that failed for that reason, with the address of these jobs."""
    url = ended_address(history.all, status=SyncStatus.ERROR, error=failure.reason)
    return linked(f"{failure.jobs:,}", url)
