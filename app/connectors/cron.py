"""Schedules in Quartz's cron syntax: whether Elasticsearch would accept a text, and its error message if not.

Six or seven fields, separated by blanks: second, minute, hour, day of month, month, day of week and, optionally, year. Case
doesn't matter. Exactly one of the two days is `?`. The order of the checks is part of the contract, since the first that
fails is what the caller reads. What follows a whole item of a field's list is ignored, as Elasticsearch does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

# Far more than all values there are. Elasticsearch knows no limit, but each item of a list takes time.
_LONGEST = 65_536
_YEARS_AHEAD = 50
_INT_MAX = 2**31 - 1
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LAST_DAY = re.compile(r"LW?|L-(?P<offset>[0-9]{1,9})W?")
_NUMBER = re.compile(r"[0-9]{1,10}(?![0-9])")
_NTH = re.compile(r"0*[1-5]")


class CronError(Exception):
    """What is wrong with an expression."""


class _Field(NamedTuple):
    """One of the seven fields: the range of its values and of the step behind `*`, and what it says beyond."""

    name: str
    low: int
    high: int
    out_of_range: str
    large_step: str
    names: tuple[str, ...] = ()


_SIXTIETH_RANGE = "Minute and Second values must be between 0 and 59"
_DAY_RANGE = "Day of month values must be between 1 and 31"
_WEEKDAY_RANGE = "Day-of-Week values must be between 1 and 7"
_SIXTIETH = _Field("Second or Minute", 0, 59, _SIXTIETH_RANGE, "increment [{}] > 60 at pos [{}]")
_HOUR = _Field("Hour", 0, 23, "Hour values must be between 0 and 23", "increment [{}] > 24 at pos [{}]")
_DAY = _Field("Day", 1, 31, _DAY_RANGE, "increment [{}] > 31 at pos [{}] ")
_MONTH = _Field(
    "Month", 1, 12, "Month values must be between 1 and 12", "increment [{}] > 12 at pos [{}]", _MONTHS
)
_WEEKDAY = _Field("Day-of-Week", 1, 7, _WEEKDAY_RANGE, "increment [{}] > 7 at pos [{}] ", _WEEKDAYS)
_YEAR = _Field("Year", 0, _INT_MAX, "", "")
_FIELDS = (_SIXTIETH, _SIXTIETH, _HOUR, _DAY, _MONTH, _WEEKDAY, _YEAR)


def violation(expression: str) -> str | None:
    """What is wrong with the expression, in Elasticsearch's words; None for a good one."""
    try:
        _check(expression.upper())
    except CronError as error:
        return f"illegal cron expression format [java.lang.IllegalArgumentException: {error}]"
    return None


def _check(expression: str) -> None:
    if len(expression) > _LONGEST:
        raise CronError(f"longer than [{_LONGEST}] characters")
    texts = [text.strip("\r\n") for text in re.split("[ \t]", expression) if text]
    open_days: set[_Field] = set()  # the days that are `?`
    for field, text in zip(_FIELDS, texts, strict=False):
        _check_list(field, text)
        for item in filter(None, text.split(",")):
            if item.startswith("?"):
                _check_open(field, item, open_days)
            else:
                _check_item(field, item)
    if len(texts) < len(_FIELDS) - 1:
        raise CronError(f"unexpected end of expression at pos [{len(expression)}].")
    if len(open_days) != 1:
        raise CronError(
            "support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
        )


def _check_list(field: _Field, text: str) -> None:
    """Raise for values that must not be combined with others in a list."""
    if field is _DAY and not text.strip(","):
        raise _invalid(text)
    if field is _DAY and "L" in text and "," in text:
        raise CronError("support for specifying 'L' and 'LW' with other days of the month is not implemented")
    if field is _WEEKDAY and "L" in text and "," in text:
        raise CronError("support for specifying 'L' with other days of the week is not implemented")
    if field is _WEEKDAY and text.count("#") > 1:
        raise CronError('support for specifying multiple "nth" days is not implemented.')


def _check_open(field: _Field, item: str, open_days: set[_Field]) -> None:
    if len(item) > 2:
        raise CronError(f"illegal character [{item[1]}] after '?' at pos [1]")
    if field not in (_DAY, _WEEKDAY):
        raise CronError("'?' can only be specified for Day-of-Month or Day-of-Week. at pos [1]")
    if field is _WEEKDAY and _DAY in open_days:
        raise CronError("'?' can only be specified for Day-of-Month -OR- Day-of-Week. at pos [1]")
    open_days.add(field)


def _check_item(field: _Field, item: str) -> None:
    first = item[0]
    if last_day := _LAST_DAY.fullmatch(item):
        if field is _DAY and int(last_day["offset"] or 0) > 30:
            raise CronError("offset from last day must be <= 30 at pos [2]")
    elif "A" <= first <= "Z":
        _check_name(field, item)
    elif first in "*/":
        _check_every(field, item)
    elif "0" <= first <= "9":
        _check_value(field, item)
    else:
        raise CronError(f"Unexpected character [{first}] at pos [0] ")


def _check_name(field: _Field, item: str) -> None:
    for position in (0, 4) if item[3:4] == "-" else (0,):
        name = item[position : position + 3]
        if not field.names:
            raise CronError(f"illegal characters [{name}] at pos [{position}] '")
        if name not in field.names:
            raise CronError(f"invalid {field.name} value [{name}] at pos [{position}]")
    if field is _WEEKDAY and item[3:4] == "#":
        _check_nth(item, 4)


def _check_every(field: _Field, item: str) -> None:
    """`*`, `*/5`, or `/5`."""
    if item == "/":
        raise CronError("'/' must be followed by an integer. at pos [0]")
    position = 1 if item[0] == "*" else 0
    if item[position : position + 1] != "/":
        return
    position += 1
    if position == len(item):
        raise CronError(f"Unexpected end of string. at pos [{position}]")
    step, end = _number(item, position)
    if end < len(item):
        raise _invalid(item)
    if step > field.high:
        raise CronError(field.large_step.format(step, position + (2 if step > 10 else 1)))


def _check_value(field: _Field, item: str) -> None:
    value, position = _number(item, 0)
    mark = item[position : position + 1]
    for option, allowed in (("L", _WEEKDAY), ("W", _DAY), ("#", _WEEKDAY)):
        if mark == option and field is not allowed:
            raise CronError(f"'{option}' option is not valid here. at pos [{position}]")
    if mark == "#":
        _check_nth(item, position + 1)
    elif mark == "W":
        if value > 31:
            days = "(max number of days in a month)"
            rule = f"the 'W' option does not make sense with values larger than 31 {days}"
            raise CronError(f"{rule} at pos [{position}]")
    else:
        _check_range(field, item, value, position)


def _check_range(field: _Field, item: str, value: int, position: int) -> None:
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
    if field is _YEAR:
        last = datetime.now(UTC).year + _YEARS_AHEAD if end == -1 else end
        if step and value > last:
            raise CronError("Start year must be less than stop year")
    elif value < field.low or value > field.high or end > field.high:
        raise CronError(field.out_of_range)


def _check_nth(item: str, position: int) -> None:
    if not _NTH.fullmatch(item, position):
        raise CronError(f"a numeric value between 1 and 5 must follow the '#' option at pos [{position}]")


def _number(item: str, position: int) -> tuple[int, int]:
    """The number that starts here, and where it ends."""
    number = _NUMBER.match(item, position)
    if number is None or int(number[0]) > _INT_MAX:
        raise _invalid(item)
    return int(number[0]), number.end()


def _invalid(text: str) -> CronError:
    return CronError(f"invalid value [{text}]")
