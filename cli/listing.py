"""The commands that look at jobs: list and show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from .connection import JOBS, Connection, job_path, pass_connection
from .job_views import JOB_COLUMNS, job_facts, job_row
from .output import facts, print_for_people, print_json, print_table
from .parameters import (
    JOB_TYPES,
    STATUSES,
    TAKES_IDS,
    as_json,
    examples,
    identifier,
    several,
)

_PAGE = 1_000


def filters(connector: str | None, job_types: list[str], statuses: list[str]) -> dict[str, str | int]:
    """The parameters of the job list that stand for these filters."""
    given = {"connector_id": connector, "job_type": ",".join(job_types), "status": ",".join(statuses)}
    return {name: value for name, value in given.items() if value}


def pages(connection: Connection, params: dict[str, str | int]) -> Iterator[dict[str, Any]]:
    """The job list page by page; it meets each job once."""
    search_after: str | None = ""
    while search_after is not None:
        page = connection.get(JOBS, **{"size": _PAGE, **params, "search_after": search_after})
        yield page
        search_after = page.get("search_after")


@click.command(
    "list",
    epilog=examples(
        "list",
        "list --connector my-connector --status error --limit 5",
        "list --status pending,suspended --all --json | jq -r .id",
    ),
)
@click.option("--connector", metavar="ID", help="Only jobs of this connector.")
@several("--status", STATUSES, "Only jobs with this status")
@several("--type", JOB_TYPES, "Only jobs of this type")
@click.option(
    "--order",
    type=click.Choice(["desc", "asc"]),
    default="desc",
    show_default=True,
    help="Newest or oldest first.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many jobs at most."
)
@click.option("--all", "all_", is_flag=True, help="All jobs, however many.")
@as_json
@pass_connection
def list_jobs(
    connection: Connection,
    connector: str | None,
    status: list[str],
    type: list[str],  # noqa: A002
    order: str,
    limit: int,
    all_: bool,
    as_json: bool,
) -> None:
    """List sync jobs."""
    wanted = sys.maxsize if all_ else limit
    params = {**filters(connector, type, status), "order": order, "size": min(wanted, _PAGE)}
    count = 0

    def jobs() -> Iterator[dict[str, Any]]:
        nonlocal count
        for page in pages(connection, params):
            count = page["count"]
            yield from page["results"]

    found = islice(jobs(), wanted)
    if as_json:
        for job in found:
            print_json(job)
        return
    rows = [job_row(job) for job in found]
    print_table(JOB_COLUMNS, rows, empty="There is no such job.")
    if count > len(rows):
        click.echo(f"{len(rows)} of {count} jobs; --limit and --all show more.", err=True)


@click.command(
    context_settings=TAKES_IDS,
    epilog=examples("show DOP_Mz2KAhPuoFVrWq3L", "show DOP_Mz2KAhPuoFVrWq3L --json | jq .error"),
)
@click.argument("job_id", metavar="ID", type=identifier)
@as_json
@pass_connection
def show(connection: Connection, job_id: str, as_json: bool) -> None:
    """Show a sync job: its times, its progress, its error."""
    job = connection.get(job_path(job_id))
    if as_json:
        print_json(job)
    else:
        print_for_people(facts(job_facts(job)))
