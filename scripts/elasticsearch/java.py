"""No command: finds the Java installations of this machine and their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .folders import reachable

_SYSTEM_FOLDERS = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/opt/jdk*",
    "/usr/local/openjdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)


class Java(NamedTuple):
    """A Java installation."""

    home: Path
    major: int


def find() -> list[Java]:
    """Find all Java installations, in the order ES_JAVA_HOME, JAVA_HOME, the system's folders, PATH.

    Those that the node's user cannot enter are left out.
    """
    found: dict[Path, Java] = {}
    for candidate in _homes():
        home = candidate.resolve()
        if home in found or not os.access(home / "bin" / "java", os.X_OK) or not reachable(home):
            continue
        if (major := major_of(home)) is not None:
            found[home] = Java(home, major)
    return list(found.values())


def _homes() -> Iterator[Path]:
    for variable in ("ES_JAVA_HOME", "JAVA_HOME"):
        if home := os.environ.get(variable):
            yield Path(home)
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
    if command := shutil.which("java"):
        yield Path(command).resolve().parent.parent


def major_of(home: Path) -> int | None:
    """Return the major version of the Java in a folder; None if it cannot be found out.

    It is read from the ``release`` file; without that, ``java -version`` is run.
    """
    try:
        return parse_major((home / "release").read_text(errors="replace"))
    except OSError:
        pass
    try:
        done = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major(done.stderr + done.stdout)


def parse_major(text: str) -> int | None:
    """Find the major version in a ``release`` file or in the output of ``java -version``; None if it is not there."""
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else None
