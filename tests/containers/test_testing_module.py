"""The module for authors of integration tests, installed and used in another project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.installation import install
from tests.service import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with what `pip install` of this project puts into site-packages."""
    return install(tmp_path_factory.mktemp("installation"))


def test_documented_project_passes(daemon, elasticsearch_image, service_image, installed, tmp_path):
    """Runs the files of docs/testing.md."""
    before = containers_and_networks(daemon)
    files = re.findall(
        r"```python\n# (\S+)\n(.*?)```", (REPOSITORY / "docs/testing.md").read_text(), re.DOTALL
    )
    assert len(files) == 2
    for name, text in files:
        (tmp_path / name).write_text(text)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(installed),
            "ES_IMAGE": elasticsearch_image,
            "CONNECTOR_SERVICE_IMAGE": service_image,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert containers_and_networks(daemon) == before


def test_elasticsearch_that_dies_is_an_error_with_its_log_at_once(daemon, elasticsearch_image, service_image):
    from testing import ConnectorService, NotStarted

    before = containers_and_networks(daemon)
    started = time.monotonic()
    with pytest.raises(NotStarted, match=r"(?s)exited with status \d+:.*NoSuchOption"):
        ConnectorService(
            elasticsearch_image=elasticsearch_image,
            service_image=service_image,
            elasticsearch_settings={"ES_JAVA_OPTS": "-XX:NoSuchOption"},
        ).start()
    assert time.monotonic() - started < 30
    assert containers_and_networks(daemon) == before


def test_missing_image_is_named_in_the_error(daemon):
    from testing import ConnectorService, NotStarted

    before = containers_and_networks(daemon)
    with pytest.raises(NotStarted, match=r"connector-sync-service/nowhere:1\.0\.0 cannot be pulled"):
        ConnectorService(elasticsearch_image="connector-sync-service/nowhere:1.0.0").start()
    assert containers_and_networks(daemon) == before


def test_missing_docker_is_an_error_at_once(daemon, monkeypatch):
    from testing import ConnectorService, NotStarted

    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(NotStarted, match="Docker does not answer"):
        ConnectorService().start()


def containers_and_networks(daemon) -> set[str]:
    return {each.name for each in (*daemon.containers.list(all=True), *daemon.networks.list())}
