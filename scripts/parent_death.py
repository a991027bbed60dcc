"""No command: how the processes of a command end, on a signal or with their parent (the latter on Linux only)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Sequence

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


class Stopped(SystemExit):
    """A signal ends the process with status 0; `signal` is its name."""

    def __init__(self, number: int) -> None:
        super().__init__(0)
        self.signal = signal.Signals(number).name


def exit_on_signals() -> None:
    """Make the first Ctrl-C, SIGTERM or SIGHUP raise `Stopped`; a SIGHUP that nohup ignores stays ignored."""
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _exit)


def exit_with_parent() -> None:
    """Make the death of the parent send a SIGTERM.

    Raises:
        SystemExit: The parent is dead already.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was set
        raise SystemExit(1)


def _exit(received: int, _frame: object) -> None:
    for number in STOP_SIGNALS:  # a second signal must not interrupt the clean-up
        signal.signal(number, signal.SIG_IGN)
    raise Stopped(received)


def with_parent_death_signal(command: Sequence[str], uid: int | None = None) -> list[str]:
    """Wrap a command so that it gets a SIGTERM when its parent thread ends; start it from the main thread.

    Args:
        command: The program and its arguments.
        uid: Run it as this numeric user and group, without privileges (needs root).

    Returns:
        The command to start instead; `command` itself where setpriv is not installed.

    Raises:
        FileNotFoundError: `uid` is given and setpriv is not installed.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if uid is not None:
            raise FileNotFoundError("setpriv (Debian package util-linux) is not installed")
        return list(command)
    # setpriv sets the signal after it has changed the user, because the change clears the signal.
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    return [setpriv, *user, "--pdeathsig=TERM", *command]
