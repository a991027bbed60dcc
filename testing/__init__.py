"""The service and an Elasticsearch in containers, for integration tests of their clients.

It is installed as the package `connector_testing`; docs/testing.md shows a fixture. It does not import the service, and the
service does not import it.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Literal, Self
from urllib.parse import urlsplit

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

__all__ = ["DEFAULT_ELASTICSEARCH_IMAGE", "DEFAULT_SERVICE_IMAGE", "ConnectorService", "NotStarted"]

DEFAULT_ELASTICSEARCH_IMAGE = "docker.elastic.co/elasticsearch/elasticsearch:9.4.3"
DEFAULT_SERVICE_IMAGE = "connector-sync-service"

_DOCKER_TIMEOUT_SECONDS = 5  # docker's default is a minute
_LOG_LINES = 40  # of a container that did not start
_ELASTICSEARCH_SETTINGS = {
    "discovery.type": "single-node",
    "xpack.security.enabled": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    # Without a limit it takes half of the machine's memory; with one compiler it starts in half the time.
    "ES_JAVA_OPTS": "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1",
}


class NotStarted(Exception):
    """Docker, Elasticsearch or the service is not available; the message says why, with the log of a container that exited."""


class ConnectorService:
    """An empty Elasticsearch and the service, each in its own container.

    A context manager: both are ready inside the block, and removed after it.
    """

    url: str
    """The address of the service, for example `http://localhost:32771`."""

    elasticsearch_url: str
    """The address of Elasticsearch. Its security is off."""

    network: str
    """The name of their Docker network; other containers in it reach `service:9280` and `elasticsearch:9200`."""

    def __init__(
        self,
        *,
        elasticsearch_image: str | None = None,
        service_image: str | None = None,
        elasticsearch_settings: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        start_seconds: float = 180,
    ) -> None:
        """Describe both; nothing is started yet.

        Args:
            elasticsearch_image: The image of Elasticsearch; None for `ES_IMAGE`, else Elastic's image.
            service_image: The image of the service; None for `CONNECTOR_SERVICE_IMAGE`, else `connector-sync-service`.
            elasticsearch_settings: Additional environment variables of Elasticsearch.
            settings: Environment variables of the service, such as `SECRETS_KEYS`.
            start_seconds: How long each of the two may take to become ready.
        """
        self.url = ""
        self.elasticsearch_url = ""
        self.network = ""
        self._elasticsearch_image = (
            elasticsearch_image or os.environ.get("ES_IMAGE") or DEFAULT_ELASTICSEARCH_IMAGE
        )
        self._service_image = (
            service_image or os.environ.get("CONNECTOR_SERVICE_IMAGE") or DEFAULT_SERVICE_IMAGE
        )
        self._elasticsearch_settings = {**_ELASTICSEARCH_SETTINGS, **(elasticsearch_settings or {})}
        self._settings = {"ELASTICSEARCH_URL": "http://elasticsearch:9200", **(settings or {})}
        self._start_seconds = start_seconds
        self._running: ExitStack | None = None
        self._service: DockerContainer | None = None

    def start(self) -> Self:
        """Start both and wait until the service is ready.

        Raises:
            NotStarted: Docker does not answer, or one of them cannot be started, exited, or is not ready in time.
        """
        if self._running is not None:
            return self
        try:
            with closing(docker.from_env(timeout=_DOCKER_TIMEOUT_SECONDS)) as client:
                client.ping()
        except (docker.errors.DockerException, OSError) as error:
            raise NotStarted(f"Docker does not answer: {error}") from error
        with ExitStack() as stack:
            network = stack.enter_context(Network())
            self.network = network.name
            self.elasticsearch_url = self._run(
                stack,
                DockerContainer(self._elasticsearch_image, env=self._elasticsearch_settings),
                (network, "elasticsearch", 9200),
                "/_cluster/health?wait_for_status=yellow&timeout=1s",
            )
            self._service = DockerContainer(self._service_image, env=self._settings)
            self.url = self._run(stack, self._service, (network, "service", 9280), "/readyz")
            self._running = stack.pop_all()
        return self

    def stop(self) -> None:
        """Remove both containers with their data; a second call does nothing."""
        running, self._running, self._service = self._running, None, None
        if running is not None:
            running.close()

    def log(self) -> str:
        """Return the log of the service so far, one JSON object per line; empty if it does not run."""
        return _log(self._service, "all") if self._service is not None else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _run(
        self, stack: ExitStack, container: DockerContainer, place: tuple[Network, str, int], path: str
    ) -> str:
        """Start a container at a network, alias and port; wait until it answers a GET of `path` with 200.

        Returns:
            The container's address.
        """
        network, alias, port = place
        container.with_network(network).with_network_aliases(alias).with_exposed_ports(port)
        stack.callback(container.stop)  # also for a container that was created but cannot be started
        try:
            container.start()
        except docker.errors.APIError as error:
            raise NotStarted(
                f"The image {container.image} cannot be pulled or started: {error.explanation or error}"
            ) from error
        deadline = time.monotonic() + self._start_seconds
        url, last = "", "it has not answered yet"
        while time.monotonic() < deadline:
            wrapped = container.get_wrapped_container()
            wrapped.reload()
            if wrapped.status in ("exited", "dead"):
                raise NotStarted(
                    f"{container.image} exited with status {wrapped.attrs['State']['ExitCode']}:\n"
                    f"{_log(container)}"
                )
            url = url or f"http://{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
            status, last = _get(url, path)
            if status == 200:
                return url
            time.sleep(0.1)
        raise NotStarted(
            f"{container.image} was not ready within {self._start_seconds:g} s: {last}\n{_log(container)}"
        )


def _get(url: str, path: str) -> tuple[int, str]:
    """Send one GET without a proxy. Returns status and body; 0 and the reason if there was no response."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def _log(container: DockerContainer, lines: int | Literal["all"] = _LOG_LINES) -> str:
    written: bytes = container.get_wrapped_container().logs(tail=lines)
    return written.decode(errors="replace")
