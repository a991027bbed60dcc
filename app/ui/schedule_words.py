"""Schedules in words, where the words can be trusted.

The library that writes them reads simple fields rightly, and others not: it loses an `L` or `W` that stands in a list, knows no
ranges that go round (`FRI-MON`), takes each step for an even one (`*/45` is at 0 and 45 minutes), and writes of a list of hours as
if all happened at the full hour. So it is asked about forms that it is known to read rightly only, and gets them in one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from cron_descriptor import FormatError, Options, get_description

from app.connectors import cron
from app.connectors.cron_fields import DAY, HOUR, MONTH, SIXTIETH, WEEKDAY, Field

_OPTIONS: Final = Options(
    day_of_week_start_index_zero=False, use_24hour_time_format=True, locale_code="en_US"
)
_LONGEST: Final = 200
_FIELDS: Final = (6, 7)
_YEARS: Final = re.compile(r"\*|\d{4}(?:-\d{4})?|\d{4}(?:,\d{4})+")
# `29W` is no day of some months, though each has a weekday near its end; "1 days" is not English.
_LAST_DAYS: Final = re.compile(r"L|LW|L-(?:[2-9]|1\d|2[0-7])|(?:[1-9]|1\d|2[0-8])W")
_NTH_WEEKDAY: Final = re.compile(r"(?P<day>[1-7]|[A-Z]{3})(?P<rest>L|#[1-5])")
_STEP: Final = re.compile(r"(?P<first>\*|\d{1,2}|)/(?P<step>\d{1,2})")


def in_words(expression: Any) -> str | None:
    """The times of a cron expression as an English text; None for one that is invalid, or that nothing describes reliably."""
    return _described(expression) if isinstance(expression, str) and len(expression) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _described(expression: str) -> str | None:
    try:
        cron.parse(expression)
    except cron.CronError:
        return None
    texts = expression.upper().split()
    if len(texts) not in _FIELDS:
        return None
    _, minutes, hours, days, months, weekdays, year = [*texts, "*"][:7]
    times = _times(minutes, hours)
    fields = (
        _days(days),
        _steps(MONTH, months) or _list(MONTH, months),
        _weekdays(weekdays),
        _year(year),
    )
    if times is None or None in fields:
        return None
    try:
        # The seconds are ignored, as the public worker does.
        words = get_description(f"0 {times} {' '.join(map(str, fields))}", _OPTIONS)
    except FormatError:
        return None
    return f"{words}, UTC"


def _times(minutes: str, hours: str) -> str | None:
    """Both fields. What is said of the minutes must not depend on which hours they are of."""
    minute, hour = _list(SIXTIETH, minutes), _list(HOUR, hours)
    if minute is not None and minute.isdigit():
        return _joined(minute, hour if hour is not None and not _is_mixed(hour) else _steps(HOUR, hours))
    if hour is not None and hour.isdigit() and minute is not None and _is_range(minute):
        return f"{minute} {hour}"
    if hour is not None and hour.isdigit():
        hour = f"{hour}-{hour}"  # "between 09:00 and 09:59"
    if hour is None or "," in hour:
        return None
    if minute is None:
        minute = _steps(SIXTIETH, minutes)
    return _joined(None if minute is not None and _is_mixed(minute) else minute, hour)


def _joined(minute: str | None, hour: str | None) -> str | None:
    return None if minute is None or hour is None else f"{minute} {hour}"


def _days(text: str) -> str | None:
    return text if text == "?" or _LAST_DAYS.fullmatch(text) else _list(DAY, text)


def _weekdays(text: str) -> str | None:
    if text == "?":
        return text
    if match := _NTH_WEEKDAY.fullmatch(text):
        day = _number(WEEKDAY, match["day"])
        return None if day is None else f"{day}{match['rest']}"
    return _list(WEEKDAY, text)


def _year(text: str) -> str | None:
    if not _YEARS.fullmatch(text):
        return None
    first, _, last = text.partition("-")
    return None if last and int(first) >= int(last) else text


def _list(field: Field, text: str) -> str | None:
    """`*`, or numbers and ascending ranges; names become numbers."""
    if text == "*":
        return text
    items = []
    for item in text.split(","):
        numbers = [_number(field, each) for each in item.split("-")]
        if None in numbers or len(numbers) > 2 or not _ascend([each for each in numbers if each is not None]):
            return None
        items.append("-".join(map(str, numbers)))
    return ",".join(items)


def _steps(field: Field, text: str) -> str | None:
    """Steps that go on evenly beyond the end of the hour, the day or the year."""
    match = _STEP.fullmatch(text)
    if match is None:
        return None
    size = field.high - field.low + 1
    first = field.low if match["first"] in ("*", "") else int(match["first"])
    step = int(match["step"])
    if not 1 < step < size or size % step or not field.low <= first < field.low + step:
        return None
    if first == field.low:
        return f"*/{step}"
    return None if field is MONTH else f"{first}/{step}"


def _number(field: Field, text: str) -> int | None:
    if text in field.names:
        return field.names.index(text) + 1
    return int(text) if re.fullmatch(r"\d{1,2}", text) and field.low <= int(text) <= field.high else None


def _ascend(numbers: Sequence[int]) -> bool:
    return list(numbers) == sorted(set(numbers))


def _is_mixed(text: str) -> bool:
    """Whether a range stands in a list."""
    return "," in text and "-" in text


def _is_range(text: str) -> bool:
    return "-" in text and "," not in text
