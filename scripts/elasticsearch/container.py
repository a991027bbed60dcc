"""No command: Elasticsearch in a container, for tests through testcontainers, for a run through the docker command."""

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

from .node import JAVA_OPTIONS
from .source import Unavailable, version_of, wait_for_version

_IMAGES = {
    9: "docker.elastic.co/elasticsearch/elasticsearch:9.4.3",
    8: "docker.elastic.co/elasticsearch/elasticsearch:8.14.1",
}
_DOCKER_SECONDS = 3  # a daemon that hangs would otherwise cost a minute


def image(major: int | None) -> str:
    """Name the image: ``ES_IMAGE``, or Elastic's own of the pinned version of a major."""
    return os.environ.get("ES_IMAGE") or _IMAGES[major or max(_IMAGES)]


class TestContainer:
    """A throwaway container that testcontainers starts and removes."""

    __test__ = False  # its name makes pytest curious

    def __init__(self, major: int | None = None) -> None:
        """Describe it; nothing is started yet.

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
            Unavailable: Docker does not answer, or the image cannot be had or does not start.
        """
        if self._container is not None:
            return self
        if Path("/.dockerenv").exists():  # we are in a container ourselves: the ports are the Docker host's
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
            docker.from_env(timeout=_DOCKER_SECONDS).ping()
        except Exception as error:  # docker's, requests' and urllib3's, each with a text of its own
            raise Unavailable(f"Docker does not answer ({_first_line(error)})") from error
        try:
            container = ElasticSearchContainer(self._image)
            container.with_env("discovery.type", "single-node").with_env("ES_JAVA_OPTS", JAVA_OPTIONS["test"])
            container.with_tmpfs_mount("/usr/share/elasticsearch/data")  # twice as quick as a disk
            container.ports = {"9200": ("127.0.0.1", None)}  # type: ignore[dict-item]  # docker's own form: this host only
            # HTTP alone would wait two minutes for a container that died.
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
        """Say None: a container that ended is noticed by whoever asks it."""
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
        """Describe it; nothing is started yet.

        Args:
            major: The Elasticsearch major; None for the newest.
        """
        self.url = ""
        self.version = ""
        self._image = image(major)
        self._name = f"connector-sync-service-{uuid.uuid4().hex[:12]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, fetching its image if need be, and wait until it answers.

        Raises:
            Unavailable: Docker does not answer, or the image cannot be had or does not start.
        """
        if self._process is not None:
            return self
        self._docker("version", seconds=_DOCKER_SECONDS)
        if self._docker_fails("image", "inspect", self._image):
            print(f"Fetching {self._image}, once.", file=sys.stderr, flush=True)
            self._docker("pull", self._image, seconds=3600, shown=True)
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
            # The docker command hands signals on, so that the container ends when its starter does.
            self._process = subprocess.Popen(
                with_parent_death_signal(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.version = wait_for_version(self._address, self.failure, 180, tell=True)
        except BaseException:
            self.stop()
            raise
        self.url = self._address() or ""
        return self

    def failure(self) -> str | None:
        """Say how the container ended by itself; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the container of {self._image} ended with status {self._process.returncode}"

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
            return (
                "http://" + self._docker("port", self._name, "9200/tcp", seconds=_DOCKER_SECONDS).split()[0]
            )
        except (Unavailable, IndexError):
            return None

    def _docker_fails(self, *arguments: str) -> bool:
        try:
            self._docker(*arguments, seconds=30)
        except Unavailable:
            return True
        return False

    def _docker(self, *arguments: str, seconds: float, shown: bool = False) -> str:
        """Run a docker command; what it prints is returned, or with `shown` goes to standard error."""
        if shutil.which("docker") is None:
            raise Unavailable("Docker is not installed")
        try:
            asked = subprocess.run(
                ["docker", *arguments],
                stdout=2 if shown else subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"docker {arguments[0]} takes longer than {seconds:.0f} s") from error
        if asked.returncode != 0:
            raise Unavailable(f"docker {arguments[0]} says: {asked.stderr.strip().partition(chr(10))[0]}")
        return asked.stdout or ""


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
