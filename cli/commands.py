"""The command `sync-jobs`: its commands, and how it ends."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Any

import click

from . import jobs, listing, overviews, upkeep, watching
from .connection import connection_options, from_options
from .failures import ExitStatus
from .parameters import examples

NAME = "sync-jobs"


class _Commands(click.Group):
    """A group that ends as other programs do where the pipe of its output is closed; click's own status is 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Python flushes once more at its end; that must not fail, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(ExitStatus.PIPE_CLOSED) from None


@click.group(
    NAME,
    cls=_Commands,
    epilog=examples(
        "list --status pending",
        "--url https://es.example:9281 --api-key $KEY create my-connector --watch",
        "--profile production summary",
    ),
)
@connection_options
@click.pass_context
def commands(context: click.Context, /, **_: object) -> None:
    """Sync jobs of Elasticsearch's connectors, through the connector sync service.

    Options stand for themselves first, then the environment, then the profile.
    """
    context.obj = from_options(context)


for command in (
    listing.list_jobs,
    listing.show,
    jobs.create,
    watching.watch,
    jobs.cancel,
    jobs.claim,
    upkeep.rescue,
    upkeep.prune,
    overviews.connectors,
    overviews.workers,
    overviews.summary,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line. Ctrl-C ends it without a trace, with the status that shells give it."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries; they are not for users
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = commands.main(prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        status = ExitStatus.INTERRUPTED
    sys.exit(int(status or 0))
