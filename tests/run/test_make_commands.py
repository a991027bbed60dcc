"""The other make commands of the README, run as documented."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from app.store.index_definitions import SECRETS
from tests.make_run import OUR_VARIABLES
from tests.service import REPOSITORY, Service


def make(*arguments: str, **environment: str) -> str:
    """Run a make command, which must succeed; returns its standard output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
    if major := os.environ.get("ELASTICSEARCH_MAJOR"):
        inherited["ELASTICSEARCH_MAJOR"] = major
    ran = subprocess.run(
        ["make", *arguments],
        cwd=REPOSITORY,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_help_lists_every_command() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    listed = re.findall(r"^make ([a-z-]+) +\S", make("help"), re.MULTILINE)
    assert listed == re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)


def test_key_of_secrets_is_rotated_as_documented(node_url, elasticsearch) -> None:
    # Other tests have left secrets on this node whose keys are gone.
    elasticsearch.indices.delete(index=SECRETS.name, ignore_unavailable=True)
    old, new = (make("secrets-key").removesuffix("\n") for _ in range(2))
    assert old != new
    path = "/_connector/_secret/rotated"
    with Service(node_url, SECRETS_KEYS=old, WORKERS="1") as service:
        service.wait_until_ready()
        assert service.http.put(path, json={"value": "v"}).status_code in (200, 201)
    with Service(node_url, SECRETS_KEYS=f"{new},{old}", WORKERS="1") as service:
        output = make("secrets-rotate", SECRETS_KEYS=f"{new},{old}", ELASTICSEARCH_URL=node_url)
        assert re.fullmatch(r"Secrets under the key \[\S+\]: \d+, 1 of them re-encrypted\.\n", output)
    with Service(node_url, SECRETS_KEYS=new, WORKERS="1") as service:
        assert service.http.get(path).json()["value"] == "v"
        assert service.http.delete(path).status_code == 200


@pytest.mark.timeout(300)
def test_benchmark_prints_its_table(node_url) -> None:
    output = make("bench", "ARGS=--seconds 0.3 --turns 1", TEST_ELASTICSEARCH_URL=node_url)
    first, heads, *rows = output.splitlines()
    assert first == "Claims a second, median of 1 turns of 0.3 s each"
    assert heads.split() == ["clients", "service", "direct", "original", "service/direct", "service/original"]
    cells = [[float(cell) for cell in row.split()] for row in rows]
    assert [row[0] for row in cells] == [1, 8, 64]
    for _, service, direct, original, to_direct, to_original in cells:
        assert min(service, direct, original) > 0
        assert to_direct == pytest.approx(service / direct, abs=0.1)
        assert to_original == pytest.approx(service / original, rel=0.2)
