"""Types and options that several commands share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Self

import click
from click.shell_completion import CompletionItem

from .failures import Failure

JOB_TYPES = ("full", "incremental", "access_control")
CANCELABLE = ("pending", "in_progress", "suspended")
RUNNING = ("in_progress", "canceling")
STATUSES = (*CANCELABLE, "canceling", "canceled", "completed", "error")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_GENERATED_ID_LENGTH = 20
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Duration(str):
    """A duration as Elasticsearch writes it, `30s` for example; the type of an option."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Refuse what is none with `click.BadParameter`."""
        if not re.fullmatch(r"\d+(ms|[smhd])", text, re.ASCII):
            raise click.BadParameter(f"{text!r} is no duration; 90s, 10m and 30d are.")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> float:
        """The number of seconds."""
        number, unit = re.findall(r"\d+|\D+", self)
        return int(number) * _SECONDS[unit]


class _Several(click.Choice[str]):
    """Choices, several of them separated by commas."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return ",".join(super(_Several, self).convert(each, param, ctx) for each in value.split(","))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(before + comma + item.value) for item in super().shell_complete(ctx, param, last)
        ]


# One of 64 generated ids begins with a hyphen. There are no short options, so these are never taken for one.
TAKES_IDS = {"ignore_unknown_options": True}


def identifier(text: str) -> str:
    """An id; the type of an argument. With TAKES_IDS a misspelt option comes here, too, and is refused."""
    if text.startswith("-") and len(text) != _GENERATED_ID_LENGTH:
        raise click.NoSuchOption(text)
    return text


def duration_option(name: str, default: str, what: str) -> Decorator:
    """An option that takes a `Duration`."""
    return click.option(name, type=Duration, default=default, show_default=True, help=what)


def several(name: str, choices: Iterable[str], what: str) -> Decorator:
    """An option that may be repeated, and takes a comma list; the command gets the list of all."""

    def flatten(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
        return [each for value in values for each in value.split(",")]

    help_text = f"{what}; repeat it, or separate several by commas."
    return click.option(name, type=_Several(choices), multiple=True, callback=flatten, help=help_text)


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


as_json = click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")
dry_run = click.option("--dry-run", is_flag=True, help="Only show what would happen.")


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  sync-jobs {command}" for command in commands)])


def require_confirmation(question: str) -> None:
    """Ask whether to go on.

    Raises:
        click.UsageError: There is no terminal to ask in.
        Failure: The answer was no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask in; --yes goes on without asking.")
    if not click.confirm(question, err=True):
        raise Failure("Nothing was changed.")
