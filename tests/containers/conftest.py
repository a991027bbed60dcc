from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from scripts.elasticsearch.container import image
from scripts.offline.base_image import BASE, BUILDER
from tests.environment import skip_or_fail

# Set before testcontainers is imported: also in a container, the ports that Docker publishes are on this host.
if Path("/.dockerenv").exists():
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SERVICE_IMAGE = "connector-sync-service:tested"
MAJOR = os.environ.get("ELASTICSEARCH_MAJOR", "9")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(600))  # images may have to be built


@pytest.fixture(scope="session")
def daemon() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=5)
        client.ping()
    except Exception as error:
        skip_or_fail(f"Docker does not answer: {error}")
    client.close()
    with closing(docker.from_env(timeout=120)) as client:
        yield client


@pytest.fixture(scope="session")
def elasticsearch_image(daemon: docker.DockerClient) -> str:
    wanted = image(int(MAJOR))
    try:
        daemon.images.get(wanted)
    except docker.errors.ImageNotFound:
        try:
            daemon.images.pull(wanted)
        except docker.errors.APIError as error:
            skip_or_fail(
                f"{wanted} cannot be had (`make elasticsearch-image` makes one for ES_IMAGE): {error}"
            )
    return wanted


@pytest.fixture(scope="session")
def service_image(daemon: docker.DockerClient) -> str:
    """The image that the Dockerfile builds, with the local base images of `make base-image` if there are any."""
    command = ["docker", "build", "--tag", SERVICE_IMAGE, f"--build-arg=ELASTICSEARCH_MAJOR={MAJOR}"]
    if daemon.images.list(BUILDER):
        command += [f"--build-arg=BASE={BASE}", f"--build-arg=BUILDER={BUILDER}"]
    built = subprocess.run([*command, str(REPOSITORY)], capture_output=True, text=True, check=False)
    if built.returncode:
        error = (built.stderr or built.stdout)[-1000:]
        skip_or_fail(
            f"The service's image cannot be built (`make base-image` where no registry is reached): {error}"
        )
    return SERVICE_IMAGE
