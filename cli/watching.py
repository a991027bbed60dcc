"""The command `watch`: a job's progress until its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from .connection import Connection, job_path, pass_connection
from .failures import ExitStatus, Failure
from .job_views import job_facts, progress
from .output import console, facts, print_json
from .parameters import TAKES_IDS, Duration, as_json, duration_option, examples, identifier, together
from .texts import one_line

_ENDS = {
    "completed": ExitStatus.SUCCESS,
    "error": ExitStatus.JOB_FAILED,
    "canceled": ExitStatus.JOB_CANCELED,
}
_SHORTEST_INTERVAL_SECONDS = 0.1
# What makes a new line; heartbeats alone do not.
_SHOWN_CHANGES = ("status", "worker_hostname", "indexed_document_count", "deleted_document_count", "error")

# The options of `watch_until_the_end`.
watch_options = together(
    duration_option("--interval", "2s", "How often to look at the job."),
    duration_option("--give-up-after", "5m", "How long to wait for a service that has stopped answering."),
    click.option("--until-suspended", is_flag=True, help="A suspended job ends it, too."),
)


@click.command(
    context_settings=TAKES_IDS,
    epilog=examples("watch DOP_Mz2KAhPuoFVrWq3L", "watch DOP_Mz2KAhPuoFVrWq3L --json | jq .status"),
)
@click.argument("job_id", metavar="ID", type=identifier)
@watch_options
@as_json
@pass_connection
def watch(connection: Connection, /, job_id: str, as_json: bool, **options: Any) -> None:
    """Watch a sync job until it ends.

    In a pipe, and with --json, there is a line for each change. A suspended job goes on later, so it is watched further. The
    exit status is 0 if the job completes, 3 if it fails, 4 if it is canceled, 5 with --until-suspended if it is suspended.
    """
    watch_until_the_end(connection, job_id, as_json=as_json, **options)


def watch_until_the_end(
    connection: Connection,
    job_id: str,
    *,
    interval: Duration,
    give_up_after: Duration,
    until_suspended: bool,
    as_json: bool,
) -> None:
    """Show a job until it ends.

    Raises:
        click.exceptions.Exit: With the status that stands for the job's end.
        Failure: The job is missing, or the service does not answer for `give_up_after`.
    """
    ends = _ENDS | ({"suspended": ExitStatus.JOB_SUSPENDED} if until_suspended else {})
    try:
        with _display(as_json) as show:
            for job in _observations(connection, job_id, interval, give_up_after):
                show(job)
                status = one_line(job.get("status"))  # other programs may write a list
                if status in ends:
                    raise click.exceptions.Exit(ends[status])
    except KeyboardInterrupt:
        click.echo("Stopped watching; the job goes on.", err=True)
        raise click.exceptions.Exit(ExitStatus.INTERRUPTED) from None


def _observations(
    connection: Connection, job_id: str, interval: Duration, give_up_after: Duration
) -> Iterator[dict[str, Any]]:
    """The job again and again. Once it was seen, a service that does not answer is waited for."""
    was_seen, failing_since = False, None
    while True:
        try:
            job = connection.get(job_path(job_id))
        except Failure as failure:
            if not (was_seen and failure.is_transient):
                raise
            if failing_since is None:
                failing_since = time.monotonic()
                click.echo(f"{failure.message} Waiting for up to {give_up_after}.", err=True)
            if time.monotonic() - failing_since >= give_up_after.seconds:
                raise
        else:
            was_seen, failing_since = True, None
            yield job
        time.sleep(max(interval.seconds, _SHORTEST_INTERVAL_SECONDS))


@contextmanager
def _display(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    screen = console()
    if not as_json and sys.stdout.isatty() and not screen.is_dumb_terminal:
        from rich.live import Live

        with Live(console=screen, auto_refresh=False) as live:
            yield lambda job: live.update(facts(job_facts(job)), refresh=True)
        return

    last: list[Any] = []

    def show_change(job: dict[str, Any]) -> None:
        values = [job.get(name) for name in _SHOWN_CHANGES]
        if values != last:
            last[:] = values
            if as_json:
                print_json(job)
            else:
                click.echo(_line(job))

    yield show_change


def _line(job: dict[str, Any]) -> str:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    texts = (now, job.get("status"), job.get("worker_hostname"), progress(job), job.get("error"))
    return "  ".join(one_line(text) for text in texts if text)
