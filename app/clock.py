"""The time as documents carry it."""

from __future__ import annotations

from datetime import UTC, datetime


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
