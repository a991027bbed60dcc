"""The commands that change jobs: create, cancel and claim."""

from __future__ import annotations

import uuid
from typing import Any

import click

from .connection import JOBS, MANY_JOBS_SECONDS, Connection, job_path, pass_connection
from .failures import ExitStatus, Failure
from .listing import filters
from .output import print_json
from .parameters import (
    CANCELABLE,
    JOB_TYPES,
    TAKES_IDS,
    Duration,
    as_json,
    duration_option,
    examples,
    identifier,
    require_confirmation,
    several,
    yes,
)
from .watching import watch_options, watch_until_the_end


@click.command(
    context_settings=TAKES_IDS,
    epilog=examples(
        "create my-connector",
        "create my-connector --type incremental --if-active return --watch",
        "create my-connector --idempotency-key nightly-2026-01-31",
    ),
)
@click.argument("connector_id", metavar="CONNECTOR", type=identifier)
@click.option(
    "--type",
    "job_type",
    type=click.Choice(JOB_TYPES),
    default="full",
    show_default=True,
    help="What is synced.",
)
@click.option(
    "--trigger",
    type=click.Choice(["on_demand", "scheduled"]),
    default="on_demand",
    show_default=True,
    help="Who wants the job.",
)
@click.option(
    "--if-active",
    type=click.Choice(["create", "refuse", "return"]),
    help="What to do where the connector has an active job of this type: create one more (as without this option), fail, or "
    "take that one.",
)
@click.option(
    "--idempotency-key", metavar="KEY", help="The same command with the same key creates no second job."
)
@click.option("--watch", is_flag=True, help="Watch the job until its end, as `watch` does.")
@watch_options
@as_json
@pass_connection
def create(
    connection: Connection,
    /,
    connector_id: str,
    job_type: str,
    trigger: str,
    if_active: str | None,
    idempotency_key: str | None,
    watch: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Create a sync job for a connector, and print its id."""
    made = connection.request(
        "POST",
        JOBS,
        params={"if_active": if_active} if if_active else {},
        body={"id": connector_id, "job_type": job_type, "trigger_method": trigger},
        # The client sends a request again when its connection breaks; with a key that makes no second job.
        headers={"idempotency-key": idempotency_key or uuid.uuid4().hex},
    )
    if as_json:
        print_json(made)
    else:
        click.echo(made["id"])
    if watch:
        watch_until_the_end(connection, made["id"], as_json=as_json, **options)


@click.command(
    context_settings=TAKES_IDS,
    epilog=examples(
        "cancel DOP_Mz2KAhPuoFVrWq3L",
        "cancel --connector my-connector --status pending,suspended",
        "cancel --type access_control --yes",
    ),
)
@click.argument("job_ids", metavar="[ID]...", nargs=-1, type=identifier)
@click.option("--connector", metavar="ID", help="All jobs of this connector.")
@several("--type", JOB_TYPES, "All jobs of this type")
@several("--status", CANCELABLE, "All jobs with this status")
@yes
@as_json
@pass_connection
def cancel(
    connection: Connection,
    job_ids: tuple[str, ...],
    connector: str | None,
    type: list[str],  # noqa: A002
    status: list[str],
    yes: bool,
    as_json: bool,
) -> None:
    """Cancel sync jobs: those with these ids, or all that meet the filters.

    Jobs that wait are canceled at once, workers are asked to stop those that run.
    """
    if bool(job_ids) == bool(connector or type or status):
        raise click.UsageError(
            "Give either ids of jobs, or at least one of --connector, --type and --status."
        )
    if job_ids:
        _cancel_each(connection, job_ids, as_json)
        return
    done = {"canceled": 0, "canceling": 0, "conflicts": 0}
    count = connection.get(JOBS, size=0, **filters(connector, type, status or list(CANCELABLE)))["count"]
    if count and not yes:
        require_confirmation(f"Cancel {count} {'job' if count == 1 else 'jobs'}?")
    if count:
        lists = {"connector_id": connector, "job_types": type, "statuses": status}
        done = connection.request(
            "POST",
            f"{JOBS}/_cancel",
            body={name: value for name, value in lists.items() if value},
            extra_seconds=MANY_JOBS_SECONDS,
        )
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{done['canceled']} canceled, {done['canceling']} canceling, {done['conflicts']} changed meanwhile"
        )


def _cancel_each(connection: Connection, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel jobs by id. One that is refused, or missing, does not keep the others from it."""
    refused: Failure | None = None
    for job_id in job_ids:
        try:
            done = connection.request("PUT", f"{job_path(job_id)}/_cancel")
        except Failure as failure:
            if failure.http_status not in (400, 404, 409):
                raise
            if refused:
                refused.show()
            refused = failure
        else:
            if as_json:
                print_json({"id": job_id, **done})
            else:
                click.echo(job_id)
    if refused:
        raise refused


@click.command(
    epilog=examples(
        "claim --worker host-1-4f2a --wait 30s",
        "claim --worker host-1-4f2a --type full,incremental --limit 5 --json",
    )
)
@click.option(
    "--worker", required=True, metavar="NAME", help="The worker that gets the jobs; no two may share a name."
)
@click.option(
    "--connector",
    "connectors",
    metavar="ID",
    multiple=True,
    help="Only jobs of this connector; repeat it for several.",
)
@several("--type", JOB_TYPES, "Only jobs of this type")
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="How many jobs at most.",
)
@duration_option("--wait", "0s", "How long to wait for a first job, 60s at most.")
@as_json
@pass_connection
def claim(
    connection: Connection,
    worker: str,
    connectors: tuple[str, ...],
    type: list[str],  # noqa: A002
    limit: int,
    wait: Duration,
    as_json: bool,
) -> None:
    """Claim the jobs that have waited longest, for scripts that run them.

    Prints their ids, one a line; with --json the jobs, one a line, with the configuration of their connectors. The exit status
    is 7 where there is no job.
    """
    lists = {"connector_ids": list(connectors), "job_types": type}
    # The client sends a request again when its connection breaks; with a request id it gets the same jobs.
    body = {"worker_hostname": worker, "limit": limit, "wait": wait, "request_id": uuid.uuid4().hex}
    jobs = connection.request(
        "POST",
        f"{JOBS}/_claim",
        body=body | {name: value for name, value in lists.items() if value},
        extra_seconds=wait.seconds,
    )["results"]
    for job in jobs:
        if as_json:
            print_json(job, with_configuration=True)
        else:
            click.echo(job["id"])
    if not jobs:
        click.echo("There is no job to claim.", err=True)
        raise click.exceptions.Exit(ExitStatus.NO_JOB)
