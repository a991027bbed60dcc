"""`make image`, as documented in the README, with the base images of `make base-image`."""

from __future__ import annotations

import os
import re
import subprocess

from scripts.offline.base_image import BASE, BUILDER
from tests.containers.conftest import MAJOR
from tests.environment import skip_or_fail
from tests.make_run import OUR_VARIABLES
from tests.service import REPOSITORY


def test_local_base_image_has_the_python_of_the_dockerfile(daemon):
    if not daemon.images.list(BUILDER):
        skip_or_fail(f"There is no image {BUILDER} (`make base-image`)")
    wanted = re.search(r"^ARG BASE=python:(\d+\.\d+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    found = daemon.containers.run(BUILDER, ["python3", "--version"], remove=True).decode()
    if not found.startswith(f"Python {wanted[1]}."):
        skip_or_fail(f"{BUILDER} has {found.strip()}; its packages are of another release")


def test_make_image_builds_the_documented_image(daemon):
    if not daemon.images.list(BUILDER):
        skip_or_fail(f"There is no image {BUILDER} (`make base-image`)")
    somebodys = daemon.images.list("connector-sync-service:latest")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}
    arguments = f"--build-arg BASE={BASE} --build-arg BUILDER={BUILDER} --label tested=yes"
    made = subprocess.run(
        ["make", "image", f"ARGS={arguments}"],
        cwd=REPOSITORY,
        env={**inherited, "ELASTICSEARCH_MAJOR": MAJOR},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    image = daemon.images.get("connector-sync-service")
    try:
        assert image.labels == {"tested": "yes"}
        assert image.attrs["Config"]["Cmd"] == ["/service/.venv/bin/python", "-m", "gunicorn"]
    finally:
        daemon.images.remove("connector-sync-service")
        for each in somebodys:
            each.tag("connector-sync-service")
