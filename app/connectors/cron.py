"""Schedules in Quartz's cron syntax: what a text says, or the error message that Elasticsearch has for it.

Six or seven fields, separated by blanks: second, minute, hour, day of month, month, day of week and, optionally, year. Case
doesn't matter. Exactly one of the two days is `?`. The order of the checks is part of the contract, since the first that
fails is what the caller reads. What follows a whole item of a field's list is ignored, as Elasticsearch does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from app.connectors.cron_fields import DAY, FIELDS, HOUR, INT_MAX, MONTH, SIXTIETH, WEEKDAY, YEAR, Field
from app.connectors.month_days import Day, DayOfMonth, DayOfWeek

# Far more than all values there are. Elasticsearch knows no limit, but each item of a list takes time.
_LONGEST = 65_536
_YEARS_AHEAD = 50
_LAST_DAY = re.compile(r"LW?|L-(?P<offset>[0-9]{1,9})W?")
_NUMBER = re.compile(r"[0-9]{1,10}(?![0-9])")
_NTH = re.compile(r"0*[1-5]")


class CronError(Exception):
    """What is wrong with an expression."""


class Cron(NamedTuple):
    """An expression without its seconds. What can never be has no values, for instance a minute `L`."""

    minutes: list[int]
    hours: list[int]
    days: set[Day]
    months: list[int]
    years: set[range]


_Item = range | Day


def violation(expression: str) -> str | None:
    """What is wrong with the expression, in Elasticsearch's words; None for a good one."""
    try:
        parse(expression)
    except CronError as error:
        return f"illegal cron expression format [java.lang.IllegalArgumentException: {error}]"
    return None


def parse(expression: str) -> Cron:
    """Read an expression.

    Raises:
        CronError: The first thing that is wrong with it.
    """
    expression = expression.upper()
    if len(expression) > _LONGEST:
        raise CronError(f"longer than [{_LONGEST}] characters")
    texts = [text.strip("\r\n") for text in re.split("[ \t]", expression) if text]
    open_days: set[Field] = set()  # the days that are `?`
    fields: list[set[_Item]] = []
    for field, text in zip(FIELDS, [*texts, "*"], strict=False):  # without a year, each
        _check_list(field, text)
        fields.append({_item(field, item, open_days) for item in text.split(",") if item})
    if len(texts) < len(FIELDS) - 1:
        raise CronError(f"unexpected end of expression at pos [{len(expression)}].")
    if len(open_days) != 1:
        raise CronError(
            "support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
        )
    _, minutes, hours, days, months, weekdays, years = fields
    return Cron(
        minutes=SIXTIETH.values(_spans(minutes)),
        hours=HOUR.values(_spans(hours)),
        days=_days(WEEKDAY, weekdays, DayOfWeek) if DAY in open_days else _days(DAY, days, DayOfMonth),
        months=MONTH.values(_spans(months)),
        years=_spans(years),
    )


def _spans(items: set[_Item]) -> set[range]:
    return {each for each in items if isinstance(each, range)}


def _days(field: Field, items: set[_Item], day: Callable[[int], Day]) -> set[Day]:
    """The days of a field; `day` makes one of a plain number."""
    special = {each for each in items if not isinstance(each, range)}
    return special.union(map(day, field.values(_spans(items))))


def _check_list(field: Field, text: str) -> None:
    """Raise for values that must not be combined with others in a list."""
    if field is DAY and not text.strip(","):
        raise _invalid(text)
    if field is DAY and "L" in text and "," in text:
        raise CronError("support for specifying 'L' and 'LW' with other days of the month is not implemented")
    if field is WEEKDAY and "L" in text and "," in text:
        raise CronError("support for specifying 'L' with other days of the week is not implemented")
    if field is WEEKDAY and text.count("#") > 1:
        raise CronError('support for specifying multiple "nth" days is not implemented.')


def _item(field: Field, item: str, open_days: set[Field]) -> _Item:
    """What one item of a list says."""
    first = item[0]
    if first == "?":
        return _open(field, item, open_days)
    if last_day := _LAST_DAY.fullmatch(item):
        return _last_day(field, item, int(last_day["offset"] or 0))
    if "A" <= first <= "Z":
        return _names(field, item)
    if first in "*/":
        return _every(field, item)
    if "0" <= first <= "9":
        return _value(field, item)
    raise CronError(f"Unexpected character [{first}] at pos [0] ")


