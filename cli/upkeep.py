"""The commands that end and delete jobs by rule: rescue and prune. They show what they would do first."""

from __future__ import annotations

from typing import Any

import click

from .connection import JOBS, MANY_JOBS_SECONDS, Connection, pass_connection
from .output import Column, print_json, print_table
from .parameters import Duration, as_json, dry_run, duration_option, examples, require_confirmation, yes
from .texts import ago

_RESCUED_COLUMNS = (
    Column("ID"),
    Column("CONNECTOR", may_shrink=True),
    Column("STATUS"),
    Column("WORKER", may_shrink=True),
    Column("LAST SEEN", is_number=True),
)


@click.command(epilog=examples("rescue", "rescue --idle-for 30m --dry-run", "rescue --idle-for 1h --yes"))
@duration_option("--idle-for", "10m", "How long a worker must have been silent.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1_000,
    show_default=True,
    help="How many jobs at most.",
)
@dry_run
@yes
@as_json
@pass_connection
def rescue(
    connection: Connection, idle_for: Duration, limit: int, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """End the jobs that no worker will end.

    Running jobs of silent workers end as errors, or as canceled where that was asked for; waiting jobs of connectors that are
    gone are canceled. Without --yes it shows them first, and asks.
    """

    def send(is_dry: bool) -> Any:
        body = {"idle_for": idle_for, "limit": limit, "dry_run": is_dry}
        return connection.request("POST", f"{JOBS}/_rescue", body=body, extra_seconds=MANY_JOBS_SECONDS)

    def show(found: Any, what: str, *, stderr: bool = False) -> None:
        rows = [
            [
                *(each[name] for name in ("id", "connector_id", "status", "worker_hostname")),
                ago(each["last_seen"]),
            ]
            for each in found["rescued"]
        ]
        print_table(_RESCUED_COLUMNS, rows, empty="There is no such job.", stderr=stderr)
        more = "; there are more, so repeat the command" if found["truncated"] else ""
        if rows:
            click.echo(f"{len(rows)} {what}{more}.", err=True)

    if dry_run or yes:
        done = send(dry_run)
    else:
        done = send(True)
        if done["rescued"]:
            show(done, "would end", stderr=True)
            require_confirmation("End them?")
            done = send(False)
    if as_json:
        print_json(done)
    else:
        show(done, "would end" if dry_run else "ended")


@click.command(epilog=examples("prune", "prune --finished-for 90d --keep-last 3 --dry-run", "prune --yes"))
@duration_option("--finished-for", "30d", "How long ago a job must have ended.")
@click.option(
    "--keep-last",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many finished jobs of each connector and type stay in any case.",
)
@dry_run
@yes
@as_json
@pass_connection
def prune(
    connection: Connection, finished_for: Duration, keep_last: int, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Delete jobs that ended long ago.

    Without --yes it says first how many, and asks.
    """

    def send(is_dry: bool) -> Any:
        body = {"finished_for": finished_for, "keep_last": keep_last, "dry_run": is_dry}
        return connection.request("POST", f"{JOBS}/_prune", body=body, extra_seconds=MANY_JOBS_SECONDS)

    if dry_run or yes:
        done = send(dry_run)
    else:
        count, done = send(True)["would_delete"], {"deleted": 0}
        if count:
            require_confirmation(f"Delete {count} {'job' if count == 1 else 'jobs'}?")
            done = send(False)
    if as_json:
        print_json(done)
    elif dry_run:
        click.echo(f"{done['would_delete']} would be deleted")
    else:
        click.echo(f"{done['deleted']} deleted")
