"""The time as documents carry it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> str:
    """Now, as ISO-8601 in UTC with `Z`, to the microsecond, trailing groups of zeros left out."""
    return iso(datetime.now(UTC))


def iso(timestamp: datetime) -> str:
    """`timestamp` (with a time zone) in the form of `now`."""
    timestamp = timestamp.astimezone(UTC).replace(tzinfo=None)
    timespec = (
        "microseconds"
        if timestamp.microsecond % 1000
        else "milliseconds"
        if timestamp.microsecond
        else "seconds"
    )
    return timestamp.isoformat(timespec=timespec) + "Z"


def ago(now: str, duration: timedelta) -> str:
    """The timestamp that long before `now`, which is in the form of `now()`; 1970 for durations that go back further."""
    end = datetime.fromisoformat(now)
    return iso(end - min(duration, end - _EPOCH))
