"""Texts that Elasticsearch's date fields read (`strict_date_optional_time||epoch_millis`), as one ISO form."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_FORMAT = "strict_date_optional_time||epoch_millis"
_ISO = re.compile(
    r"(?P<year>-?\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?:(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?(?P<zone>\D.*)?)?)?)?)?",
    re.ASCII,
)
_OFFSET = re.compile(
    r"(?P<prefix>UTC|GMT|UT)?(?P<sign>[+-])(?P<hours>\d\d?)"
    r"(?::(?P<minutes>\d\d)(?::(?P<seconds>\d\d))?|(?P<digits>\d\d(?:\d\d)?))?",
    re.ASCII,
)
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]+", re.ASCII)
# Names in Python's list that Elasticsearch does not have.
_NO_REGION = re.compile(r"(?:EST|MST|HST|Factory|localtime|posixrules)$|(?:posix|right)/")
_EPOCH_MILLIS = re.compile(r"(?P<sign>-?)(?P<millis>\d{1,19})(?:\.(?P<fraction>\d{0,6}))?", re.ASCII)
_NANOS_A_MILLI = 1_000_000
_NANOS_A_DAY = 86_400 * 1_000_000_000
_LARGEST_LONG = (1 << 63) - 1
_EPOCH = date(1970, 1, 1).toordinal()
# The calendar repeats every 400 years. Python's ends with the years 1 and 9999, Elasticsearch's goes on.
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097


class InvalidTimestamp(ValueError):
    """A text that is no timestamp: `type` and `reason` of the error, and the reason of the cause below it if any."""

    def __init__(
        self, reason: str, error_type: str = "illegal_argument_exception", inner_reason: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.type = error_type
        self.inner_reason = inner_reason


def iso_timestamp(text: str) -> str:
    """The timestamp as ISO 8601 in UTC: `2024-03-01T10:11:12.123Z`, with 3, 6 or 9 fractional digits.

    Raises:
        InvalidTimestamp: for any other text.
    """
    if not text:
        raise InvalidTimestamp("cannot parse empty datetime")
    if match := _ISO.fullmatch(text):
        nanos = _from_iso(text, match)
    elif match := _EPOCH_MILLIS.fullmatch(text):
        nanos = _from_millis(text, match)
    else:
        raise _unreadable(text)
    return _written(nanos)


def _unreadable(text: str) -> InvalidTimestamp:
    reason = f"failed to parse date field [{text}] with format [{_FORMAT}]"
    return InvalidTimestamp(reason, inner_reason="Failed to parse with all enclosed parsers")


def _from_iso(text: str, match: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (
        int(match[name] or least)
        for name, least in (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 59):
        raise _unreadable(text)
    cycles = (year - 2000) // _CYCLE_YEARS  # 2000 to 2399 stand for all others
    try:
        local = datetime(year - cycles * _CYCLE_YEARS, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        name = date(2000, month, 1).strftime("%B").upper()
        leap = f"Invalid date 'February 29' as '{year}' is not a leap year"
        raise InvalidTimestamp(
            leap if (month, day) == (2, 29) else f"Invalid date '{name} {day}'", "date_time_exception"
        ) from None
    moment = local.replace(tzinfo=_zone(text, match["zone"])).astimezone(UTC)
    days = moment.toordinal() - _EPOCH + cycles * _CYCLE_DAYS
    seconds = days * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    return seconds * 1_000_000_000 + int((match["fraction"] or "0").ljust(9, "0"))


def _zone(text: str, name: str | None) -> timezone | ZoneInfo:
    if name is None or name in ("Z", "UTC", "GMT", "UT"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        return _offset(text, match)
    if not _REGION.fullmatch(name) or _NO_REGION.match(name):
        raise _unreadable(text)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _unreadable(text) from None


def _offset(text: str, match: re.Match[str]) -> timezone:
    digits = match["digits"] or ""
    hours = int(match["hours"])
    minutes = int(match["minutes"] or digits[:2] or 0)
    seconds = int(match["seconds"] or digits[2:] or 0)
    # One digit will do after a prefix, and then alone.
    short = len(match["hours"]) == 1 and not (match["prefix"] and match.end("hours") == match.end())
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if short or minutes > 59 or seconds > 59 or offset > timedelta(hours=18):
        raise _unreadable(text)
    return timezone(-offset if match["sign"] == "-" else offset)


def _from_millis(text: str, match: re.Match[str]) -> int:
    millis = int(match["millis"])
    if millis > _LARGEST_LONG:
        raise _unreadable(text)
    nanos = millis * _NANOS_A_MILLI + int((match["fraction"] or "0").ljust(6, "0"))
    return -nanos if match["sign"] else nanos


def _written(nanos: int) -> str:
    days, rest = divmod(nanos, _NANOS_A_DAY)
    cycles, days = divmod(days + _EPOCH - date(2000, 1, 1).toordinal(), _CYCLE_DAYS)
    day = date.fromordinal(days + date(2000, 1, 1).toordinal())
    year = day.year + cycles * _CYCLE_YEARS
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    seconds, fraction = divmod(rest, 1_000_000_000)
    digits = f"{fraction:09d}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{sign}{abs(year):04d}-{day:%m-%d}T{clock}.{digits}Z"
