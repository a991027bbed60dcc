"""`make image`, as the README says it, where `make base-image` has made its bases."""

from __future__ import annotations

import os
import subprocess

from scripts.base_image import BASE, BUILDER
from tests.containers.conftest import MAJOR
from tests.environment import lacking
from tests.make_run import OUR_VARIABLES
from tests.service import REPOSITORY


def test_it_builds_the_image_of_that_name(daemon):
    if not daemon.images.list(BUILDER):
        lacking(f"There is no image {BUILDER} (`make base-image`)")
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
