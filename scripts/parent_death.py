"""No command: the parent-death signal, which ends a process when its parent dies (Linux; elsewhere nothing happens)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def set_parent_death_signal() -> None:
    """Make the kernel send this process a SIGTERM when its parent dies, for whatever reason.

    Raises:
        SystemExit: The parent died before the signal was set.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew
        raise SystemExit(1)


def with_parent_death_signal(command: Sequence[str], uid: int | None = None) -> list[str]:
    """Wrap a command so that it gets a SIGTERM when the thread that starts it ends: start it from the main thread.

    Args:
        command: The program and its arguments.
        uid: Run it as this numeric user and group, without any privilege (needs root).

    Returns:
        The command to start instead.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if uid is not None:
            raise FileNotFoundError("setpriv (Debian package util-linux) is not installed")
        return list(command)
    # setpriv sets the signal after the change of user, which would clear it.
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    return [setpriv, *user, "--pdeathsig=TERM", *command]
