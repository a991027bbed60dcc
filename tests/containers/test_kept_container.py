"""`make run` with Docker and without Maven: a container whose data stays in a volume."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator

import pytest

from tests.make_run import READY, SUPERVISOR, Run, new_home, within
from tests.service import Http


@pytest.fixture
def image(daemon, elasticsearch_image) -> Iterator[str]:
    """The image under another tag: the volume is named after the tag, and that of the real one may hold data."""
    name = f"connector-sync-service/kept:{uuid.uuid4().hex[:12]}"
    daemon.images.get(elasticsearch_image).tag(name)
    yield name
    for volume in daemon.volumes.list(filters={"name": name.rpartition(":")[2]}):
        volume.remove()
    daemon.images.remove(name)


@pytest.fixture
def run(image, tmp_path) -> Iterator[Run]:
    """Starts supervisors that can use Docker only."""
    for command in ("docker", "setpriv"):
        (tmp_path / command).symlink_to(shutil.which(command))
    runs = []
    with new_home() as home:

        def start() -> Run:
            cache = str(home / "empty")
            runs.append(Run(SUPERVISOR, home, ES_IMAGE=image, PATH=str(tmp_path), XDG_CACHE_HOME=cache))
            return runs[-1]

        yield start
        for each in runs:
            each.process.kill()
            each.end()


def test_container_keeps_its_data_and_ends_with_the_command(daemon, image, run):
    def containers() -> list[str]:
        return [
            each.name for each in daemon.containers.list(all=True) if image in each.attrs["Config"]["Image"]
        ]

    connector = {"name": "Kept", "index_name": "search-kept", "service_type": "mysql"}
    first = run()
    first.wait_for(READY)
    lines = first.output.splitlines()
    assert re.fullmatch(r"Elasticsearch: no embedded node: .*(Maven|Java).*", lines[0])
    volume = f"connector-sync-service-elasticsearch-{image.rpartition(':')[2]}"
    assert lines[1] == f"Starting {image}; its data stays in the volume {volume}"
    assert re.fullmatch(r"  starting, \d+ s", lines[2])
    assert len(containers()) == 1
    http = Http(f"http://127.0.0.1:{first.port}")
    assert http.put("/_connector/kept", json=connector).status_code == 201
    http.close()

    first.process.terminate()

    assert first.end(60) == 0
    assert containers() == []
    assert daemon.volumes.get(volume)

    second = run()
    second.wait_for(READY)
    http = Http(f"http://127.0.0.1:{second.port}")
    found = http.get("/_connector/kept").json()
    assert {name: found[name] for name in connector} == connector
    http.close()

    second.process.kill()

    assert within(30, lambda: containers() == [])
