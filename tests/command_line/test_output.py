"""What the commands that only look show: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.command_line.program import COLUMNS
from tests.documents import ID, SECRET, a_connector, a_job, a_running_job
from tests.endpoints import COUNTERS, JOBS

LONG = "a-name-that-is-longer-than-a-terminal-of-eighty-columns-has-space-for-beside-others"
RED = "\x1b[31m"
HEADINGS = ["ID", "CONNECTOR", "TYPE", "STATUS", "AGE", "TOOK", "DOCS", "WORKER"]


def without_configuration(document: dict[str, Any]) -> dict[str, Any]:
    connector = {key: value for key, value in document["connector"].items() if key != "configuration"}
    return document | {"connector": connector}


def put_running_job(jobs, **fields: Any) -> None:
    jobs.put("j1", a_running_job(connector={"id": LONG}, worker_hostname=LONG, **fields))


def test_list_fits_a_terminal_and_is_whole_in_a_pipe(program, jobs) -> None:
    put_running_job(jobs)
    with program.terminal("list") as terminal:
        assert terminal.end() == 0
    head, row = terminal.screen.splitlines()
    assert head.split() == HEADINGS
    assert len(row) <= COLUMNS
    assert row.startswith("j1  ")
    assert row.count("…") == 2
    assert "\x1b[36min_progress" in terminal.raw
    head, row = program.output("list").splitlines()
    assert head.split() == HEADINGS
    assert [row.split()[column] for column in (0, 1, 2, 3, 6, 7)] == [
        "j1",
        LONG,
        "incremental",
        "in_progress",
        "2",
        LONG,
    ]


def test_colors_follow_the_environment(program, jobs) -> None:
    put_running_job(jobs)
    assert "\x1b[36m" in program.run("list", FORCE_COLOR="1").stdout
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with program.terminal("list", **environment) as terminal:
            assert terminal.end() == 0
        assert "[36m" not in terminal.raw
        assert "in_progress" in terminal.raw


def test_list_as_json_has_the_documents_without_configurations(program, jobs, http) -> None:
    jobs.put("j1", a_job())
    (listed,) = http.get(JOBS).json()["results"]
    assert SECRET in str(listed)
    assert program.json_lines("list") == [without_configuration(listed)]


def test_list_filters(program, jobs) -> None:
    for number, (status, job_type) in enumerate(
        [("pending", "full"), ("error", "full"), ("canceled", "access_control"), ("error", "incremental")]
    ):
        jobs.put(f"j{number}", a_job(status, job_type=job_type, created_at=f"2024-01-01T00:00:0{number}Z"))
    jobs.put("other", a_job("pending", connector={"id": "c2"}))

    def listed(*arguments: str) -> list[str]:
        return [job["id"] for job in program.json_lines("list", "--connector", ID, *arguments)]

    assert listed() == ["j3", "j2", "j1", "j0"]
    assert listed("--status", "pending,error", "--status", "canceled", "--order", "asc") == [
        "j0",
        "j1",
        "j2",
        "j3",
    ]
    assert listed("--type", "full,access_control", "--limit", "2") == ["j2", "j1"]


def test_list_says_how_many_there_are_and_walks_through_all(program, put_jobs) -> None:
    ids = put_jobs(1_003)
    done = program.run("list", "--limit", "2")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == "2 of 1003 jobs; --limit and --all show more.\n"
    assert sorted(job["id"] for job in program.json_lines("list", "--all")) == sorted(ids)


def test_show_has_times_progress_and_the_error_with_its_lines(program, http, new_job) -> None:
    job = f"{JOBS}/{new_job()}"
    http.put(f"{job}/_claim", json={"worker_hostname": "worker-1"})
    http.put(f"{job}/_stats", json=COUNTERS)
    http.put(f"{job}/_error", json={"error": f"first\n{RED}[bold]second"})
    shown = program.output("show", job.rpartition("/")[2])
    for text in ("error", "full, on_demand", "worker-1", r"ago, waited \d+s", r"ago, ran \d+s"):
        assert re.search(text, shown)
    assert "20 indexed, 10 deleted, 30 MiB" in shown
    assert shown.splitlines()[-2:] == [
        "Error         first",
        "              \N{REPLACEMENT CHARACTER}[31m[bold]second",
    ]
    assert program.json("show", job.rpartition("/")[2]) == without_configuration(http.get(job).json())


def test_documents_send_nothing_to_the_terminal(program, jobs, connectors) -> None:
    evil = f"{RED}[red]x[/red]\x9b31m\u202e:smile:\x7f\n"
    jobs.put(
        "j1", a_running_job(connector={"id": evil}, worker_hostname=evil, error=evil, trigger_method=evil)
    )
    odd = {"status": ["in_progress"], "connector": [{"id": "x"}], "created_at": 5, "worker_hostname": [evil]}
    jobs.put("odd", odd)
    connectors.put("c1", a_connector(name=evil, last_sync_status=evil))
    for command in ("list", "show j1", "show odd", "connectors", "workers"):
        with program.terminal(*command.split(), NO_COLOR="1") as terminal:
            assert terminal.end() == 0
        text = terminal.raw.replace("\x1b[1m", "").replace("\x1b[0m", "")  # headings are bold
        assert not {"\x1b", "\x9b", "\u202e", "\x7f"} & set(text), command
    assert "[red]x[/red]\N{REPLACEMENT CHARACTER}31m\N{REPLACEMENT CHARACTER}:smile:" in program.output(
        "list"
    )
    listed = program.output("list", "--json")
    assert re.fullmatch("[ -~\n]+", listed)
    assert json.loads(listed.splitlines()[0])["worker_hostname"] == evil


def test_connectors_have_their_last_sync(program, connectors, http) -> None:
    for number in range(101):
        connectors.put(
            f"c{number}",
            a_connector(index_name=f"search-{number:03}", configuration={"a": SECRET}, custom=[{"b": 1}]),
        )
    connectors.update("c7", {"last_sync_status": "error", "last_synced": "2024-01-01T00:00:00Z"})
    rows = [row.split() for row in program.output("connectors").splitlines()[1:]]
    assert [row[0] for row in rows] == [f"c{number}" for number in range(101)]
    assert rows[7][1:5] == ["mysql", "search-007", "connected", "error"]
    (seventh,) = http.get("/_connector?index_name=search-007").json()["results"]
    assert seventh.pop("configuration") == {"a": SECRET}
    assert program.json_lines("connectors", "--index", "search-007") == [seventh]
    assert program.json_lines("connectors", "--service-type", "other") == []


def test_workers_are_those_of_running_jobs(program, jobs) -> None:
    jobs.put("j1", a_running_job(claimed_at="2024-01-02T00:00:00Z"))
    jobs.put("j2", a_running_job("canceling", created_at="2024-01-03T00:00:00Z"))
    jobs.put("j3", a_running_job(worker_hostname="worker-0"))
    jobs.put("j4", a_running_job("completed", worker_hostname="worker-2"))
    rows = [row.split() for row in program.output("workers").splitlines()[1:]]
    assert [row[0] for row in rows] == ["worker-0", "worker-1", rows[2][0]]
    idle, busy = program.json_lines("workers")
    assert [idle["worker_hostname"], busy["worker_hostname"]] == ["worker-0", "worker-1"]
    assert [job["id"] for job in busy["jobs"]] == ["j1", "j2"]
    assert busy["jobs"][0] == {
        "id": "j1",
        "connector_id": ID,
        "job_type": "incremental",
        "status": "in_progress",
        "since": "2024-01-02T00:00:00Z",
        "last_seen": "2024-01-02T00:00:00+00:00",
    }


def test_summary_counts_and_says_what_needs_a_look(program, jobs, http) -> None:
    jobs.put("j1", a_job())
    jobs.put("j2", a_running_job())
    lines = program.output("summary", "--idle-for", "1h").splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["CONNECTOR", "PENDING", "IN_PROGRESS"],
        [ID, "1", "1"],
        ["all", "1", "1"],
    ]
    assert any(line.startswith("Longest idle") and "j2 of worker-1" in line for line in lines)
    assert any(line.split() == ["Idle", "for", "1h", "1"] for line in lines)
    assert program.json("summary") == http.get(f"{JOBS}/_summary").json()
