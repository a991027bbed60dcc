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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        InvalidTimestamp: for any other text, and for years other than 1 to 9999.
    """
    if not text:
        raise InvalidTimestamp("cannot parse empty datetime")
    try:
        if match := _ISO.fullmatch(text):
            second, nanos = _from_iso(text, match)
        elif match := _EPOCH_MILLIS.fullmatch(text):
            second, nanos = _from_millis(match)
        else:
            raise _unreadable(text)
    except OverflowError:
        raise _unreadable(text) from None
    digits = f"{nanos:09d}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{second.replace(tzinfo=None).isoformat()}.{digits}Z"


def read(value: object) -> datetime | None:
    """The timestamp that a stored value means, as Elasticsearch reads it; None for others, since any program may have stored it."""
    try:
        return datetime.fromisoformat(iso_timestamp(str(value)))
    except InvalidTimestamp:
        return None


def _unreadable(text: str) -> InvalidTimestamp:
    reason = f"failed to parse date field [{text}] with format [{_FORMAT}]"
    return InvalidTimestamp(reason, inner_reason="Failed to parse with all enclosed parsers")


def _from_iso(text: str, match: re.Match[str]) -> tuple[datetime, int]:
    """The second, and nanoseconds beyond it."""
    year, month, day, hour, minute, second = (
        int(match[name] or least)
        for name, least in (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    if not (
        year >= 1 and 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 59
    ):
        raise _unreadable(text)
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        name = date(2000, month, 1).strftime("%B").upper()
        leap = f"Invalid date 'February 29' as '{year}' is not a leap year"
        reason = leap if (month, day) == (2, 29) else f"Invalid date '{name} {day}'"
        raise InvalidTimestamp(reason, "date_time_exception") from None
    moment = local.replace(tzinfo=_zone(text, match["zone"])).astimezone(UTC)
    return moment, int((match["fraction"] or "0").ljust(9, "0"))


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


def _from_millis(match: re.Match[str]) -> tuple[datetime, int]:
    nanos = int(match["millis"] + (match["fraction"] or "").ljust(6, "0"))
    seconds, nanos = divmod(-nanos if match["sign"] else nanos, 1_000_000_000)
    return _EPOCH + timedelta(seconds=seconds), nanos
