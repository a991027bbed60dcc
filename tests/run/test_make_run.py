"""`make run`: its processes are ready when it says so, and gone however it ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from unittest.mock import ANY

import pytest

from app import settings
from tests.make_run import READY, SUPERVISOR, Run, assert_gone, new_home
from tests.service import Http, free_port

CONNECTOR = {"name": "Kept", "index_name": "search-kept", "service_type": "mysql"}


class First(NamedTuple):
    """A run that has ended: its process, all processes it had started, its data, and the id of a job."""

    make: Run
    family: dict[int, str]
    home: Path
    job: str


def half_a_request(port: int) -> http.client.HTTPConnection:
    """A request whose body is half sent: the service has started to read it and waits for the rest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("PUT", "/_connector/under-way")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20")
    connection.endheaders(b'{"name": "')
    time.sleep(0.5)
    return connection


def test_ctrl_c_completes_the_running_request_and_then_ends_service_and_node(run):
    port = free_port()
    make = run(["make", "run"], ELASTICSEARCH_PORT=str(port))
    make.wait_for(READY)
    assert re.search(rf"^Elasticsearch \S+ answers at http://127\.0\.0\.1:{port}$", make.output, re.MULTILINE)
    assert "is busy" not in make.output
    assert f"curl -X PUT http://127.0.0.1:{make.port}/_connector/my-connector" in make.output
    make.wait_for("\nWorkers need one address for this API and Elasticsearch: make run GATEWAY=1\n")
    family = make.family()
    assert any("gunicorn" in command for command in family.values())
    assert any("org.elasticsearch.bootstrap" in command for command in family.values())
    with closing(half_a_request(make.port)) as connection:
        os.killpg(make.process.pid, signal.SIGINT)  # to the process group, as a terminal does
        make.wait_for("Stopping")
        time.sleep(1)
        connection.send(b'Mine"    }')
        response = connection.getresponse()
        assert (response.status, response.read()) == (201, ANY)  # Elasticsearch was still there to store it
    make.end()
    assert make.output.rstrip().splitlines()[-1].startswith(("Stopped.", "make: ***"))
    assert "Stopped." in make.output
    assert_gone(family)


@pytest.fixture(scope="module")
def first() -> Iterator[First]:
    """A `make run` with some documents that was ended with SIGTERM."""
    with new_home() as home:
        make = Run(["make", "run"], home, SECRETS_KEYS="")
        make.wait_for(READY)
        http = Http(f"http://127.0.0.1:{make.port}")
        assert http.put("/_connector/kept", json=CONNECTOR).status_code == 201
        job = http.post("/_connector/_sync_job", json={"id": "kept"}).json()["id"]
        assert http.put("/_connector/_secret/kept", json={"value": "v"}).status_code == 201
        assert http.get("/_connector/_secret/kept").json()["value"] == "v"
        http.close()
        family = make.family()
        make.process.terminate()
        make.end()
        yield First(make, family, home, job)


@pytest.mark.timeout(300)
def test_sigterm_ends_all_processes(first):
    # The start takes longer than the interval of the progress messages.
    assert re.search(
        r"Starting Elasticsearch \S+; its data stays in \S+\n(  starting, \d+ s\n)+Elasticsearch",
        first.make.output,
    )
    assert "Stopped." in first.make.output
    assert_gone(first.family)


@pytest.mark.timeout(300)
def test_embedded_node_gets_a_key_for_secrets_that_is_kept(first, monkeypatch):
    [file] = first.home.rglob("secrets.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.make.output.count(f"Secrets are encrypted with the key in {file}\n") == 1
    assert file.read_text() not in first.make.output
    monkeypatch.setenv("SECRETS_KEYS", file.read_text())
    assert len(settings.load().secrets_keys) == 1


def test_configured_cluster_gets_no_key(run, node_url):
    supervisor = run(SUPERVISOR, SECRETS_KEYS="", ELASTICSEARCH_URL=node_url)
    supervisor.wait_for(READY)
    http = Http(f"http://127.0.0.1:{supervisor.port}")
    assert http.get("/_connector/_secret/a").status_code == 501
    http.close()
    supervisor.process.terminate()
    supervisor.end()
    assert "Secrets" not in supervisor.output
    assert not list(supervisor.home.rglob("*.key"))


@pytest.mark.timeout(300)  # two starts of a node
def test_data_is_kept_for_the_next_run_and_killing_make_ends_all_processes(first):
    make = Run(["make", "run"], first.home)
    try:
        make.wait_for(READY)
        http = Http(f"http://127.0.0.1:{make.port}")
        found = http.get("/_connector/kept").json()
        assert {name: found[name] for name in CONNECTOR} == CONNECTOR
        assert http.get(f"/_connector/_sync_job/{first.job}").json()["status"] == "pending"
        assert http.get("/_connector/_secret/kept").json()["value"] == "v"
        http.close()
    finally:
        family = make.family()
        make.process.kill()
    assert_gone(family)
    make.end()


def test_killing_the_supervisor_ends_all_processes(run):
    """The port of its node is busy, so it says that the node has another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        supervisor = run(SUPERVISOR, ELASTICSEARCH_PORT=str(busy))
        supervisor.wait_for(READY)
    [other] = re.findall(
        rf"^Port {busy} is busy, so Elasticsearch listens at (\d+) this time; "
        r"ELASTICSEARCH_PORT names another\.$",
        supervisor.output,
        re.MULTILINE,
    )
    assert f" answers at http://127.0.0.1:{other}\n" in supervisor.output
    family = supervisor.family()
    assert len(family) >= 4  # gunicorn, its worker, the node's launcher, the node

    supervisor.process.kill()

    assert_gone(family)
    supervisor.end()


def test_death_of_the_node_ends_the_service(run):
    supervisor = run(SUPERVISOR)
    supervisor.wait_for(READY)
    family = supervisor.family()
    node = next(pid for pid, command in family.items() if "org.elasticsearch.bootstrap" in command)

    os.kill(node, signal.SIGKILL)

    assert supervisor.end() == 1
    assert "The service stops, because the embedded Elasticsearch exited with status" in supervisor.output
    assert_gone(family)


def test_used_port_is_reported_before_anything_is_started(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        supervisor = run(SUPERVISOR, PORT=str(taken.getsockname()[1]))
        assert supervisor.end() == 1
    assert supervisor.output.startswith("Cannot listen at 127.0.0.1:")
    assert len(supervisor.output.splitlines()) == 1


def test_service_that_ends_by_itself_ends_the_run_with_its_status(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9", GUNICORN_CMD_ARGS="--no-such-option")
    assert supervisor.end() == 2
    assert "The service exited with status 2" in supervisor.output


@pytest.mark.parametrize("setting", ["WORKERS", "ELASTICSEARCH_PORT"])
def test_invalid_setting_is_a_one_line_error(run, setting):
    supervisor = run(SUPERVISOR, **{setting: "many"})
    assert supervisor.end() == 1
    assert setting in supervisor.output
    assert len(supervisor.output.splitlines()) == 1


def test_configured_cluster_is_the_only_source(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9")
    supervisor.wait_for("Not ready yet")
    assert not any("org.elasticsearch" in command for command in supervisor.family().values())

    supervisor.process.terminate()

    assert supervisor.end() == 0
    assert supervisor.output.endswith("Stopped.\n")
