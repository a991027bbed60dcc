"""No command: the folders of the embedded Elasticsearch, all of them outside the repository."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .source import Unavailable

PRODUCT = "connector-sync-service"

# Elasticsearch refuses to run as root, so root runs it under a user id that has no account and no other files.
NODE_UID = 9200 if os.geteuid() == 0 else None

_MEMORY = Path("/dev/shm")
_REQUIRED_BYTES = 4 << 30  # for several nodes at once


def cache_folder() -> Path:
    """Return the folder for downloads: in ``XDG_CACHE_HOME``, or for root in the system's cache."""
    return _folder("XDG_CACHE_HOME", "~/.cache", "/var/cache")


def data_folder() -> Path:
    """Return the folder for data to keep: in ``XDG_DATA_HOME``, or for root in the system's state folder."""
    return _folder("XDG_DATA_HOME", "~/.local/share", "/var/lib")


def _folder(variable: str, of_user: str, of_root: str) -> Path:
    # The node's user cannot enter root's home, so root uses the system's folders.
    default = of_user if NODE_UID is None else of_root
    return Path(os.environ.get(variable) or default).expanduser().absolute() / PRODUCT / "elasticsearch"


def temporary_folder(*, in_memory: bool = False) -> Path:
    """Return the folder for throwaway nodes; the node's user can enter it.

    Args:
        in_memory: Prefer a folder in memory, which halves the time of a refresh; not for benchmarks.
    """
    if in_memory and _is_usable(_MEMORY):
        return _MEMORY
    temporary = Path(tempfile.gettempdir())
    return temporary if reachable(temporary) else Path("/tmp")


def _is_usable(folder: Path) -> bool:
    """Tell whether programs can run from a folder in memory, and a node's data fits into it."""
    try:
        stats = os.statvfs(folder)
    except OSError:
        return False
    fits = stats.f_bavail * stats.f_frsize >= _REQUIRED_BYTES
    return fits and not stats.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) and os.access(folder, os.W_OK)


def reachable(path: Path) -> bool:
    """Tell whether the node's user can enter a folder and its parents; those that do not exist yet count as open."""
    if NODE_UID is None:
        return True
    return all(
        folder.stat().st_mode & stat.S_IXOTH or folder.stat().st_uid == NODE_UID
        for folder in (path, *path.parents)
        if folder.exists()
    )


def make(path: Path) -> Path:
    """Make a folder and its parents, all of which the node's user can enter.

    Returns:
        The folder.

    Raises:
        Unavailable: It cannot be made, or the node's user cannot enter one of its parents.
    """
    if not reachable(path):
        raise Unavailable(
            f"the node's user {NODE_UID} cannot enter {path} because of the permissions of a parent folder"
        )
    try:
        for folder in reversed((path, *path.parents)):
            if not folder.exists():
                folder.mkdir(exist_ok=True)  # another process may be doing the same
                folder.chmod(0o755)  # whatever the umask
    except OSError as error:
        raise Unavailable(f"{path} cannot be made ({error.strerror})") from error
    return path
