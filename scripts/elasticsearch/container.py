"""No command: Elasticsearch in a container: with testcontainers for tests, with the docker command for `make run`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from scripts.parent_death import with_parent_death_signal

from .distribution import NEWEST_FIRST
from .node import JAVA_OPTIONS
from .source import Unavailable, version_of, wait_for_version

_DOCKER_TIMEOUT_SECONDS = 3  # without it, a hanging daemon costs a minute
_START_SECONDS = 180


def image(major: int | None) -> str:
    """Return the name of the image: ``ES_IMAGE``, else Elastic's image of the same version as the embedded node.

    Args:
        major: The Elasticsearch major; None for the newest.
    """
    version = next(each.version for each in NEWEST_FIRST if major in (None, each.major))
    return os.environ.get("ES_IMAGE") or f"docker.elastic.co/elasticsearch/elasticsearch:{version}"


class TestContainer:
    """A throwaway container that testcontainers starts and removes."""

    __test__ = False  # pytest would collect it because of its name

    def __init__(self, major: int | None = None) -> None:
        """Describe the container; nothing is started yet.

        Args:
            major: The Elasticsearch major; None for the newest.
        """
        self.url = ""
        self.version = ""
        self._image = image(major)
        self._container: Any = None

    def start(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            Unavailable: Docker does not answer, or the image cannot be pulled or started.
        """
        if self._container is not None:
            return self
        if Path("/.dockerenv").exists():  # this process is in a container
            # Ports are published on the Docker host.
            os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
        try:
            import docker
            from testcontainers.community.elasticsearch import ElasticSearchContainer
            from testcontainers.core.wait_strategies import (
                CompositeWaitStrategy,
                HttpWaitStrategy,
                LogMessageWaitStrategy,
            )
        except ImportError as error:
            raise Unavailable(f"testcontainers is not installed ({error})") from error
        try:
            docker.from_env(timeout=_DOCKER_TIMEOUT_SECONDS).ping()
        except Exception as error:  # docker, requests and urllib3 raise unrelated types
            raise Unavailable(f"Docker does not answer ({_first_line(error)})") from error
        try:
            container = ElasticSearchContainer(self._image)
            container.with_env("discovery.type", "single-node").with_env("ES_JAVA_OPTS", JAVA_OPTIONS["test"])
            container.with_tmpfs_mount("/usr/share/elasticsearch/data")  # twice as fast as a disk
            container.ports = {"9200": ("127.0.0.1", None)}  # type: ignore[dict-item]  # loopback only, in docker's form
            # The HTTP strategy alone would wait two minutes for a container that exited.
            container.waiting_for(
                CompositeWaitStrategy(LogMessageWaitStrategy("started"), HttpWaitStrategy(9200))
            )
            self._container = container
            container.start()
            self.url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(9200)}"
            self.version = version_of(self.url)
        except BaseException as error:
            self.stop()
            if isinstance(error, Exception):
                raise Unavailable(f"{self._image} does not start ({_first_line(error)})") from error
            raise
        return self

    def failure(self) -> str | None:
        """Return None: the container is not watched."""
        return None

    def stop(self) -> None:
        """Stop and remove the container."""
        if self._container is not None:
            with suppress(Exception):
                self._container.stop()
            self._container = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


class KeptContainer:
    """A container whose data stays in a named volume, one for each Elasticsearch major."""

    def __init__(self, major: int | None = None) -> None:
        """Describe the container; nothing is started yet.

        Args:
            major: The Elasticsearch major; None for the newest.
        """
        self.url = ""
        self.version = ""
        self._image = image(major)
        self._name = f"connector-sync-service-{uuid.uuid4().hex[:12]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, pull its image if necessary, and wait until it answers.

        Raises:
            Unavailable: Docker does not answer, or the image cannot be pulled or started.
        """
        if self._process is not None:
            return self
        self._docker("version", seconds=_DOCKER_TIMEOUT_SECONDS)
        if self._docker_fails("image", "inspect", self._image):
            print(f"Pulling {self._image} (only the first time)", file=sys.stderr, flush=True)
            self._docker("pull", self._image, seconds=3600, to_stderr=True)
        # One volume for each version: a node cannot open the data of a newer one.
        volume = f"connector-sync-service-elasticsearch-{self._image.rpartition(':')[2]}"
        print(f"Starting {self._image}; its data stays in the volume {volume}", file=sys.stderr, flush=True)
        options = {
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "ES_JAVA_OPTS": JAVA_OPTIONS["run"],
        }
        environment = [f"--env={name}={value}" for name, value in options.items()]
        command = ["docker", "run", "--rm", f"--name={self._name}", "--publish=127.0.0.1::9200", *environment]
        command += [f"--volume={volume}:/usr/share/elasticsearch/data", self._image]
        try:
            # The docker command forwards signals, so the container ends with this process.
            self._process = subprocess.Popen(
                with_parent_death_signal(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.version = wait_for_version(self._address, self.failure, _START_SECONDS, progress=True)
        except BaseException:
            self.stop()
            raise
        self.url = self._address() or ""
        return self

    def failure(self) -> str | None:
        """Say how the container exited by itself; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the container of {self._image} exited with status {self._process.returncode}"

    def stop(self) -> None:
        """Stop and remove the container; its volume stays."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._docker_fails("rm", "--force", self._name)
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _address(self) -> str | None:
        try:
            ports = self._docker("port", self._name, "9200/tcp", seconds=_DOCKER_TIMEOUT_SECONDS)
            return f"http://{ports.split()[0]}"
        except (Unavailable, IndexError):
            return None

    def _docker_fails(self, *arguments: str) -> bool:
        try:
            self._docker(*arguments, seconds=30)
        except Unavailable:
            return True
        return False

    def _docker(self, *arguments: str, seconds: float, to_stderr: bool = False) -> str:
        """Run a docker command; its output is returned, or with `to_stderr` goes to standard error."""
        if shutil.which("docker") is None:
            raise Unavailable("Docker is not installed")
        try:
            done = subprocess.run(
                ["docker", *arguments],
                stdout=2 if to_stderr else subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"docker {arguments[0]} took longer than {seconds:.0f} s") from error
        if done.returncode != 0:
            raise Unavailable(f"docker {arguments[0]} failed: {done.stderr.strip().partition(chr(10))[0]}")
        return done.stdout or ""


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
