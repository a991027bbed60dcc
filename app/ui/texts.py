"""Values as people read them. Other programs store these documents, too, so each takes whatever it is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Undefined

from app import json_codec, timestamps
from app.protocol import SyncStatus
from app.wire.uri import PAGE_PATH

NOTHING: Final = "–"
STATUSES: Final = frozenset(SyncStatus)
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def plain(value: Any) -> str:
    """A stored value as a text: texts as they are, all else as JSON."""
    if value is None or value == "" or isinstance(value, Undefined):
        return NOTHING
    return value if isinstance(value, str) else json_codec.dumps(value).decode()


def count(value: Any) -> str:
    """A whole number with separators between thousands."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else plain(value)


def jobs(number: Any) -> str:
    """A number of jobs in words."""
    return f"{number:,} job" if number == 1 else f"{number:,} jobs"


def duration(value: Any) -> str:
    """A duration in its two largest units: `2 h 5 min`."""
    if not isinstance(value, timedelta):
        return NOTHING
    seconds = value.total_seconds()
    if abs(seconds) < 1:
        return f"{round(seconds * 1000)} ms"
    parts: list[str] = []
    rest = abs(round(seconds))
    for unit, size in _UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number} {unit}" if number else "")
        if len(parts) == 2:
            break
    return ("-" if seconds < 0 else "") + " ".join(filter(None, parts))


def ago(value: Any) -> str:
    """How long ago it was, or in how long it will be, in the largest unit."""
    moment = value if isinstance(value, datetime) else timestamps.read(value)
    if moment is None:
        return NOTHING
    passed = datetime.now(UTC) - moment
    if abs(passed) < timedelta(seconds=1):
        return "just now"
    about = " ".join(duration(abs(passed)).split()[:2])
    return f"{about} ago" if passed > timedelta(0) else f"in {about}"


def utc(value: Any) -> str:
    """A time as a person reads it, in UTC; the page itself shows the reader's zone."""
    moment = value if isinstance(value, datetime) else timestamps.read(value)
    return plain(value) if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def machine_time(value: Any) -> str:
    """A time as HTML's `datetime` attribute takes it; empty for what is none."""
    moment = value if isinstance(value, datetime) else timestamps.read(value)
    return (
        ""
        if moment is None
        else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def words(value: Any) -> str:
    """A word of the protocol, such as `in_progress` or `access_control`, as people write it."""
    return plain(value).replace("_", " ")


def status_class(status: Any) -> str:
    """The class by which style sheets know the status of a job."""
    return f"is-{status}" if isinstance(status, str) and status in STATUSES else "is-unknown"


def address(path: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> str:
    """The address of a part of the page; parameters that are None or empty are left out.

    Ids are parameters, never parts of the path: browsers take `..` in a path for the folder above.
    """
    given = {
        key: value for key, value in {**(parameters or {}), **more}.items() if value not in (None, "", [], ())
    }
    # Half a surrogate pair, which others may have stored, has no place in any text that is sent.
    query = urlencode(given, doseq=True, errors="replace", quote_via=quote)
    return f"{PAGE_PATH}{path}?{query}" if query else f"{PAGE_PATH}{path}"
