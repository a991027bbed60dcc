"""The program beside a cluster with security: users, API keys, and what they may not do."""

from __future__ import annotations

import re

import pytest

from tests.command_line.program import Program
from tests.endpoints import JOBS
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES, password


@pytest.fixture
def job(guarded, callers) -> str:
    connector = {"index_name": "search-cli", "service_type": "mysql"}
    guarded.http.put("/_connector/of-the-program", json=connector, headers=callers.admin)
    made = guarded.http.post(JOBS, json={"id": "of-the-program"}, headers=callers.admin)
    return str(made.json()["id"])


def as_user(tmp_path, guarded, user: str) -> Program:
    return Program(tmp_path, url=guarded.url, username=user, password=password(user))


def test_without_credentials(guarded, tmp_path) -> None:
    done = Program(tmp_path, url=guarded.url).run("list")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Not authenticated: missing authentication credentials")


def test_wrong_password_is_not_repeated(guarded, tmp_path) -> None:
    done = Program(tmp_path, url=guarded.url, username="admin", password="hunter2").run("list")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Not authenticated: unable to authenticate user [admin]")
    assert "hunter2" not in done.stderr


def test_refusal_names_the_privilege(guarded, tmp_path, job) -> None:
    monitor = as_user(tmp_path, guarded, "monitor")
    assert monitor.json("show", job)["id"] == job
    done = monitor.run("cancel", job)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "Error: Not allowed: action [cluster:admin/xpack/connector/sync_job/cancel]"
    )
    privilege = "manage_connector" if KNOWS_CONNECTOR_PRIVILEGES else "write"
    assert re.search(rf"this action is granted by the \w+ privileges \[[\w,]*{privilege}", done.stderr)


def test_api_key(guarded, callers, tmp_path, job) -> None:
    key = callers.manager_key["Authorization"].removeprefix("ApiKey ")
    assert Program(tmp_path, url=guarded.url, api_key=key).output("cancel", job).strip() == job


def test_stronger_source_decides_between_key_and_user(guarded, callers, tmp_path, job) -> None:
    program = as_user(tmp_path, guarded, "nothing")
    assert program.run("show", job).returncode == 1
    key = callers.manager_key["Authorization"].removeprefix("ApiKey ")
    assert program.json("--api-key", key, "show", job)["id"] == job
    (tmp_path / "profiles.toml").write_text(f'default.api_key = "{key}"')
    (tmp_path / "profiles.toml").chmod(0o600)
    program.environment["SYNC_JOBS_PROFILES"] = str(tmp_path / "profiles.toml")
    assert program.run("show", job).returncode == 1


def test_password_is_asked_for_and_not_shown(guarded, tmp_path, job) -> None:
    program = Program(tmp_path, url=guarded.url)
    with program.terminal("--username", "monitor", "--password", "-", "show", job) as terminal:
        terminal.wait_for("Password: ")
        terminal.type(f"{password('monitor')}\n")
        assert terminal.end() == 0
    assert password("monitor") not in terminal.raw
    assert job in terminal.screen
