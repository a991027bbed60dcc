"""The image of the service: its contents, start and stop."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing

import pytest
import requests

READY_SECONDS = 60
GRACE_SECONDS = 40


@pytest.fixture(scope="module")
def pair(daemon, elasticsearch_image, service_image):
    from testing import ConnectorService

    with ConnectorService(elasticsearch_image=elasticsearch_image, service_image=service_image) as pair:
        yield pair


@pytest.fixture
def run(daemon, service_image):
    """Starts containers of the image with any options, and removes them after the test."""
    started = []

    def start(command=None, **options):
        started.append(daemon.containers.run(service_image, command, detach=True, **options))
        return started[-1]

    yield start
    for container in started:
        container.remove(force=True, v=True)


@pytest.fixture
def second(pair, run):
    """A second container of the service with the same Elasticsearch, with all restrictions of Docker; it is ready."""
    container = run(
        network=pair.network,
        environment={"ELASTICSEARCH_URL": "http://elasticsearch:9200"},
        ports={"9280": ("127.0.0.1", None)},
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
    )
    container.reload()
    container.port = int(container.ports["9280/tcp"][0]["HostPort"])
    wait_until(READY_SECONDS, lambda: ready(container), container)
    return container


def ready(container) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{container.port}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def wait_until(seconds: float, holds, container) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.1)


def output(run, command: list[str]) -> str:
    container = run(command, network_mode="none")
    assert container.wait()["StatusCode"] == 0, container.logs().decode()
    return container.logs().decode()


def test_documented_first_requests_work(pair):
    made = requests.put(
        f"{pair.url}/_connector/my-connector",
        json={"name": "My connector", "index_name": "search-mine", "service_type": "mysql"},
        timeout=30,
    )
    assert made.status_code == 201, made.text
    job = requests.post(
        f"{pair.url}/_connector/_sync_job", json={"id": "my-connector", "job_type": "full"}, timeout=30
    )
    assert job.status_code == 201, job.text
    listed = requests.get(f"{pair.url}/_connector/_sync_job?status=pending&pretty", timeout=30).json()
    assert [each["id"] for each in listed["results"]] == [job.json()["id"]]
    stored = requests.get(
        f"{pair.elasticsearch_url}/.elastic-connectors-sync-jobs/_doc/{job.json()['id']}", timeout=30
    )
    assert stored.json()["_source"]["status"] == "pending"


def test_log_is_complete(pair):
    ids = [f"request-{number}" for number in range(60)]
    for each in ids:
        requests.get(f"{pair.url}/_connector", headers={"X-Opaque-Id": each}, timeout=30)
    lines = [json.loads(line) for line in pair.log().splitlines()]
    assert [line["request_id"] for line in lines if line.get("request_id") in ids] == ids
    assert "Starting gunicorn" in lines[0]["event"]


def test_command_line_in_the_image_talks_to_the_service_of_its_container(second):
    status, printed = second.exec_run(["sync-jobs", "summary", "--json"], workdir="/")
    assert status == 0, printed
    assert json.loads(printed)["by_status"].keys() >= {"pending", "error"}


def test_container_is_healthy_for_docker(second):
    def health() -> str:
        second.reload()
        return second.attrs["State"]["Health"]["Status"]

    wait_until(30, lambda: health() == "healthy", second)


def test_process_runs_as_a_user_who_cannot_write_its_files(second):
    assert second.exec_run(["id", "-u"]).output == b"9280\n"
    may = "import os, sys; sys.exit(any(os.access(folder, os.W_OK) for folder, _, _ in os.walk('/service')))"
    assert second.exec_run(["/service/.venv/bin/python", "-c", may]).exit_code == 0


def test_image_has_no_build_tools_or_leftovers(run):
    listed = output(
        run, ["sh", "-c", "ls -d /usr/bin/* /usr/local/bin/* /service/.venv/bin/* 2>&1; ls -a / /service"]
    )
    names = {line.rpartition("/")[2] for line in listed.splitlines()}
    assert not names & {
        "gcc",
        "cc",
        "g++",
        "c++",
        "make",
        "ld",
        "wheels",
        "installer",
        "requirements.txt",
        "tests",
    }
    assert "/service/.venv/bin/pip" not in listed
    assert "gunicorn.conf.py" in names
    left = output(run, ["sh", "-c", "ls -d ~root/.cache /tmp/* /service/testing 2>/dev/null; true"])
    assert left == ""


def test_sigterm_completes_the_running_request_and_ends_in_time(second):
    with closing(http.client.HTTPConnection("127.0.0.1", second.port, timeout=30)) as connection:
        connection.putrequest("PUT", "/_connector/under-way")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "20")
        connection.endheaders(b'{"name": "')
        time.sleep(0.5)
        second.kill("SIGTERM")
        time.sleep(1)
        connection.send(b'Mine"    }')
        assert connection.getresponse().status == 201
    assert second.wait(timeout=GRACE_SECONDS)["StatusCode"] == 0


def test_invalid_setting_is_a_one_line_error(run):
    container = run(environment={"WORKERS": "many"}, network_mode="none")
    assert container.wait(timeout=30)["StatusCode"] == 1
    log = container.logs().decode()
    assert "WORKERS" in log
    assert len(log.splitlines()) == 1


def test_image_can_generate_keys_for_secrets(run):
    key = output(run, ["/service/.venv/bin/python", "-m", "scripts.secrets", "key"]).strip()
    assert len(key) == 44
