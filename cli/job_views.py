"""How people see a sync job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .output import Column, timestamp
from .parameters import RUNNING
from .texts import duration, one_line

JOB_COLUMNS = (
    Column("ID"),
    Column("CONNECTOR", may_shrink=True),
    Column("TYPE", may_shrink=True),
    Column("STATUS"),
    Column("AGE", is_number=True),
    Column("TOOK", is_number=True),
    Column("DOCS", is_number=True),
    Column("WORKER", may_shrink=True),
)


def job_row(job: dict[str, Any]) -> tuple[Any, ...]:
    """The cells of `JOB_COLUMNS`."""
    return (
        job.get("id"),
        connector_of(job).get("id"),
        job.get("job_type"),
        job.get("status"),
        duration(job.get("created_at")),
        _time_taken(job),
        job.get("indexed_document_count"),
        job.get("worker_hostname"),
    )


def job_facts(job: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """All about a job, by name."""
    connector = connector_of(job)
    created, started = job.get("created_at"), job.get("started_at")
    yield "Sync job", job.get("id")
    yield "Status", job.get("status")
    yield "Type", ", ".join(one_line(job[key]) for key in ("job_type", "trigger_method") if job.get(key))
    yield "Connector", connector.get("id")
    yield "Service type", connector.get("service_type")
    yield "Index", connector.get("index_name")
    yield "Worker", job.get("worker_hostname")
    yield "Created", timestamp(created)
    yield "Started", _after(started, created, "waited")
    if job.get("claimed_at") != started:
        yield "Claimed", timestamp(job.get("claimed_at"))
    yield "Last seen", timestamp(job.get("last_seen"))
    yield "Cancel asked", timestamp(job.get("cancelation_requested_at"))
    yield "Ended", _after(job.get("completed_at"), started, "ran")
    yield "Documents", progress(job)
    yield "Error", job.get("error")


def progress(job: dict[str, Any]) -> str:
    """What a job has done so far. Many workers never report a volume or a total, which then are zero."""
    counters = (
        ("indexed_document_count", "indexed", (None,)),
        ("deleted_document_count", "deleted", (None,)),
        ("indexed_document_volume", "MiB", (None, 0)),
        ("total_document_count", "in the index", (None, 0)),
    )
    return ", ".join(
        f"{one_line(job[key])} {what}" for key, what, unknown in counters if job.get(key) not in unknown
    )


def connector_of(job: dict[str, Any]) -> dict[str, Any]:
    """What a job says about its connector; other programs write jobs, too, so it may say nothing."""
    connector = job.get("connector")
    return connector if isinstance(connector, dict) else {}


def _time_taken(job: dict[str, Any]) -> str:
    end = job.get("completed_at")
    return duration(job.get("started_at"), end) if end or job.get("status") in RUNNING else ""


def _after(value: Any, before: Any, what: str) -> str:
    between = duration(before, value, parts=2) if value is not None else ""
    return timestamp(value) + (f", {what} {between}" if between else "")
