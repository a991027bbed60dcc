"""Output: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .texts import ago, one_line, printable

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.text import Text

_STYLES = {
    "completed": "green",
    "connected": "green",
    "error": "red",
    "canceling": "yellow",
    "canceled": "yellow",
    "suspended": "magenta",
    "in_progress": "cyan",
}
_UNLIMITED = 100_000


class Column(NamedTuple):
    """A column of a table."""

    title: str
    is_number: bool = False
    may_shrink: bool = False
    """Whether a narrow terminal shows only the beginning of its texts."""


def console(*, stderr: bool = False) -> Console:
    """Where tables are printed. Outside of a terminal it has any width, so that nothing is cut off."""
    from rich.console import Console

    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal else _UNLIMITED
    return Console(stderr=stderr, width=width)


def print_for_people(renderable: RenderableType, *, stderr: bool = False) -> None:
    """Print something made of texts."""
    screen = console(stderr=stderr)
    with screen.capture() as captured:
        screen.print(renderable)
    # Where a pipe is closed, rich would end the program with a status of its own.
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), err=stderr, color=True)


def print_table(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, empty: str, stderr: bool = False
) -> None:
    """Print rows; the sentence `empty` on standard error if there are none."""
    cells = [[_cell(value) for value in row] for row in rows]
    if cells:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            justify: JustifyMethod = "right" if column.is_number else "left"
            table.add_column(column.title, justify=justify, no_wrap=not column.may_shrink)
        for row in cells:
            table.add_row(*row)
        print_for_people(table, stderr=stderr)
    else:
        click.echo(empty, err=True)


def facts(rows: Iterable[tuple[str, Any]]) -> RenderableType:
    """Names and values below each other; those without a value are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, value in rows:
        if value not in (None, ""):
            grid.add_row(name, _cell(value, lines=True))
    return grid


def timestamp(value: Any) -> str:
    """A timestamp as it is stored, and how long ago it was."""
    passed = ago(value)
    return f"{one_line(value)}  {passed}" if passed else one_line(value)


def print_json(document: Any, *, with_configuration: bool = False) -> None:
    """Print a document in one line. ASCII only, so nothing in it reaches a terminal as a control character.

    The configuration of connectors has their passwords, so it is left out unless a worker is to have it.
    """
    shown = document if with_configuration else _without_configuration(document)
    click.echo(json.dumps(shown, separators=(",", ":")).replace("\x7f", "\\u007f"))


def _without_configuration(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_configuration(each) for each in value]
    if isinstance(value, dict):
        return {
            key: _without_configuration(each)
            for key, each in value.items()
            if not any(part.startswith("configuration") for part in key.split("."))
        }
    return value


def _cell(value: Any, *, lines: bool = False) -> Text:
    """A value as rich shows it: in a `Text`, nothing is markup."""
    from rich.text import Text

    text = printable(str(value)) if lines else one_line(value)
    return Text(
        text, style=_STYLES.get(text, ""), no_wrap=not lines, overflow="fold" if lines else "ellipsis"
    )
