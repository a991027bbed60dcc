"""No command: where the embedded Elasticsearch lives on this machine, always outside the repository."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .source import Unavailable

PRODUCT = "connector-sync-service"

# Elasticsearch refuses to run as root, so root runs it as a user of no account and no other files.
NODE_UID = 9200 if os.geteuid() == 0 else None

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30  # of several nodes at once


def cache_folder() -> Path:
    """Name the folder for what can be fetched again: ``XDG_CACHE_HOME``, or the system's cache for root."""
    return _folder("XDG_CACHE_HOME", "~/.cache", "/var/cache")


def data_folder() -> Path:
    """Name the folder for what must be kept: ``XDG_DATA_HOME``, or the system's state folder for root."""
    return _folder("XDG_DATA_HOME", "~/.local/share", "/var/lib")


def _folder(variable: str, of_user: str, of_root: str) -> Path:
    # Root's home is closed to the user whom the node runs as; hence the system's folders.
    default = of_user if NODE_UID is None else of_root
    return Path(os.environ.get(variable) or default).expanduser().absolute() / PRODUCT / "elasticsearch"


def temporary_folder(*, in_memory: bool = False) -> Path:
    """Name the folder for throwaway nodes, which the node's user can enter.

    Args:
        in_memory: Prefer the system's memory, where a refresh takes half of the time; not for measuring.
    """
    wanted = Path(tempfile.gettempdir())
    if in_memory and _has_room(_MEMORY):
        return _MEMORY
    return wanted if reachable(wanted) else Path("/tmp")


def _has_room(folder: Path) -> bool:
    """Tell whether programs may run from a folder in memory, and a node's data fits."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    fits = found.f_bavail * found.f_frsize >= _ROOM_BYTES
    return fits and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) and os.access(folder, os.W_OK)


def reachable(path: Path) -> bool:
    """Tell whether the node's user can enter a folder and all above it; those that are yet to be made count."""
    if NODE_UID is None:
        return True
    return all(
        folder.stat().st_mode & stat.S_IXOTH or folder.stat().st_uid == NODE_UID
        for folder in (path, *path.parents)
        if folder.exists()
    )


def make(path: Path) -> Path:
    """Make a folder, with those above it, that the node's user can enter.

    Raises:
        Unavailable: It cannot be made, or the node's user could not enter it.
    """
    if not reachable(path):
        raise Unavailable(
            f"the node's user {NODE_UID} cannot enter {path}, since a folder above it is closed to others"
        )
    try:
        for folder in reversed((path, *path.parents)):
            if not folder.exists():
                folder.mkdir(exist_ok=True)  # another process may be doing the same
                folder.chmod(0o755)  # whatever the umask
    except OSError as error:
        raise Unavailable(f"{path} cannot be made ({error.strerror})") from error
    return path
