"""compose.yaml: Elasticsearch, the service, and the gateway in front of both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import requests
import yaml

from scripts.offline.base_image import BASE, BUILDER, GATEWAY
from tests.containers.conftest import MAJOR
from tests.environment import skip_or_fail
from tests.service import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose(daemon):
    """Runs `docker compose` or `docker-compose`, whichever is installed."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], capture_output=True).returncode
        ):
            break
    else:
        skip_or_fail("There is no docker compose")

    def run(*arguments: str, **environment: str) -> str:
        ran = subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_compose_file_is_valid(compose):
    services = compose("config", "--services", ES_IMAGE="").split()
    assert sorted(services) == ["elasticsearch", "gateway", "service"]
    assert "GATEWAY_LISTEN" in compose("config")


def test_default_base_image_is_that_of_the_dockerfile(compose):
    """compose.yaml and Dockerfile have the same default."""
    built = yaml.safe_load(compose("config", SERVICE_BASE="", SERVICE_BUILDER="", ELASTICSEARCH_MAJOR=""))
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    arguments = built["services"]["service"]["build"]["args"]
    assert arguments == {**defaults, "BUILDER": defaults["BASE"]}


def test_gateway_is_one_address_for_service_and_elasticsearch(compose, daemon, elasticsearch_image):
    """`docker compose up --build`, with the local base images, in the background."""
    if not daemon.images.list(GATEWAY):
        skip_or_fail(f"There is no image {GATEWAY} (`make base-image`)")
    port = free_port()
    name = f"connectors-{uuid.uuid4().hex[:8]}"
    environment = {
        "COMPOSE_PROJECT_NAME": name,
        "ES_IMAGE": elasticsearch_image,
        "CONNECTOR_SERVICE_IMAGE": name,
        "SERVICE_BASE": BASE,
        "SERVICE_BUILDER": BUILDER,
        "ELASTICSEARCH_MAJOR": MAJOR,
        "GATEWAY_IMAGE": GATEWAY,
        "GATEWAY_PORT": str(port),
    }
    gateway = f"http://127.0.0.1:{port}"
    try:
        compose("up", "--build", "--detach", **environment)
        deadline = time.monotonic() + 60
        while not responds(f"{gateway}/_connector"):
            assert time.monotonic() < deadline, compose("logs", "--no-color", **environment)
            time.sleep(0.5)
        made = requests.put(f"{gateway}/_connector/mine", json={"service_type": "mysql"}, timeout=30)
        assert (made.status_code, made.json()["result"]) == (201, "created")
        found = requests.get(f"{gateway}/.elastic-connectors/_doc/mine", timeout=30)
        assert found.json()["_source"]["service_type"] == "mysql"
        assert requests.get(gateway, timeout=30).json()["tagline"] == "You Know, for Search"
    finally:
        compose("down", "--volumes", **environment)
        daemon.images.remove(name, force=True)


def responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
