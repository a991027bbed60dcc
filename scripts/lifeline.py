"""No command: ties processes to the life of the one that started them (Linux; elsewhere nothing is tied)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def follow_parent() -> None:
    """Make the kernel send this process a SIGTERM when its parent ends, however that ends.

    Raises:
        SystemExit: The parent ended while this was being arranged.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel knew of our wish
        raise SystemExit(1)


def tied(command: Sequence[str], uid: int | None = None) -> list[str]:
    """Wrap a command so that it gets a SIGTERM when the thread that starts it ends.

    Start it from the main thread, therefore.

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
    # setpriv arranges the death signal after the change of user, which would clear it.
    user = [] if uid is None else [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    return [setpriv, *user, "--pdeathsig=TERM", *command]
