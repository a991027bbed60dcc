"""`watch`: in a terminal and in a pipe, to each end of a job, and while the service is away."""

from __future__ import annotations

import json
import re
import signal

import pytest

from tests.cases import named
from tests.documents import ID, a_job, a_running_job
from tests.endpoints import COUNTERS, JOBS
from tests.fault_proxy import FaultProxy, to

FAST = ("--interval", "100ms")


def next_line(process) -> str:
    """The next line of a program in a pipe, without the time in front."""
    line = process.stdout.readline()
    time, _, rest = line.partition("  ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time), line
    return rest


def test_terminal_shows_progress_in_place(program, http, new_job) -> None:
    job = new_job()
    with program.terminal("watch", job, *FAST) as terminal:
        terminal.wait_for("pending")
        http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "worker-1"})
        terminal.wait_for("in_progress")
        http.put(f"{JOBS}/{job}/_stats", json=COUNTERS)
        terminal.wait_for("20 indexed")
        http.put(f"{JOBS}/{job}/_complete", json={"indexed_document_count": 25})
        assert terminal.end() == 0
    lines = terminal.screen.splitlines()
    assert lines[0] == f"Sync job      {job}"
    assert lines[1] == "Status        completed"
    assert lines[-1] == "Documents     25 indexed, 10 deleted, 30 MiB"
    assert len(lines) == 12


def test_pipe_has_a_line_for_each_change(program, http, new_job) -> None:
    job = new_job()
    with program.start("watch", job, *FAST) as process:
        assert next_line(process).startswith("pending  0 indexed")
        http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "worker-1"})
        assert next_line(process).startswith("in_progress  worker-1  0 indexed")
        http.put(f"{JOBS}/{job}/_check_in")
        http.put(f"{JOBS}/{job}/_suspend", json={"indexed_document_count": 7})
        assert next_line(process).startswith("suspended  worker-1  7 indexed")
        http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": "worker-2"})
        assert next_line(process).startswith("in_progress  worker-2  7 indexed")
        http.put(f"{JOBS}/{job}/_error", json={"error": "It\nbroke"})
        assert next_line(process).endswith("  It broke\n")
        assert process.communicate() == ("", "")
    assert process.returncode == 3


@pytest.mark.parametrize(
    ("job", "options", "status"),
    named(
        [
            ("canceled", a_job("canceled"), (), 4),
            ("suspended", a_running_job("suspended"), ("--until-suspended",), 5),
            ("missing", None, (), 6),
        ]
    ),
)
def test_exit_status_is_the_outcome(program, jobs, job, options, status) -> None:
    if job:
        jobs.put("j1", job)
    done = program.run("watch", "j1", "--json", *options)
    assert done.returncode == status
    if job:
        assert json.loads(done.stdout)["status"] == job["status"]
    else:
        assert (done.stdout, done.stderr) == ("", "Error: There is no sync job [j1].\n")


def test_created_job_is_watched(program, http, new_job) -> None:
    new_job()
    with program.start("create", ID, "--watch", "--json", *FAST) as process:
        job = json.loads(process.stdout.readline())["id"]
        assert json.loads(process.stdout.readline())["status"] == "pending"
        http.put(f"{JOBS}/{job}/_cancel")
        assert json.loads(process.stdout.readline())["status"] == "canceled"
    assert process.returncode == 4


def test_ctrl_c_ends_the_watch_and_not_the_job(program, http, new_job) -> None:
    job = new_job()
    with program.terminal("watch", job, *FAST) as terminal:
        terminal.wait_for("pending")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert terminal.screen.endswith("Stopped watching; the job goes on.")
    assert "\x1b[?25h" in terminal.raw.rpartition("\x1b[?25l")[2]  # the cursor is shown again
    with program.start("watch", job, *FAST) as process:
        next_line(process)
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "Stopped watching; the job goes on.\n")
    assert process.returncode == 130
    assert http.get(f"{JOBS}/{job}").json()["status"] == "pending"


def test_service_that_is_away_is_waited_for(program, http, new_job, service) -> None:
    job = new_job()
    with FaultProxy(service.url) as proxy:
        program.environment["SYNC_JOBS_URL"] = proxy.url
        with program.start("watch", job, *FAST) as process:
            next_line(process)
            with proxy.losing(to(job)):
                said = process.stderr.readline()
                http.put(f"{JOBS}/{job}/_cancel")
            assert next_line(process).startswith("canceled")
            assert process.communicate() == ("", "")
        assert re.fullmatch(r"Nothing answers at \S+: .*\. Waiting for up to 5m\.\n", said)
        assert process.returncode == 4

        with proxy.responding(to(job), 503, '{"error": {"type": "status_exception", "reason": "Not now"}}'):
            at_once = program.run("watch", job)
        assert (at_once.returncode, at_once.stdout) == (1, "")
        assert at_once.stderr.endswith("is neither the service nor Elasticsearch (HTTP status 503).\n")


def test_watch_gives_up_after_a_while(program, new_job, service) -> None:
    job = new_job()
    with FaultProxy(service.url) as proxy:
        program.environment["SYNC_JOBS_URL"] = proxy.url
        with program.start("watch", job, *FAST, "--give-up-after", "500ms") as process:
            next_line(process)
            with proxy.losing(to(job)):
                out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert re.fullmatch(r"Nothing answers .* Waiting for up to 500ms\.\nError: Nothing answers .*\n", err)
