"""`make run` as a process, and the processes that it starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.service import REPOSITORY, free_port

SUPERVISOR = [sys.executable, "-m", "scripts.run"]
READY = "/_connector/_sync_job"  # part of the last lines that it prints when it is ready
OUR_VARIABLES = ("ELASTICSEARCH_", "HOST", "PORT", "WORKERS", "THREADS", "GATEWAY", "MAKE", "MFLAGS")


@contextmanager
def new_home() -> Iterator[Path]:
    """A folder for the data of a run. Not below tmp_path, which the user that root runs the node as cannot read."""
    home = Path(tempfile.mkdtemp(prefix="make-run-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home)


class Run:
    """A supervisor, or the make process that started it, in its own session, as in a terminal."""

    def __init__(self, command: list[str], home: Path, **environment: str) -> None:
        self.port, self.home = free_port(), home
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
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.process.stdout as output:
            for line in output:
                self.output += line

    def wait_for(self, text: str, seconds: float = 90) -> None:
        assert within(seconds, lambda: text in self.output or self.process.poll() is not None), self.output
        assert text in self.output, self.output

    def end(self, seconds: float = 60) -> int:
        """Wait until the process has ended and all its output is read; returns the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        assert not self._reader.is_alive(), f"something still holds the output of {self.process.args}"
        return status

    def family(self) -> dict[int, str]:
        """All descendant processes, with their commands by pid."""
        found: dict[int, str] = {}
        parents = {self.process.pid}
        while parents:
            children = {pid: command for pid, (parent, command) in processes().items() if parent in parents}
            found |= children
            parents = set(children)
        return found


def processes() -> dict[int, tuple[int, str]]:
    """Parent pid and command by pid, without zombies."""
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


def assert_gone(family: dict[int, str], seconds: float = 30) -> None:
    within(seconds, lambda: not family.keys() & processes().keys())
    left = {pid: command for pid, command in family.items() if pid in processes()}
    assert not left
