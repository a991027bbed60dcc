"""The commands that show how things stand: connectors, workers and summary."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click

from .connection import CONNECTORS, JOBS, Connection, pass_connection
from .job_views import connector_of
from .listing import filters, pages
from .output import Column, facts, print_for_people, print_json, print_table
from .parameters import RUNNING, STATUSES, Duration, as_json, duration_option, examples
from .texts import ago, duration, one_line

_PAGE = 100

_CONNECTOR_COLUMNS = (
    Column("ID"),
    Column("NAME", may_shrink=True),
    Column("SERVICE", may_shrink=True),
    Column("INDEX", may_shrink=True),
    Column("STATUS", may_shrink=True),
    Column("LAST SYNC"),
    Column("AGE", is_number=True),
)
_WORKER_COLUMNS = (
    Column("WORKER", may_shrink=True),
    Column("SEEN", is_number=True),
    Column("JOB"),
    Column("CONNECTOR", may_shrink=True),
    Column("TYPE", may_shrink=True),
    Column("STATUS"),
    Column("FOR", is_number=True),
)


@click.command(
    epilog=examples(
        "connectors", "connectors --service-type mysql", "connectors --query 'sales*' --json | jq -r .id"
    )
)
@click.option("--name", "connector_name", metavar="NAME", help="Only the connector of this name.")
@click.option("--index", "index_name", metavar="INDEX", help="Only the connector of this index.")
@click.option("--service-type", metavar="TYPE", help="Only connectors of this service type.")
@click.option("--query", metavar="TEXT", help="Only connectors that have it in their names or descriptions.")
@click.option("--include-deleted", is_flag=True, help="Also those that are marked as deleted.")
@as_json
@pass_connection
def connectors(connection: Connection, /, include_deleted: bool, as_json: bool, **wanted: str | None) -> None:
    """List connectors, with their last sync."""
    params: dict[str, str | int] = {name: value for name, value in wanted.items() if value}
    if include_deleted:
        params["include_deleted"] = "true"
    found = _connectors(connection, params)
    if as_json:
        for connector in found:
            print_json(connector)
    else:
        print_table(_CONNECTOR_COLUMNS, map(_connector_row, found), empty="There is no such connector.")


def _connectors(connection: Connection, params: dict[str, str | int]) -> Iterator[dict[str, Any]]:
    start, count = 0, 1
    while start < count:
        page = connection.get(CONNECTORS, **params | {"from": start, "size": _PAGE})
        yield from page["results"]
        count = page["count"]
        start += _PAGE


def _connector_row(connector: dict[str, Any]) -> tuple[Any, ...]:
    fields = ("id", "name", "service_type", "index_name", "status", "last_sync_status")
    return (*(connector.get(name) for name in fields), duration(connector.get("last_synced")))


@click.command(epilog=examples("workers", "workers --json | jq -r .worker_hostname"))
@as_json
@pass_connection
def workers(connection: Connection, as_json: bool) -> None:
    """List the workers that hold jobs, and their jobs.

    A worker without a job is not known here.
    """
    held = defaultdict(list)  # by the name; other programs may write a list
    for page in pages(connection, filters(None, [], list(RUNNING))):
        for job in page["results"]:
            held[one_line(job.get("worker_hostname"))].append(job)
    found = [_worker(jobs[0].get("worker_hostname"), jobs) for _, jobs in sorted(held.items())]
    if as_json:
        for worker in found:
            print_json(worker)
        return
    rows = [
        (
            worker["worker_hostname"] if job is worker["jobs"][0] else None,
            duration(job["last_seen"]),
            *(job[name] for name in ("id", "connector_id", "job_type", "status")),
            duration(job["since"]),
        )
        for worker in found
        for job in worker["jobs"]
    ]
    print_table(_WORKER_COLUMNS, rows, empty="No worker holds a job.")


def _worker(name: Any, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    shown = [
        {
            "id": job.get("id"),
            "connector_id": connector_of(job).get("id"),
            "job_type": job.get("job_type"),
            "status": job.get("status"),
            "since": job.get("claimed_at") or job.get("started_at"),
            "last_seen": job.get("last_seen"),
        }
        for job in jobs
    ]
    return {"worker_hostname": name, "jobs": shown}


@click.command(epilog=examples("summary", "summary --unclaimed-for 1h --idle-for 30m", "summary --json"))
@duration_option("--unclaimed-for", "5m", "How long a job may wait for a worker.")
@duration_option("--idle-for", "10m", "How long a worker may be silent.")
@as_json
@pass_connection
def summary(connection: Connection, unclaimed_for: Duration, idle_for: Duration, as_json: bool) -> None:
    """Show how the jobs are doing, all in all."""
    found = connection.get(f"{JOBS}/_summary", unclaimed_for=unclaimed_for, idle_for=idle_for)
    if as_json:
        print_json(found)
        return
    statuses = [status for status in STATUSES if found["by_status"][status]]
    counts = [
        (each["connector_id"], *(each["by_status"][status] for status in statuses))
        for each in (*found["by_connector"], {"connector_id": "all", "by_status": found["by_status"]})
    ]
    columns = [Column(status.upper(), is_number=True) for status in statuses]
    print_table([Column("CONNECTOR", may_shrink=True), *columns], counts, empty="")
    click.echo()
    print_for_people(facts(_attention(found, unclaimed_for, idle_for)))


def _attention(
    found: dict[str, Any], unclaimed_for: Duration, idle_for: Duration
) -> Iterator[tuple[str, Any]]:
    pending, idle = found["oldest_pending"], found["longest_idle"]
    yield "Oldest pending", pending and f"{pending['id']}, created {ago(pending['created_at'])}"
    yield "Longest idle", idle and f"{idle['id']} of {idle['worker_hostname']}, seen {ago(idle['last_seen'])}"
    yield f"Unclaimed for {unclaimed_for}", found["unclaimed"]
    yield f"Idle for {idle_for}", found["idle"]
    yield "Locked without a job", found["locked_without_job"]
    if "leader" in found:
        yield "Maintenance", _maintenance(found["leader"])


def _maintenance(leader: dict[str, Any] | None) -> str:
    """Who rescues and repairs for all replicas, and what came of it last."""
    if leader is None:
        return "by nobody"
    run = leader["last_run"] or {"at": None, "changes": {}, "failed": []}
    done = [f"{count} by {task}" for task, count in run["changes"].items() if count]
    done += [f"{task} failed" for task in run["failed"]]
    last = f", last {ago(run['at'])}" if run["at"] else ""
    return f"by {leader['name']}{last}{': ' if done else ''}{', '.join(done)}"
