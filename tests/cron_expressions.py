"""Random cron expressions, each with a plain statement of the days and times that it names."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple

MONTHS = [name.upper() for name in calendar.month_abbr[1:]]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
Days = Callable[[date], bool]


class Expression(NamedTuple):
    """An expression, whose field of seconds is `0`."""

    text: str
    days: Days
    hours: set[int]
    minutes: set[int]

    def first_after(self, after: datetime, days: int) -> datetime | None:
        """The first minute that matches within some days, found by looking at each."""
        midnight = datetime(after.year, after.month, after.day, tzinfo=UTC)
        for day in (midnight + timedelta(number) for number in range(days)):
            if self.days(day.date()):
                for minute in (day + timedelta(minutes=number) for number in range(24 * 60)):
                    if minute > after and minute.hour in self.hours and minute.minute in self.minutes:
                        return minute
        return None


def some_expression(random: Random) -> Expression:
    """Any expression; most have slots every few days."""
    minutes, minute_values = _numbers(random, 0, 59)
    hours, hour_values = _numbers(random, 0, 23)
    months, month_values = (
        ("*", set(range(1, 13))) if random.random() < 0.5 else _numbers(random, 1, 12, MONTHS)
    )
    years, year_values = random.choice([_any_year, _any_year, _some_years])(random)
    if random.random() < 0.5:
        days, matches = _days_of_month(random)
        fields = ["0", minutes, hours, days, months, random.choice(["?", "?", "?,MON"]), *years]
    else:
        days, matches = _days_of_week(random)
        fields = ["0", minutes, hours, random.choice(["?", "?", "5,?"]), months, days, *years]
    text = random.choice([" ", " ", "\t "]).join(fields)
    return Expression(
        random.choice([text, text.lower()]),
        lambda day: day.month in month_values and day.year in year_values and matches(day),
        hour_values,
        minute_values,
    )


def some_time(random: Random) -> datetime:
    """A time in this decade, often at the end or the beginning of a month."""
    year = random.randint(2023, 2032)
    month = random.choice([1, 2, 2, 3, 12, random.randint(1, 12)])
    last = calendar.monthrange(year, month)[1]
    day = random.choice([1, last - 1, last, random.randint(1, last)])
    hour, minute, second = random.choice(
        [
            (0, 0, 0),
            (23, 59, 0),
            (23, 59, 59),
            (random.randint(0, 23), random.randint(0, 59), random.randint(0, 59)),
        ]
    )
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _numbers(random: Random, low: int, high: int, names: Sequence[str] = ()) -> tuple[str, set[int]]:
    items = [_item(random, low, high, names) for _ in range(random.choice([1, 1, 2, 3]))]
    return random.choice([",", ",", ",,"]).join(text for text, _ in items), set().union(
        *(each for _, each in items)
    )


def _item(random: Random, low: int, high: int, names: Sequence[str]) -> tuple[str, set[int]]:
    first, last, step = random.randint(low, high), random.randint(low, high), random.randint(0, high)
    # With a range that overflows, last is beyond the end of the first round.
    around = [*range(low, high + 1), *range(low, high + 1)][first - low :]
    span = around[: around.index(last) + 1]
    stepped = set(span[::step]) if step else {first}
    junk = random.choice(["", "", "X", "XL/5"])
    choices = [
        ("*", set(range(low, high + 1))),
        (f"{random.choice(['*', ''])}/{step}", set(range(low, high + 1, step or 1))),
        (f"{first}{junk}", {first}),
        (f"{first}/{step}", set(range(first, high + 1, step)) if step else {first}),
        (f"{first}-{last}{junk}", set(span)),
        (f"{first}-{last}/{step}", stepped),
    ]
    if names:
        choices.append((f"{names[first - low]}{junk}", {first}))
        choices.append((f"{names[first - low]}-{names[last - low]}{junk}", set(span)))
    return random.choice(choices)


def _days_of_month(random: Random) -> tuple[str, Days]:
    number, offset = random.randint(1, 31), random.randint(0, 30)
    from_last = f"L-{offset}" if offset else "L"
    text, values = _numbers(random, 1, 31)
    text = text.replace("XL", "X")  # no L in lists
    return random.choice(
        [
            (text, lambda day: day.day in values),
            (from_last, lambda day: day.day == _length(day) - offset),
            (f"{number}W", lambda day: day.day == _nearest_weekday(day, number)),
            (f"{from_last}W", lambda day: day.day == _nearest_weekday(day, _length(day) - offset)),
            (f"{number}W,{text}", lambda day: day.day in values or day.day == _nearest_weekday(day, number)),
        ]
    )


def _days_of_week(random: Random) -> tuple[str, Days]:
    number, nth = random.randint(1, 7), random.randint(1, 5)
    name = random.choice([WEEKDAYS[number - 1], str(number)])
    text, values = _numbers(random, 1, 7, WEEKDAYS)
    text = text.replace("XL", "X")
    return random.choice(
        [
            (text, lambda day: _weekday(day) in values),
            ("L", lambda day: _weekday(day) == 7),
            (f"{name}L", lambda day: _weekday(day) == number and day.day + 7 > _length(day)),
            (f"{name}#{nth}", lambda day: _weekday(day) == number and (day.day + 6) // 7 == nth),
            (
                f"{name}#{nth},{text}",
                lambda day: (
                    _weekday(day) in values or (_weekday(day) == number and (day.day + 6) // 7 == nth)
                ),
            ),
        ]
    )


def _any_year(random: Random) -> tuple[list[str], range]:
    return random.choice([[], ["*"]]), range(1970, 9999)


def _some_years(random: Random) -> tuple[list[str], set[int]]:
    first, more, step = random.randint(2015, 2035), random.randint(0, 9), random.randint(1, 7)
    text, values = random.choice(
        [
            (f"{first}", {first}),
            (f"{first}-{first + more}", set(range(first, first + more + 1))),
            (f"{first}-{first + more}/{step}", set(range(first, first + more + 1, step))),
            (f"{first}/{step}", set(range(first, 9999, step))),
            (f"*/{step}", set(range(1970, 9999, step))),
            (f"{first},{first + more}", {first, first + more}),
        ]
    )
    return [text, *random.choice([[], ["whatever"]])], values


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _nearest_weekday(day: date, number: int) -> int | None:
    """The day nearest to this one of all days in the month from Monday to Friday."""
    days = range(1, _length(day) + 1)
    weekdays = [each for each in days if day.replace(day=each).isoweekday() <= 5]
    return min(weekdays, key=lambda each: abs(each - number)) if number in days else None
