"""When the schedule of a connector is due: the slots of a cron expression, in UTC."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, date, datetime
from itertools import product

from app.connectors.cron import Cron, parse
from app.connectors.month_days import Month

# Quartz looks as far ahead, Elasticsearch half as far.
_YEARS_AHEAD = 100


def next_time(expression: str, after: datetime) -> datetime | None:
    """The first slot that is later.

    The field of the seconds is ignored, as the public worker does: a slot is the beginning of a minute.

    Args:
        expression: A cron expression in Quartz's syntax.
        after: A time with a time zone.

    Returns:
        The slot, in UTC; None if there is none in the next hundred years.

    Raises:
        CronError: The expression is invalid.
    """
    cron = parse(expression)
    after = after.astimezone(UTC)
    times = list(product(cron.hours, cron.minutes))
    for day in _dates(cron, after.date()) if times else ():
        later = bisect_right(times, (after.hour, after.minute)) if day == after.date() else 0
        if later < len(times):
            return datetime(day.year, day.month, day.day, *times[later], tzinfo=UTC)
    return None


def _dates(cron: Cron, first: date) -> Iterator[date]:
    """The days of an expression, ascending."""
    for year in range(first.year, min(first.year + _YEARS_AHEAD, MAXYEAR) + 1):
        if not any(year in each for each in cron.years):
            continue
        for month in cron.months:
            if (year, month) < (first.year, first.month):
                continue
            shape = Month(*monthrange(year, month))
            for day in sorted({day for each in cron.days for day in each.days(shape)}):
                if (found := date(year, month, day)) >= first:
                    yield found
