"""docs/reference/command-line.md has every command and option, the exit statuses, and a session as it really is."""

from __future__ import annotations

import re
import shlex
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from app.store.index_definitions import LEASES
from cli.commands import commands
from cli.failures import ExitStatus
from cli.profiles import SETTINGS
from tests.command_line.program import COLUMNS, Program
from tests.documents import Stored, a_connector, a_job
from tests.endpoints import JOBS
from tests.service import REPOSITORY, Http

PAGE = (REPOSITORY / "docs" / "reference" / "command-line.md").read_text("utf-8")
SESSION = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[-1]
VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "(time)"),
    (re.compile(r"\b\d+[smhd]( \d+[smhd])?\b"), "(duration)"),
    (re.compile(" {2,}"), "  "),
]


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    (found,) = re.findall(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    return str(found[1])


def options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]


@pytest.mark.parametrize("name", commands.commands)
def test_every_command_is_described_with_its_options(name) -> None:
    text = section(f"`{name}`")
    assert f"sync-jobs {name}" in text
    if name == "create":  # it has the options of `watch`, too
        text += section("`watch`")
    documented = set(re.findall(r"`(--[\w-]+)", text))
    assert {option.opts[0] for option in options(commands.commands[name])} <= documented
    assert "Examples:" in (commands.commands[name].epilog or "")


def test_every_option_of_the_connection_is_described_with_its_variable() -> None:
    text = section("Address and credentials")
    for option in options(commands):
        assert f"`{option.opts[0]}`" in text
        assert f"`{option.envvar}`" in text
    assert set(re.findall(r"`SYNC_JOBS_\w+` \| `(\w+)`", text)) == SETTINGS
    for profile in tomllib.loads(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]).values():
        assert profile.keys() <= SETTINGS


def test_exit_statuses_are_those_of_the_program() -> None:
    shown = {int(number) for number in re.findall(r"^\| (\d+) \|", section("Exit status"), re.MULTILINE)}
    assert shown == {*ExitStatus, click.UsageError.exit_code}


def test_recorded_session_is_what_the_program_does(program, http, connectors, jobs, elasticsearch) -> None:
    prepare(connectors, jobs)
    elasticsearch.options(ignore_status=404).delete(index=LEASES.alias, id="leader")  # of another test
    ids: dict[str, str] = {}
    recorded = re.findall(r"^\$ sync-jobs (.*)\n((?:(?!\$ ).*\n)*)", SESSION, re.MULTILINE)
    assert len(recorded) > 8
    for command, shown in recorded:
        for old, new in ids.items():
            command, shown = command.replace(old, new), shown.replace(old, new)
        screen = replay(program, http, command, answer="y" if "[y/N]: y" in shown else "n")
        if command.startswith("create"):
            ids[shown.strip()] = shown = screen
        assert max(map(len, screen.splitlines())) <= COLUMNS
        assert comparable(screen) == comparable(shown), screen


def prepare(connectors: Stored, jobs: Stored) -> None:
    """Two connectors and their past. The worker of one is gone."""

    def ago(**units: int) -> str:
        return f"{datetime.now(UTC) - timedelta(**units):%Y-%m-%dT%H:%M:%S.000Z}"

    def job(connector_id: str, status: str, index: str, service: str, **fields: Any) -> dict[str, Any]:
        connector = {"id": connector_id, "index_name": index, "service_type": service}
        return a_job(
            status, connector=connector, **{"job_type": "full", "worker_hostname": "host-7"} | fields
        )

    wiki, sales = ("search-wiki", "confluence"), ("search-sales", "mysql")
    connectors.put("wiki", a_connector(name="Our wiki", index_name=wiki[0], service_type=wiki[1]))
    connectors.put("sales", a_connector(name="Sales", index_name=sales[0], service_type=sales[1]))
    connectors.update("wiki", {"last_sync_status": "in_progress", "last_synced": ago(days=2)})
    connectors.update("sales", {"last_sync_status": "error", "last_synced": ago(hours=3)})
    jobs.put_all(
        {
            "Yw5jVj_o3vyWBNoNbEgE": job(
                "wiki",
                "completed",
                *wiki,
                created_at=ago(days=2, minutes=9),
                started_at=ago(days=2, minutes=8),
                last_seen=ago(days=2),
                completed_at=ago(days=2),
                indexed_document_count=48_211,
            ),
            "4JYKiJ0gQKqHkeQdVjuP": job(
                "sales",
                "error",
                *sales,
                created_at=ago(hours=3, minutes=5),
                started_at=ago(hours=3, minutes=4),
                last_seen=ago(hours=3),
                completed_at=ago(hours=3),
                error="OperationalError: connection refused\nIs the server running on host db-1?",
            ),
            "tdz6zVR2TYS5xSsZVt2a": job(
                "wiki",
                "in_progress",
                *wiki,
                created_at=ago(minutes=52),
                started_at=ago(minutes=51),
                last_seen=ago(minutes=47),
                job_type="incremental",
                indexed_document_count=130,
            ),
        }
    )


def replay(program: Program, http: Http, command: str, answer: str) -> str:
    """Run a command of the session in a terminal, and do what the worker does meanwhile; returns what is on the screen."""
    with program.terminal(*shlex.split(command)) as terminal:
        if command.startswith("watch"):
            terminal.wait_for("in_progress")
            job = f"{JOBS}/{command.split()[1]}"
            http.put(f"{job}/_complete", json={"indexed_document_count": 512, "deleted_document_count": 4})
        if command.startswith(("rescue", "prune", "cancel")):
            terminal.wait_for("[y/N]: ")
            terminal.type(f"{answer}\n")
        terminal.end()
    return terminal.screen


def comparable(screen: str) -> str:
    """Without times, and without what they do to the columns."""
    for pattern, replacement in VARYING:
        screen = pattern.sub(replacement, screen)
    return screen.strip()
