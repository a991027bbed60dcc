"""The time as documents carry it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """This instant as ISO-8601 in UTC with `Z`, to the microsecond, trailing groups of zeros left out."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    """`moment` (with a time zone) in the form of `now`."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    timespec = (
        "microseconds" if moment.microsecond % 1000 else "milliseconds" if moment.microsecond else "seconds"
    )
    return moment.isoformat(timespec=timespec) + "Z"
