"""The life of `make run`: what it starts is there when it says so, and gone when it ends, however it ends."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from unittest.mock import ANY

import pytest

REPOSITORY = Path(__file__).parents[2]
SUPERVISOR = [sys.executable, "-m", "scripts.run"]
READY = "/_connector/_sync_job"  # in the last lines that it prints when it is ready
OUR_VARIABLES = ("ELASTICSEARCH_", "HOST", "PORT", "WORKERS", "THREADS", "MAKE", "MFLAGS")


class Run:
    """A supervisor, or the make that started it, in a session of its own, as in a terminal of its own."""

    def __init__(self, command: list[str], home: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
        if major := os.environ.get("ELASTICSEARCH_MAJOR"):
            inherited["ELASTICSEARCH_MAJOR"] = major
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={
                **inherited,
                "XDG_DATA_HOME": str(home),
                "PORT": str(self.port),
                "WORKERS": "1",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.process.stdout as output:
            for line in output:
                self.said += line

    def wait_for(self, text: str, seconds: float = 90) -> None:
        assert within(seconds, lambda: text in self.said or self.process.poll() is not None), self.said
        assert text in self.said, self.said

    def end(self, seconds: float = 30) -> int:
        """Wait for the end, and for the last words, which come when nobody holds the output any longer."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        assert not self._reader.is_alive(), f"something still holds the output of {self.process.args}"
        return status

    def family(self) -> dict[int, str]:
        """All processes that it started, at any distance, with their commands."""
        found: dict[int, str] = {}
        parents = {self.process.pid}
        while parents:
            children = {pid: command for pid, (parent, command) in processes().items() if parent in parents}
            found |= children
            parents = set(children)
        return found


def processes() -> dict[int, tuple[int, str]]:
    """Parent and command by pid, of what really runs."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(folder.name)] = (int(parent), (folder / "cmdline").read_text().replace("\0", " "))
    return found


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


def assert_gone(family: dict[int, str], seconds: float = 15) -> None:
    within(seconds, lambda: not family.keys() & processes().keys())
    left = {pid: command for pid, command in family.items() if pid in processes()}
    assert not left


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    # Not below pytest's own folder, which is closed to the user whom root runs the node as.
    home = Path(tempfile.mkdtemp(prefix="make-run-"))
    home.chmod(0o755)
    runs: list[Run] = []

    def start(command: list[str], **environment: str) -> Run:
        runs.append(Run(command, home, **environment))
        return runs[-1]

    yield start
    for each in runs:
        family = each.family()
        each.process.kill()
        each.end()
        assert_gone(family)
    shutil.rmtree(home)


def half_a_request(port: int) -> http.client.HTTPConnection:
    """A create whose body is half sent: the service has begun with it and waits for the rest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("PUT", "/_connector/under-way")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20")
    connection.endheaders(b'{"name": "')
    time.sleep(0.5)
    return connection


def test_ctrl_c_answers_the_request_under_way_and_then_ends_service_and_node(run):
    make = run(["make", "run"])
    make.wait_for(READY)
    assert f"curl -X PUT http://127.0.0.1:{make.port}/_connector/my-connector" in make.said
    family = make.family()
    assert any("gunicorn" in command for command in family.values())
    assert any("org.elasticsearch.bootstrap" in command for command in family.values())
    with closing(half_a_request(make.port)) as connection:
        os.killpg(make.process.pid, signal.SIGINT)  # to the whole group, as a terminal does it
        make.wait_for("Stopping", seconds=5)
        time.sleep(1)
        connection.send(b'Mine"    }')
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (201, ANY)  # Elasticsearch was still there to store it
    make.end()
    assert make.said.rstrip().splitlines()[-1].startswith(("Stopped.", "make: ***"))
    assert "Stopped." in make.said
    assert_gone(family, seconds=1)


def test_nothing_is_left_when_make_is_killed(run):
    make = run(["make", "run"])
    make.wait_for(READY)
    family = make.family()

    make.process.kill()

    assert_gone(family)
    make.end()


def test_nothing_is_left_when_the_supervisor_is_killed(run):
    supervisor = run(SUPERVISOR)
    supervisor.wait_for(READY)
    family = supervisor.family()
    assert len(family) >= 4  # gunicorn, its worker, the node's launcher, the node

    supervisor.process.kill()

    assert_gone(family)
    supervisor.end()


def test_a_node_that_dies_ends_the_service(run):
    supervisor = run(SUPERVISOR)
    supervisor.wait_for(READY)
    family = supervisor.family()
    node = next(pid for pid, command in family.items() if "org.elasticsearch.bootstrap" in command)

    os.kill(node, signal.SIGKILL)

    assert supervisor.end() == 1
    assert "The service ends, since the embedded Elasticsearch ended with status" in supervisor.said
    assert_gone(family, seconds=1)


def test_a_port_that_is_taken_is_told_before_anything_is_started(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        supervisor = run(SUPERVISOR, PORT=str(taken.getsockname()[1]))
        assert supervisor.end(5) == 1
    assert supervisor.said.startswith("Cannot listen at 127.0.0.1:")
    assert len(supervisor.said.splitlines()) == 1


def test_a_service_that_ends_by_itself_ends_all_with_its_status(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9", GUNICORN_CMD_ARGS="--no-such-option")
    assert supervisor.end() == 2
    assert "The service ended by itself with status 2" in supervisor.said


def test_a_setting_that_cannot_be_is_one_sentence(run):
    supervisor = run(SUPERVISOR, WORKERS="many")
    assert supervisor.end(5) == 1
    assert "WORKERS" in supervisor.said
    assert len(supervisor.said.splitlines()) == 1


def test_a_named_cluster_is_the_only_one_tried(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9")
    supervisor.wait_for("Not ready yet", seconds=30)
    assert not any("org.elasticsearch" in command for command in supervisor.family().values())

    supervisor.process.terminate()

    assert supervisor.end() == 0
    assert supervisor.said.endswith("Stopped.\n")