def _open(field: Field, item: str, open_days: set[Field]) -> range:
    if len(item) > 2:
        raise CronError(f"illegal character [{item[1]}] after '?' at pos [1]")
    if field not in (DAY, WEEKDAY):
        raise CronError("'?' can only be specified for Day-of-Month or Day-of-Week. at pos [1]")
    if field is WEEKDAY and DAY in open_days:
        raise CronError("'?' can only be specified for Day-of-Month -OR- Day-of-Week. at pos [1]")
    open_days.add(field)
    return range(0)


def _last_day(field: Field, item: str, offset: int) -> _Item:
    """`L`, `LW`, `L-3` or `L-3W`; only a day of the month has more than the `L`, and other fields have no last value."""
    if field is WEEKDAY:
        return range(7, 8)
    if field is not DAY:
        return range(0)
    if offset > 30:
        raise CronError("offset from last day must be <= 30 at pos [2]")
    return DayOfMonth(-1 - offset, item.endswith("W"))


def _names(field: Field, item: str) -> _Item:
    """`MON`, `MON-FRI`, `MON#1` or `MONL`."""
    mark = item[3:4]
    values = []
    for position in (0, 4) if mark == "-" else (0,):
        name = item[position : position + 3]
        if not field.names:
            raise CronError(f"illegal characters [{name}] at pos [{position}] '")
        if name not in field.names:
            raise CronError(f"invalid {field.name} value [{name}] at pos [{position}]")
        values.append(field.names.index(name) + 1)
    if field is WEEKDAY and mark == "#":
        return DayOfWeek(values[0], _nth(item, 4))
    if field is WEEKDAY and mark == "L":
        return DayOfWeek(values[0], -1)
    return field.span(values[0], values[-1])


def _every(field: Field, item: str) -> range:
    """`*`, `*/5`, or `/5`."""
    if item == "/":
        raise CronError("'/' must be followed by an integer. at pos [0]")
    step = 1
    position = 1 if item[0] == "*" else 0
    if item[position : position + 1] == "/":
        position += 1
        if position == len(item):
            raise CronError(f"Unexpected end of string. at pos [{position}]")
        step, end = _number(item, position)
        if end < len(item):
            raise _invalid(item)
        if step > field.high:
            raise CronError(field.large_step.format(step, position + (2 if step > 10 else 1)))
    return field.span(field.low, field.high, step or 1)


def _value(field: Field, item: str) -> _Item:
    value, position = _number(item, 0)
    mark = item[position : position + 1]
    for option, allowed in (("L", WEEKDAY), ("W", DAY), ("#", WEEKDAY)):
        if mark == option and field is not allowed:
            raise CronError(f"'{option}' option is not valid here. at pos [{position}]")
    if mark == "#":
        return DayOfWeek(value, _nth(item, position + 1))
    if mark == "W":
        if value > 31:
            days = "(max number of days in a month)"
            rule = f"the 'W' option does not make sense with values larger than 31 {days}"
            raise CronError(f"{rule} at pos [{position}]")
        return DayOfMonth(value, nearest_weekday=True)
    values = _values(field, item, value, position)
    return DayOfWeek(value, -1) if mark == "L" else values


def _values(field: Field, item: str, value: int, position: int) -> range:
    """`5`, `5-10`, `5-10/2` or `5/2`, of which the first number has been read."""
    end, step = -1, 0
    mark = item[position : position + 1]
    if mark == "-":
        end, position = _number(item, position + 1)
        step = _number(item, position + 1)[0] if item[position : position + 1] == "/" else 1
    elif mark == "/":
        start = position + 1
        step, position = _number(item, start)
        if position == start + 1 and position < len(item):
            raise CronError(f"Unexpected character [{item[position]}] after '/' at pos [{position}]")
    if field is YEAR:
        last = datetime.now(UTC).year + _YEARS_AHEAD if end == -1 else end
        if step and value > last:
            raise CronError("Start year must be less than stop year")
    elif value < field.low or value > field.high or end > field.high:
        raise CronError(field.out_of_range)
    if not step:
        return range(value, value + 1)
    return field.span(value, end if end >= 0 else field.high, step)


def _nth(item: str, position: int) -> int:
    """The index of the day of the week in its month that stands after the `#`."""
    if not _NTH.fullmatch(item, position):
        raise CronError(f"a numeric value between 1 and 5 must follow the '#' option at pos [{position}]")
    return int(item[-1]) - 1


def _number(item: str, position: int) -> tuple[int, int]:
    """The number that starts here, and where it ends."""
    number = _NUMBER.match(item, position)
    if number is None or int(number[0]) > INT_MAX:
        raise _invalid(item)
    return int(number[0]), number.end()


def _invalid(text: str) -> CronError:
    return CronError(f"invalid value [{text}]")
