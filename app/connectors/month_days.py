"""Days that a cron expression names: in a given month, each of them is a number of days or none."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from typing import NamedTuple


class Month(NamedTuple):
    """Weekday of the first day, 0 for Monday, and the number of days; as `calendar.monthrange` has them."""

    first_weekday: int
    length: int


class DayOfMonth(NamedTuple):
    """A day, 1 for the first and -1 for the last, or the weekday (Monday to Friday) that is nearest in the same month."""

    day: int
    nearest_weekday: bool = False

    def days(self, month: Month) -> Sequence[int]:
        """The day, if the month has it."""
        day = self.day if self.day >= 0 else self.day + 1 + month.length
        if not 1 <= day <= month.length:
            return ()
        weekday = (month.first_weekday + day - 1) % 7
        if self.nearest_weekday and weekday == calendar.SATURDAY:
            day += -1 if day > 1 else 2
        if self.nearest_weekday and weekday == calendar.SUNDAY:
            day += 1 if day < month.length else -2
        return (day,)


class DayOfWeek(NamedTuple):
    """A day of the week, 1 for Sunday: every one, or one of the month, 0 for the first and -1 for the last."""

    day: int
    nth: int | None = None

    def days(self, month: Month) -> Sequence[int]:
        """The days that the month has of it."""
        if self.day > 7:
            return ()
        found = range(1 + (self.day - 2 - month.first_weekday) % 7, month.length + 1, 7)
        return found if self.nth is None else found[self.nth :][:1]


Day = DayOfMonth | DayOfWeek
