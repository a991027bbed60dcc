"""The filters of the list of jobs, as they stand in its address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from app import clock, time_values, timestamps
from app.errors import illegal_argument
from app.protocol import JobType, SyncStatus
from app.sync_jobs.queries import JobFilter

LISTS: Final = {"status": tuple(SyncStatus), "type": tuple(JobType)}
"""The filters with several values, and which ones."""
TEXTS: Final = ("connector", "worker", "error")
TIMES: Final = ("from", "to", "ended_from", "ended_to")
DURATIONS: Final = ("within", "silent_for", "waiting_for")
OF_CANCEL: Final = frozenset({"connector", "type", "status"})
"""The filters by which all jobs can be canceled at once, as in `POST /_connector/_sync_job/_cancel`."""


def given(parameters: MultiDict[str, str]) -> dict[str, Any]:
    """The filters that an address has, as texts, so that other addresses can have them, too."""
    found: dict[str, Any] = {
        name: values for name in LISTS if (values := [v for v in parameters.getlist(name) if v])
    }
    for name in (*TEXTS, *TIMES, *DURATIONS):
        if value := parameters.get(name):
            found[name] = value
    return found


def read(filters: Mapping[str, Any]) -> JobFilter:
    """What the filters mean. Raises `ApiError` 400 for those that mean nothing."""
    for name, known in LISTS.items():
        for value in filters.get(name, ()):
            if value not in known:
                raise illegal_argument(f"[{name}] is one of {', '.join(known)}, not [{value}].")
    durations = {name: _duration(name, filters[name]) for name in DURATIONS if name in filters}
    times = {name: _time(name, filters[name]) for name in TIMES if name in filters}
    created_from = times.get("from")
    if within := durations.get("within"):
        created_from = max(created_from or "", clock.ago(clock.iso(datetime.now(UTC)), within))
    return JobFilter(
        connector_id=filters.get("connector"),
        statuses=tuple(filters.get("status", ())),
        job_types=tuple(filters.get("type", ())),
        worker_hostname=filters.get("worker"),
        error=filters.get("error"),
        created_from=created_from,
        created_before=times.get("to"),
        ended_from=times.get("ended_from"),
        ended_before=times.get("ended_to"),
        idle_for=durations.get("silent_for"),
        waiting_for=durations.get("waiting_for"),
    )


def _time(name: str, text: str) -> str:
    try:
        return timestamps.iso_timestamp(text)
    except timestamps.InvalidTimestamp:
        raise illegal_argument(f"[{name}] is a time such as 2026-01-31T12:00Z, not [{text}].") from None


def _duration(name: str, text: str) -> timedelta:
    try:
        return time_values.parse(name, text)
    except time_values.InvalidTimeValue:
        raise illegal_argument(f"[{name}] is a time value such as 10m, 24h or 7d, not [{text}].") from None
