"""Texts for people: what a terminal may be sent, and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def printable(text: str) -> str:
    """The text without what a terminal would act on (control and escape characters) or not show; line breaks stay."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}"
        for each in text.replace("\r\n", "\n").replace("\t", " ")
    )


def one_line(value: Any) -> str:
    """A value from a document in one line; nothing where there is none."""
    return "" if value is None else " ".join(printable(str(value)).split())


def parse_timestamp(value: Any) -> datetime | None:
    """A timestamp of a document; None where there is none, or where it cannot be read."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def duration(start: Any, end: Any = None, *, parts: int = 1) -> str:
    """The time between two timestamps, as in `3h`, or in `3h 12m` of two parts; nothing where one cannot be read.

    Without `end` it is the time until now.
    """
    since, until = parse_timestamp(start), datetime.now(UTC) if end is None else parse_timestamp(end)
    if since is None or until is None:
        return ""
    seconds = max(0, int((until - since).total_seconds()))
    shown = []
    for unit, size in _UNITS:
        number, seconds = divmod(seconds, size)
        if number:
            shown.append(f"{number}{unit}")
    return " ".join(shown[:parts]) or "0s"


def ago(timestamp: Any) -> str:
    """How long ago a timestamp was, as in `3h ago`; nothing where it cannot be read."""
    passed = duration(timestamp)
    return passed and f"{passed} ago"
