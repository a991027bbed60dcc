"""Help and shell completion, which people wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli.commands import commands
from tests.command_line.program import Program
from tests.service import REPOSITORY


@pytest.fixture
def program(tmp_path) -> Program:
    return Program(tmp_path)


def completed(program: Program, line: str) -> list[str]:
    """What the shell offers for the last word."""
    words = line.split(" ")
    done = program.run(
        _SYNC_JOBS_COMPLETE="bash_complete",
        COMP_WORDS="\n".join(["sync-jobs", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert done.stderr == ""
    return [each.partition(",")[2] for each in done.stdout.splitlines()]


def test_commands_options_statuses_and_types_are_completed(program) -> None:
    assert completed(program, "c") == ["cancel", "claim", "connectors", "create"]
    assert completed(program, "watch --i") == ["--interval"]
    assert completed(program, "list --status c") == ["canceling", "canceled", "completed"]
    assert completed(program, "list --status error,p") == ["error,pending"]
    assert completed(program, "create --type in") == ["incremental"]


def test_help_lists_every_command(program) -> None:
    text = program.output("--help")
    for name in commands.commands:
        assert f"\n  {name}  " in text


def test_help_and_completion_do_without_the_slow_libraries() -> None:
    script = "import sys, cli.commands; print(*{'elasticsearch', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n")
