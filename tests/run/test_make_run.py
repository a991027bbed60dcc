"""The life of `make run`: what it starts is there when it says so, and gone when it ends, however it ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import time
from contextlib import closing
from unittest.mock import ANY

import pytest

from tests.make_run import READY, SUPERVISOR, assert_gone
from tests.service import Http


def half_a_request(port: int) -> http.client.HTTPConnection:
    """A create whose body is half sent: the service has begun with it and waits for the rest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("PUT", "/_connector/under-way")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20")
    connection.endheaders(b'{"name": "')
    time.sleep(0.5)
    return connection


def test_ctrl_c_answers_the_request_under_way_and_then_ends_service_and_node(run):
    make = run(["make", "run"])
    make.wait_for(READY)
    assert f"curl -X PUT http://127.0.0.1:{make.port}/_connector/my-connector" in make.said
    family = make.family()
    assert any("gunicorn" in command for command in family.values())
    assert any("org.elasticsearch.bootstrap" in command for command in family.values())
    with closing(half_a_request(make.port)) as connection:
        os.killpg(make.process.pid, signal.SIGINT)  # to the whole group, as a terminal does it
        make.wait_for("Stopping", seconds=5)
        time.sleep(1)
        connection.send(b'Mine"    }')
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (201, ANY)  # Elasticsearch was still there to store it
    make.end()
    assert make.said.rstrip().splitlines()[-1].startswith(("Stopped.", "make: ***"))
    assert "Stopped." in make.said
    assert_gone(family, seconds=1)


@pytest.mark.timeout(300)  # two starts of a node
def test_sigterm_ends_everything_and_the_next_run_has_the_data(run):
    connector = {"name": "Kept", "index_name": "search-kept", "service_type": "mysql"}
    first = run(["make", "run"])
    first.wait_for(READY)
    # Its start takes longer than the pause between two signs of life.
    assert re.search(
        r"Starting Elasticsearch \S+; its data stays in \S+\n(  starting, \d+ s\n)+Elasticsearch", first.said
    )
    http = Http(f"http://127.0.0.1:{first.port}")
    assert http.put("/_connector/kept", json=connector).status_code == 201
    job = http.post("/_connector/_sync_job", json={"id": "kept"}).json()["id"]
    http.close()
    family = first.family()

    first.process.terminate()

    first.end()
    assert "Stopped." in first.said
    assert_gone(family, seconds=1)

    second = run(["make", "run"])
    second.wait_for(READY)
    http = Http(f"http://127.0.0.1:{second.port}")
    found = http.get("/_connector/kept").json()
    assert {name: found[name] for name in connector} == connector
    assert http.get(f"/_connector/_sync_job/{job}").json()["status"] == "pending"
    http.close()


def test_nothing_is_left_when_make_is_killed(run):
    make = run(["make", "run"])
    make.wait_for(READY)
    family = make.family()

    make.process.kill()

    assert_gone(family)
    make.end()


def test_nothing_is_left_when_the_supervisor_is_killed(run):
    supervisor = run(SUPERVISOR)
    supervisor.wait_for(READY)
    family = supervisor.family()
    assert len(family) >= 4  # gunicorn, its worker, the node's launcher, the node

    supervisor.process.kill()

    assert_gone(family)
    supervisor.end()


def test_a_node_that_dies_ends_the_service(run):
    supervisor = run(SUPERVISOR)
    supervisor.wait_for(READY)
    family = supervisor.family()
    node = next(pid for pid, command in family.items() if "org.elasticsearch.bootstrap" in command)

    os.kill(node, signal.SIGKILL)

    assert supervisor.end() == 1
    assert "The service ends, since the embedded Elasticsearch ended with status" in supervisor.said
    assert_gone(family, seconds=1)


def test_a_port_that_is_taken_is_told_before_anything_is_started(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        supervisor = run(SUPERVISOR, PORT=str(taken.getsockname()[1]))
        assert supervisor.end(5) == 1
    assert supervisor.said.startswith("Cannot listen at 127.0.0.1:")
    assert len(supervisor.said.splitlines()) == 1


def test_a_service_that_ends_by_itself_ends_all_with_its_status(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9", GUNICORN_CMD_ARGS="--no-such-option")
    assert supervisor.end() == 2
    assert "The service ended by itself with status 2" in supervisor.said


def test_a_setting_that_cannot_be_is_one_sentence(run):
    supervisor = run(SUPERVISOR, WORKERS="many")
    assert supervisor.end(5) == 1
    assert "WORKERS" in supervisor.said
    assert len(supervisor.said.splitlines()) == 1


def test_a_named_cluster_is_the_only_one_tried(run):
    supervisor = run(SUPERVISOR, ELASTICSEARCH_URL="http://127.0.0.1:9")
    supervisor.wait_for("Not ready yet", seconds=30)
    assert not any("org.elasticsearch" in command for command in supervisor.family().values())

    supervisor.process.terminate()

    assert supervisor.end() == 0
    assert supervisor.said.endswith("Stopped.\n")
