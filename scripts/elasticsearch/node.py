"""No command: a real Elasticsearch node as a child process."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Self

from scripts.parent_death import with_parent_death_signal

from . import distribution, folders, java
from .source import Unavailable, wait_for_version

# With the first compiler alone a node starts in half of the processor time, which suits tests and trials. The node's
# own options choose G1, so serial collection needs "no G1" as well.
JAVA_OPTIONS = {
    "test": "-Xms384m -Xmx384m -XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC",
    "run": "-Xms512m -Xmx512m",
    "bench": "-Xms1g -Xmx1g",
}

_RUN_PORT = "9290"  # beside the service, 9280, and the gateway, 9281

_PREFIX = "connector-sync-service-elasticsearch-"
_START_SECONDS = 300.0  # a busy machine needs minutes; a node that exits is noticed at once
_STOP_SECONDS = 20.0
_KILL_SECONDS = 10.0
_LOCK_SECONDS = 5.0
_LOG_LINES = 12  # of a node that failed


@dataclass(frozen=True)
class Security:
    """Elasticsearch security with users in the file realm, over plain HTTP."""

    users: Mapping[str, tuple[str, Sequence[str]]]
    """Password and roles by user name. The first user, whatever its roles, is used to see whether the node is ready."""

    roles: str = ""
    """The text of ``roles.yml``."""

    settings: Mapping[str, Any] = field(
        default_factory=lambda: {
            "xpack.security.enabled": True,
            "xpack.security.http.ssl.enabled": False,
            "xpack.security.transport.ssl.enabled": False,
            "xpack.security.authc.api_key.enabled": True,
        }
    )

    @property
    def first_user(self) -> tuple[str, str]:
        """Name and password of the first user."""
        name, (password, _) = next(iter(self.users.items()))
        return name, password

    def write(self, config: Path) -> None:
        """Write the files of the file realm into a config folder."""
        users_by_role: dict[str, list[str]] = {}
        for user, (_, roles) in self.users.items():
            for role in roles:
                users_by_role.setdefault(role, []).append(user)
        hashes = [f"{user}:{_hash(password)}\n" for user, (password, _) in self.users.items()]
        (config / "users").write_text("".join(hashes))
        (config / "users_roles").write_text(
            "".join(f"{role}:{','.join(users)}\n" for role, users in users_by_role.items())
        )
        (config / "roles.yml").write_text(self.roles)


def _hash(password: str) -> str:
    """Hash a password for the file realm, with PBKDF2: the standard library has no bcrypt."""
    salt, cost = secrets.token_bytes(32), 1000
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, cost, 32)
    return f"{{PBKDF2}}{cost}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


class EmbeddedNode:
    """One Elasticsearch node. It ends when the thread that started it ends, so start it from the main thread.

    As a context manager it runs inside the block. After :meth:`kill` or :meth:`stop`, :meth:`start` starts it again with
    its data and at the same address; a throwaway folder is removed at the end of the block.
    """

    def __init__(
        self,
        *,
        major: int | None = None,
        profile: Literal["test", "run", "bench"] = "test",
        folder: Path | None = None,
        security: Security | None = None,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the node; nothing is started yet.

        Args:
            major: The Elasticsearch major; None for the newest that a Java here can run.
            profile: The use of the node, which determines its heap and compilers, and for "run" its port.
            folder: Where config, data and logs are kept; None for a throwaway folder.
            security: Users and roles; None for a node without security.
            settings: More settings for ``elasticsearch.yml``.
            environment: More environment variables of the node, set once it runs under its own user.
        """
        self.url = ""
        self.version = ""
        self._major = major
        self._profile = profile
        self._kept_folder = folder
        self._port = 0  # any free port; a restart uses the same one
        self._security = security
        self._settings = dict(settings or {})
        self._environment = [f"{name}={value}" for name, value in (environment or {}).items()]
        self._folder: Path | None = None
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process group of the node (its launcher and its JVM), for ``os.killpg``.

        Raises:
            ProcessLookupError: The node does not run.
        """
        if self._process is None:
            raise ProcessLookupError("the node does not run")
        return self._process.pid

    @property
    def folder(self) -> Path:
        """The folder with its config, data and logs.

        Raises:
            FileNotFoundError: The node was not started.
        """
        if self._folder is None:
            raise FileNotFoundError("the node was not started")
        return self._folder

    def start(self) -> Self:
        """Start the node and wait until it answers.

        Raises:
            Unavailable: It cannot be started; if it exited, the message has its last log lines.
        """
        if self._process is not None:
            return self
        try:
            chosen, chosen_java = distribution.choose(java.find(), self._major)
            home = distribution.home(chosen)
            self._take_folder()
            self._configure(home)
            self._launch(home, chosen_java)
            auth = self._security.first_user if self._security else None
            self.version = wait_for_version(
                self._address, self.failure, _START_SECONDS, auth, progress=self._profile == "run"
            )
        except OSError as error:
            self.close()
            raise Unavailable(f"the embedded Elasticsearch cannot be started ({error})") from error
        except BaseException:
            self.close()
            raise
        self.url = self._address() or ""
        self._port = int(self.url.rpartition(":")[2])
        if self._profile == "run" and run_port() not in (0, self._port):
            busy = f"Port {run_port()} is busy, so Elasticsearch listens at {self._port} this time"
            print(f"{busy}; ELASTICSEARCH_PORT names another.", file=sys.stderr, flush=True)
        return self

    def failure(self) -> str | None:
        """Say how the node exited by itself, with its last log lines; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        text = (self.folder / "logs" / "console.log").read_text(errors="replace")
        if "failed to obtain node lock" in text:
            return f"the data in {self.folder} is in use by another Elasticsearch node"
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("\tat ")]
        log = "\n  ".join(lines[-_LOG_LINES:])
        return f"the embedded Elasticsearch exited with status {self._process.returncode}; its last lines:\n  {log}"

    def stop(self) -> None:
        """Stop the node, or kill it if that takes too long; its data stays."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the node with SIGKILL, as a crash would; its data stays."""
        if self._process is None:
            return
        group = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process.wait()
        # Wait for the JVM, too, which is a child of the launcher: until it exits it keeps the port and the lock.
        deadline = time.monotonic() + _KILL_SECONDS
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(group, 0)
                time.sleep(0.02)
        self._process = None

    def close(self) -> None:
        """Stop the node and remove its folder, unless that is to be kept."""
        self.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._folder is not None and self._kept_folder is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _take_folder(self) -> None:
        """Choose a folder and lock it for this node. The lock lasts until this process and the node have ended."""
        if self._folder is not None:
            return
        if self._kept_folder is not None:
            folder = folders.make(self._kept_folder.absolute())
            # A node whose parent was killed needs some time to exit.
            self._lock = _lock_folder(folder, timeout=_LOCK_SECONDS)
            if self._lock is None:
                raise Unavailable(f"the data in {folder} is in use by another Elasticsearch node")
        else:
            temporary = folders.temporary_folder(in_memory=self._profile == "test")
            _remove_abandoned(temporary)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary))
            self._lock = _lock_folder(folder)
        self._folder = folder

    def _configure(self, home: Path) -> None:
        folder = self.folder
        config = folder / "config"
        for name in ("config", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ("config", "data", "logs", "tmp"):
            (folder / name).mkdir(exist_ok=True)
        for file in (home / "config").iterdir():
            if file.is_file():
                shutil.copyfile(file, config / file.name)
        # These options name folders below the working folder; the JVM does not start if they are missing.
        options = (config / "jvm.options").read_text().splitlines(keepends=True)
        unwanted = re.compile(r"-Xlog:gc|HeapDumpPath|ErrorFile")
        (config / "jvm.options").write_text("".join(line for line in options if not unwanted.search(line)))
        # A list: the node takes the first port that is free, and 0 is any.
        ports = f"{run_port()},0" if self._profile == "run" and not self._port else self._port
        settings: dict[str, Any] = {
            "cluster.name": folders.PRODUCT,
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": ports,
            "transport.port": 0,
            "node.portsfile": True,
            "path.data": str(folder / "data"),
            "path.logs": str(folder / "logs"),
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "xpack.security.enabled": False,
        }
        if self._security is not None:
            settings |= self._security.settings
            self._security.write(config)
        settings |= self._settings
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in settings.items()]  # JSON is also YAML
        (config / "elasticsearch.yml").write_text("".join(lines))
        (folder / "logs" / "http.ports").unlink(missing_ok=True)
        if folders.NODE_UID is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, folders.NODE_UID, folders.NODE_UID, follow_symlinks=False)

    def _launch(self, home: Path, chosen: java.Java) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ES_")},
            "ES_JAVA_HOME": str(chosen.home),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "ES_JAVA_OPTS": f"{JAVA_OPTIONS[self._profile]} -XX:-UsePerfData",  # else files stay in /tmp
            "CLI_JAVA_OPTS": "-XX:-UsePerfData",
        }
        command = ["env", *self._environment, "bash", str(home / "bin" / "elasticsearch")]
        assert self._lock is not None
        with (self.folder / "logs" / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                with_parent_death_signal(command, uid=folders.NODE_UID),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock.fileno()],  # the node holds the lock as well
                start_new_session=True,  # the parent handles Ctrl-C and then stops the node
            )

    def _address(self) -> str | None:
        try:
            ports = (self.folder / "logs" / "http.ports").read_text().split()
        except FileNotFoundError:
            return None
        return f"http://{ports[0]}" if ports else None


def run_port() -> int:
    """Read ``ELASTICSEARCH_PORT``, the port of a node with the profile "run" where it is free; 0 is any.

    Raises:
        Unavailable: It is no port number.
    """
    port = os.environ.get("ELASTICSEARCH_PORT", _RUN_PORT)
    if not (port.isdecimal() and int(port) < 65536):
        raise Unavailable(f"ELASTICSEARCH_PORT must be a port number, not {port!r}.")
    return int(port)


def _lock_folder(folder: Path, timeout: float = 0) -> IO[str] | None:
    """Lock a folder and return its lock file; None if another process still has it after `timeout` seconds."""
    lock = (folder / "in-use.lock").open("w")
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                lock.close()
                return None
            time.sleep(0.1)
        else:
            return lock


def _remove_abandoned(folder: Path) -> None:
    """Remove the folders of throwaway nodes whose parent was killed."""
    for abandoned in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it belongs to another user, or is being removed
            if (lock := _lock_folder(abandoned)) is not None:
                shutil.rmtree(abandoned, ignore_errors=True)
                lock.close()
