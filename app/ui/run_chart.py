"""A small chart of a connector's latest runs: a bar for each, as high as the run was long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.ui.jobs import ShownJob
from app.ui.texts import count, duration, status_class, utc, words

_GAP: Final = 2
# Room above the bars for the marks.
_TOP: Final = 9
_LEAST: Final = 3.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One run. The status is told by `status_class` and by the mark, a path above the bar; empty for runs that have done their work."""

    job: ShownJob
    x: int
    y: float
    height: float
    status_class: str
    mark: str
    title: str


@dataclass(frozen=True, slots=True)
class RunChart:
    """Bars from the oldest to the newest run, which is at the right. Sizes in units of the drawing; `summary` says it in words."""

    width: int
    height: int
    bar_width: int
    bars: list[Bar]
    summary: str


def run_chart(runs: Sequence[ShownJob], *, most: int, bar_width: int, height: int) -> RunChart:
    """The chart of these `runs`, the newest first, with room for `most` of them."""
    lengths = [_seconds(each) for each in runs]
    longest = max((each for each in lengths if each is not None), default=0.0)
    step = bar_width + _GAP
    bars = []
    for position, (job, length) in enumerate(zip(runs, lengths, strict=True)):
        share = length / longest if length and longest else 0.0
        bar = max(share * (height - _TOP), _LEAST)
        x = (most - 1 - position) * step
        bars.append(
            Bar(
                job=job,
                x=x,
                y=round(height - bar, 1),
                height=round(bar, 1),
                status_class=status_class(job.status),
                mark=_mark(job, x + bar_width / 2, height - bar - 5),
                title=_title(job),
            )
        )
    return RunChart(most * step - _GAP, height, bar_width, bars[::-1], _summary(runs, longest))


def _seconds(job: ShownJob) -> float | None:
    took = job.took
    return None if took is None else max(took.total_seconds(), 0.0)


def _mark(job: ShownJob, x: float, y: float) -> str:
    """A cross for what failed, a dash for what was stopped, a triangle for what runs; nothing for what has done its work."""
    x, y = round(x, 1), round(y, 1)
    if job.is_running:
        return f"M{x - 3} {y + 2.5}h6l-3 -5z"
    if job.status == "error":
        return f"M{x - 2.5} {y - 2.5}l5 5m0 -5l-5 5"
    return "" if job.status == "completed" else f"M{x - 3} {y}h6"


def _title(job: ShownJob) -> str:
    documents = job.source.get("indexed_document_count")
    deleted = job.source.get("deleted_document_count")
    parts = [
        words(job.status),
        f"{words(job.source.get('job_type'))} sync",
        f"created {utc(job.source.get('created_at'))}",
        f"ran for {duration(job.took)}",
        f"{count(documents)} documents indexed, {count(deleted)} deleted",
    ]
    return ", ".join(parts)


def _summary(runs: Sequence[ShownJob], longest: float) -> str:
    if not runs:
        return "No runs yet"
    outcomes = Counter(words(job.status) for job in runs)
    counted = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
    longest_run = f"; the longest took {duration(timedelta(seconds=longest))}" if longest else ""
    return f"{'Last run' if len(runs) == 1 else f'Last {len(runs)} runs'}: {counted}{longest_run}"
