"""The fields of a cron expression: their ranges, the names of their values, and Elasticsearch's messages about both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

INT_MAX = 2**31 - 1
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Field(NamedTuple):
    """One of the seven fields: the range of its values and of the step behind `*`, and what it says beyond."""

    name: str
    low: int
    high: int
    out_of_range: str
    large_step: str
    names: tuple[str, ...] = ()

    def span(self, first: int, last: int, step: int = 1) -> range:
        """The values from first to last. Behind the highest comes the lowest, here as `high + 1`."""
        return range(first, last + 1 if first <= last else last + 2 + self.high - self.low, step)

    def values(self, spans: Iterable[range]) -> list[int]:
        """The values of all spans, ascending."""
        size = self.high - self.low + 1
        return sorted({(each - self.low) % size + self.low for span in spans for each in span})


_SIXTIETH_RANGE = "Minute and Second values must be between 0 and 59"
_DAY_RANGE = "Day of month values must be between 1 and 31"
_WEEKDAY_RANGE = "Day-of-Week values must be between 1 and 7"
SIXTIETH = Field("Second or Minute", 0, 59, _SIXTIETH_RANGE, "increment [{}] > 60 at pos [{}]")
HOUR = Field("Hour", 0, 23, "Hour values must be between 0 and 23", "increment [{}] > 24 at pos [{}]")
DAY = Field("Day", 1, 31, _DAY_RANGE, "increment [{}] > 31 at pos [{}] ")
MONTH = Field(
    "Month", 1, 12, "Month values must be between 1 and 12", "increment [{}] > 12 at pos [{}]", _MONTHS
)
WEEKDAY = Field("Day-of-Week", 1, 7, _WEEKDAY_RANGE, "increment [{}] > 7 at pos [{}] ", _WEEKDAYS)
YEAR = Field("Year", 1970, INT_MAX, "", "")
FIELDS = (SIXTIETH, SIXTIETH, HOUR, DAY, MONTH, WEEKDAY, YEAR)
