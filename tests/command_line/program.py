"""The program `sync-jobs`, started as users do: in a pipe, or in a terminal of 80 columns."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Self

from tests.service import REPOSITORY

COLUMNS = 80
_TIMEOUT_SECONDS = 60
_ESCAPE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")


def _take_interrupts() -> None:
    """In the child: Ctrl-C counts, also where the tests run in the background of a shell, which ignores it for them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _take_terminal() -> None:
    _take_interrupts()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Process(subprocess.Popen[str]):
    """The program in a pipe. A context manager; it is killed where its test fails."""

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is not None:
            self.kill()
        super().__exit__(*exception)


class Program:
    """Starts `sync-jobs` with settings of its own, and a home without a profile.

    `settings` are environment variables without their prefix, `SYNC_JOBS_`.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SYNC_JOBS_", "XDG_", "LC_", "LANG"))
            and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "COLORTERM")
        }
        own = {f"SYNC_JOBS_{name.upper()}": value for name, value in settings.items()}
        self.environment = inherited | own | {"HOME": str(home), "TERM": "xterm-256color"}

    def start(self, *arguments: str, **options: Any) -> Process:
        """Start it in a pipe."""
        environment = self.environment | options.pop("environment", {})
        defaults: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "preexec_fn": _take_interrupts,
        }
        return Process(
            _command(arguments), cwd=REPOSITORY, env=environment, text=True, **(defaults | options)
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it in a pipe."""
        with self.start(*arguments, environment=environment) as process:
            out, err = process.communicate(timeout=_TIMEOUT_SECONDS)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def output(self, *arguments: str) -> str:
        """The output of a run that succeeds and has nothing to say on standard error."""
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The one JSON document that it prints."""
        (document,) = self.json_lines(*arguments)
        return document

    def json_lines(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self.output(*arguments, "--json").splitlines()]

    def terminal(self, *arguments: str, **environment: str) -> Terminal:
        return Terminal(arguments, self.environment | environment)


class Terminal:
    """The program in a terminal of 80 columns. A context manager; it is killed if it runs at the end."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            _command(arguments),
            cwd=REPOSITORY,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            # A session whose terminal this is, so that Ctrl-C reaches it.
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self.raw = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until the program has printed a text."""
        while text not in _ESCAPE.sub("", self.raw):
            assert self._read(), f"{text!r} is missing: {self.raw!r}"

    def end(self) -> int:
        """Wait for the end of the program; returns its exit status."""
        while self._read():
            pass
        return self._process.wait(_TIMEOUT_SECONDS)

    @property
    def screen(self) -> str:
        """What a person sees, without colors: the program moves the cursor up to write lines again."""
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[[\d;?]*[A-Za-z]|\r|\n)", self.raw):
            moved = _ESCAPE.fullmatch(part)
            if part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif moved and moved[2] == "A":
                row -= int(moved[1] or 1)
            elif moved and moved[2] == "K":
                lines[row] = ""
            elif not moved and part != "\r":
                lines[row] += part
        return "\n".join(line.rstrip() for line in lines).rstrip("\n")

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], _TIMEOUT_SECONDS)
        assert ready, f"nothing happens after {self.raw!r}"
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.raw += data.decode()
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_TIMEOUT_SECONDS)
        os.close(self._master)


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


def wait_until(condition: Any, seconds: float = _TIMEOUT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
