"""Where address and credentials come from. Nothing listens at the addresses, and the failure names the one that was used."""

from __future__ import annotations

import re

import pytest

from tests.cases import named
from tests.command_line.program import Program
from tests.service import free_port

SECRET = "hunter2-the-secret"


@pytest.fixture
def program(tmp_path) -> Program:
    return Program(tmp_path)


def write(program: Program, text: str, mode: int = 0o600):
    file = program.home / ".config" / "sync-jobs" / "profiles.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def address(program: Program, *arguments: str, **environment: str) -> str:
    """The address that is used, by its port."""
    done = program.run(*arguments, "list", **environment)
    assert done.returncode == 1
    return re.fullmatch(r"Error: Nothing answers at http://127\.0\.0\.1:(\d+): .*\n", done.stderr)[1]


def test_option_comes_before_environment_profile_and_default(program) -> None:
    write(
        program,
        '[default]\nurl = "http://127.0.0.1:1"\n[production]\nurl = "http://127.0.0.1:2"\npassword = "p"\n',
    )
    assert address(program) == "1"
    assert address(program, "--profile", "production") == "2"
    assert address(program, SYNC_JOBS_PROFILE="production") == "2"
    assert address(program, "--profile", "production", SYNC_JOBS_URL="http://127.0.0.1:3") == "3"
    assert address(program, "--url", "http://127.0.0.1:4", SYNC_JOBS_URL="http://127.0.0.1:3") == "4"


def test_file_is_found_where_the_environment_says(program, tmp_path) -> None:
    (tmp_path / "sync-jobs").mkdir()
    for path, port in (("sync-jobs/profiles.toml", 5), ("mine.toml", 6)):
        (tmp_path / path).write_text(f'default.url = "http://127.0.0.1:{port}"')
    assert address(program, XDG_CONFIG_HOME=str(tmp_path)) == "5"
    assert address(program, SYNC_JOBS_PROFILES=str(tmp_path / "mine.toml")) == "6"


@pytest.mark.parametrize(("setting", "warned"), [("password", True), ("api_key", True), ("username", False)])
def test_file_with_credentials_that_others_may_read_is_warned_about(program, setting, warned) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    file = write(program, f'[default]\nurl = "{url}"\n[other]\n{setting} = "{SECRET}"\n', 0o640)
    first, *rest = program.run("list").stderr.splitlines()
    warning = f"Warning: {file} has credentials, and other users may read it: chmod 600 {file}"
    assert (first == warning) is warned
    assert len(rest) == warned
    assert SECRET not in first


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    named(
        [
            ("unknown profile", "", ["--profile", "no"], "there is no profile 'no' in "),
            ("no TOML", f"password = {SECRET}", [], " is no TOML: "),
            ("unknown setting", f"[default]\npasswort = '{SECRET}'", [], "unknown setting, 'passwort'; known"),
            ("no table", f"default = '{SECRET}'", [], " is no table."),
            ("two users", f"[default]\napi_key = '{SECRET}'\nusername = 'u'", [], "one of them must be left out"),
            ("bad value", "[default]\ntimeout = 'x'", [], "'x' is not a valid float"),
            ("bad address", "", ["--url", f"http://u:{SECRET}@host"], "must have a scheme, a host and a port"),
            ("no password", "[default]\nusername = 'u'", [], "There is no password, and no terminal"),
            ("TLS without TLS", f"[default]\nfingerprint = '{SECRET}'", [], "These options make no client: "),
        ]
    ),
)  # fmt: skip
def test_what_cannot_be_used_is_said_without_the_secret(program, text, arguments, said) -> None:
    write(program, text)
    done = program.run(*arguments, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert SECRET not in done.stderr


def test_help_shows_no_secret(program) -> None:
    write(program, f'[default]\napi_key = "{SECRET}"\npassword = "{SECRET}"\n')
    assert SECRET not in program.output("--profile", "default", "--help")
