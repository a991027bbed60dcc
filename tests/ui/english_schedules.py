"""A reader of schedules in words: what a person takes them to mean, found without the expression."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

Days = Callable[[date], bool]

_MONTHS = list(calendar.month_name)
_WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_NTH = ["first", "second", "third", "fourth", "fifth"]
_TIME = r"(\d\d):(\d\d)"
_CLOCK = r"\d\d:\d\d"
_NUMBER = r"\d+"


class Meaning(NamedTuple):
    """The times of a day as hours and minutes, and the days."""

    times: set[tuple[int, int]]
    days: Days


def read(words: str) -> Meaning:
    """What the words mean. Fails on anything that it does not know."""
    reader = _Reader(words.removesuffix(", UTC"))
    times = _times(reader)
    days = [_days_of_month(reader), _days_of_week(reader), _months(reader), _years(reader)]
    assert reader.rest == "", f"{reader.rest!r} of {words!r} means nothing"
    return Meaning(times, lambda day: all(each(day) for each in days))


class _Reader:
    def __init__(self, rest: str) -> None:
        self.rest = rest

    def take(self, pattern: str) -> re.Match[str] | None:
        """Read what matches at the beginning of what is left, up to a comma or the end."""
        match = re.match(rf"(?:{pattern})(?=,|$)", self.rest)
        if match:
            self.rest = self.rest[match.end() :]
        return match


def _list(item: str) -> str:
    one = rf"{item}(?: through {item})?"
    return rf"{one}(?:, {one})*(?:,? and {one})?"


def _values(text: str, names: Sequence[str] | None = None) -> set[int]:
    found: set[int] = set()
    for item in re.split(r",? and |, ", text):
        first, _, last = item.partition(" through ")
        ends = [names.index(each) if names else int(each) for each in (first, last or first)]
        assert ends == sorted(ends)
        found |= set(range(ends[0], ends[1] + 1))
    return found


def _times(reader: _Reader) -> set[tuple[int, int]]:
    if match := reader.take(rf"Every minute between {_TIME} and {_TIME}"):
        hour, first, same, last = map(int, match.groups())
        assert hour == same
        return {(hour, minute) for minute in range(first, last + 1)}
    if match := reader.take(rf"At {_list(_CLOCK)}"):
        return {(int(hour), int(minute)) for hour, minute in re.findall(_TIME, match[0])}
    minutes = _minutes(reader)
    return {(hour, minute) for hour in _hours(reader) for minute in minutes}


def _minutes(reader: _Reader) -> set[int]:
    if re.match(r"Every (?:hour|\d+ hours)", reader.rest):
        reader.rest = f", {reader.rest[0].lower()}{reader.rest[1:]}"
        return {0}
    if reader.take("Every minute"):
        return set(range(60))
    if match := reader.take(r"Every (\d+) minutes, starting at (\d+) minutes past the hour"):
        return set(range(int(match[2]), 60, int(match[1])))
    if match := reader.take(r"Every (\d+) minutes"):
        assert 60 % int(match[1]) == 0  # else it would not be evenly
        return set(range(0, 60, int(match[1])))
    if match := reader.take(r"Minutes (\d+ through \d+) past the hour"):
        return _values(match[1])
    match = reader.take(rf"At ({_list(_NUMBER)}) minutes past the hour")
    assert match, reader.rest
    return _values(match[1])


def _hours(reader: _Reader) -> set[int]:
    if match := reader.take(r", between (\d\d):00 and (\d\d):59"):
        return set(range(int(match[1]), int(match[2]) + 1))
    if match := reader.take(r", every (\d+) hours, starting at (\d\d):00"):
        assert 24 % int(match[1]) == 0
        return set(range(int(match[2]), 24, int(match[1])))
    if match := reader.take(r", every (\d+) hours"):
        assert 24 % int(match[1]) == 0
        return set(range(0, 24, int(match[1])))
    reader.take(", every hour")
    return set(range(24))


def _days_of_month(reader: _Reader) -> Days:
    if reader.take(", on the last day of the month"):
        return lambda day: day.day == _length(day)
    if reader.take(", on the last weekday of the month"):
        return lambda day: day.day == _weekdays(day)[-1]
    if reader.take(", on the first weekday of the month"):
        return lambda day: day.day == _weekdays(day)[0]
    if match := reader.take(r", (\d+) days before the last day of the month"):
        before = int(match[1])
        return lambda day: day.day == _length(day) - before
    if match := reader.take(r", on the weekday nearest day (\d+) of the month"):
        wanted = int(match[1])
        return lambda day: day.day == min(_weekdays(day), key=lambda each: abs(each - wanted))
    if match := reader.take(rf", on day ({_list(_NUMBER)}) of the month"):
        values = _values(match[1])
        return lambda day: day.day in values
    if match := reader.take(r", between day (\d+) and (\d+) of the month"):
        span = range(int(match[1]), int(match[2]) + 1)
        return lambda day: day.day in span
    return lambda day: True


def _days_of_week(reader: _Reader) -> Days:
    name = "|".join(_WEEKDAYS)
    if match := reader.take(rf", on the ({'|'.join(_NTH)}) ({name}) of the month"):
        nth, wanted = _NTH.index(match[1]), _WEEKDAYS.index(match[2])
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 == nth
    if match := reader.take(rf", on the last ({name}) of the month"):
        wanted = _WEEKDAYS.index(match[1])
        return lambda day: _weekday(day) == wanted and day.day + 7 > _length(day)
    item = f"(?:{name})"
    if match := reader.take(rf", only on ({_list(item)})|, ({item} through {item})"):
        values = _values(match[1] or match[2], _WEEKDAYS)
        return lambda day: _weekday(day) in values
    return lambda day: True


def _months(reader: _Reader) -> Days:
    item = f"(?:{'|'.join(_MONTHS[1:])})"
    if match := reader.take(rf", only in ({_list(item)})|, ({item} through {item})"):
        values = _values(match[1] or match[2], _MONTHS)
        return lambda day: day.month in values
    if match := reader.take(r", every (\d+) months"):
        step = int(match[1])
        assert 12 % step == 0
        return lambda day: (day.month - 1) % step == 0
    return lambda day: True


def _years(reader: _Reader) -> Days:
    if match := reader.take(rf", only in ({_list(_NUMBER)})|, (\d+ through \d+)"):
        values = _values(match[1] or match[2])
        return lambda day: day.year in values
    return lambda day: True


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _weekday(day: date) -> int:
    return day.isoweekday() % 7


def _weekdays(day: date) -> list[int]:
    return [each for each in range(1, _length(day) + 1) if day.replace(day=each).isoweekday() <= 5]
