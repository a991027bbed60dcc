"""The commands that change jobs: create, cancel, claim, rescue and prune."""

from __future__ import annotations

from tests.documents import ID, SECRET, a_connector, a_job, a_running_job
from tests.fault_proxy import FaultProxy, nth, to

NO_TERMINAL = "There is no terminal to ask in; --yes goes on without asking."


def statuses(jobs) -> dict[str, str]:
    return {job_id: jobs.source(job_id)["status"] for job_id in sorted(jobs.ids())}


def test_create_prints_the_id(program, connectors, jobs) -> None:
    connectors.put(ID, a_connector())
    job = program.output("create", ID, "--type", "incremental", "--trigger", "scheduled").strip()
    stored = jobs.source(job)
    assert [stored[name] for name in ("job_type", "trigger_method", "status")] == [
        "incremental",
        "scheduled",
        "pending",
    ]


def test_create_once(program, jobs, new_job) -> None:
    job = new_job()
    assert program.json("create", ID, "--if-active", "return") == {"id": job}
    refused = program.run("create", ID, "--if-active", "refuse")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"Error: Connector [{ID}] already has an active sync job [{job}] of type [full] with status [pending].\n"
    )
    keyed = [program.output("create", ID, "--idempotency-key", "k") for _ in range(2)]
    assert keyed[0] == keyed[1]
    assert len(jobs.ids()) == 2


def test_create_and_claim_whose_response_is_lost_take_effect_once(program, jobs, new_job, service) -> None:
    first = new_job()
    with FaultProxy(service.url) as proxy:
        program.environment["SYNC_JOBS_URL"] = proxy.url
        with proxy.losing(nth(1, to("_sync_job/_claim")), responses=True):
            assert program.output("claim", "--worker", "w").strip() == first
        with proxy.losing(nth(1, to("_sync_job")), responses=True):
            created = program.output("create", ID).strip()
    assert statuses(jobs) == {first: "in_progress", created: "pending"}


def test_ids_that_begin_with_hyphens(program, jobs) -> None:
    ids = ["-bcdefghijklmnopqrst", "--cdefghijklmnopqrst"]
    for each in ids:
        jobs.put(each, a_job())
    assert program.output("cancel", *ids).split() == ids
    misspelt = program.run("cancel", "--yess", ids[0])
    assert misspelt.returncode == 2
    assert "No such option" in misspelt.stderr


def test_cancel_by_id_goes_on_after_jobs_that_cannot_be_canceled(program, jobs) -> None:
    jobs.put_all({"j1": a_job("completed"), "j2": a_job(), "j3": a_running_job()})
    done = program.run("cancel", "j1", "missing", "j2", "j3", "--json")
    assert done.stdout.splitlines() == ['{"id":"j2","result":"updated"}', '{"id":"j3","result":"updated"}']
    assert "from [completed] to [canceling]" in done.stderr
    assert done.stderr.endswith("Error: There is no sync job [missing].\n")
    assert done.returncode == 6
    assert statuses(jobs) == {"j1": "completed", "j2": "canceled", "j3": "canceling"}


def test_cancel_by_filter_asks_with_the_number(program, jobs, put_jobs) -> None:
    put_jobs(3)
    put_jobs(2, "in_progress", "c2", job_type="full")
    put_jobs(1, "completed", "c3")
    for answer, status in (("n", 1), ("y", 0)):
        with program.terminal("cancel", "--status", "pending", "--status", "in_progress") as terminal:
            terminal.wait_for("Cancel 5 jobs? [y/N]: ")
            assert set(statuses(jobs).values()) == {"pending", "in_progress", "completed"}
            terminal.type(f"{answer}\n")
            assert terminal.end() == status
        lines = terminal.screen.splitlines()
        assert (
            lines[-1]
            == {
                "n": "Error: Nothing was changed.",
                "y": "3 canceled, 2 canceling, 0 changed meanwhile",
            }[answer]
        )
    assert sorted(statuses(jobs).values()) == ["canceled"] * 3 + ["canceling"] * 2 + ["completed"]


def test_cancel_by_filter_in_scripts(program, jobs, put_jobs) -> None:
    put_jobs(1)
    jobs.put("j1", a_job(job_type="full"))
    refused = program.run("cancel", "--connector", ID, "--type", "full")
    assert refused.returncode == 2
    assert refused.stderr.endswith(f"Error: Cancel 1 job? {NO_TERMINAL}\n")
    assert program.json("cancel", "--connector", ID, "--type", "full", "--yes") == {
        "canceled": 1,
        "canceling": 0,
        "conflicts": 0,
    }
    assert statuses(jobs) == {f"{ID}-0": "pending", "j1": "canceled"}
    assert program.json("cancel", "--type", "full") == {"canceled": 0, "canceling": 0, "conflicts": 0}


def test_cancel_takes_either_ids_or_filters(program) -> None:
    for arguments in ([], ["j1", "--type", "full"]):
        done = program.run("cancel", *arguments)
        assert done.returncode == 2
        assert "either ids of jobs, or at least one of" in done.stderr


def test_claim_prints_ids_or_whole_jobs(program, connectors, jobs) -> None:
    for name in ("c1", "c2", "c3"):
        connectors.put(name, a_connector())
        jobs.put(f"of-{name}", a_job(connector={"id": name, "configuration": {"password": SECRET}}))
    assert program.output("claim", "--worker", "w", "--connector", "c2").splitlines() == ["of-c2"]
    (job, other) = program.json_lines("claim", "--worker", "w", "--limit", "9", "--type", "incremental,full")
    assert {job["id"], other["id"]} == {"of-c1", "of-c3"}
    assert (job["status"], job["worker_hostname"]) == ("in_progress", "w")
    assert job["connector"]["configuration"] == {"password": SECRET}


def test_claim_waits_longer_than_the_timeout(program, new_job, jobs) -> None:
    program.environment["SYNC_JOBS_TIMEOUT"] = "2"
    none = program.run("claim", "--worker", "w", "--wait", "3s")
    assert (none.returncode, none.stdout, none.stderr) == (7, "", "There is no job to claim.\n")


def test_rescue_shows_jobs_before_it_ends_them(program, connectors, jobs) -> None:
    connectors.put(ID, a_connector())
    jobs.put("j1", a_running_job())
    with program.terminal("rescue", "--idle-for", "1h") as terminal:
        terminal.wait_for("End them? [y/N]: ")
        assert statuses(jobs) == {"j1": "in_progress"}
        assert "j1  c1         in_progress  worker-1" in terminal.screen
        assert "1 would end." in terminal.screen
        terminal.type("y\n")
        assert terminal.end() == 0
    assert terminal.screen.endswith("1 ended.")
    assert statuses(jobs) == {"j1": "error"}


def test_rescue_in_scripts(program, connectors, jobs) -> None:
    connectors.put(ID, a_connector())
    assert program.json("rescue") == {"rescued": [], "truncated": False}
    jobs.put_all({"j1": a_running_job("canceling"), "j2": a_running_job()})
    dry = program.json("rescue", "--dry-run", "--limit", "1")
    assert (len(dry["rescued"]), dry["truncated"]) == (1, True)
    asked = program.run("rescue")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "2 would end." in asked.stderr
    assert asked.stderr.endswith(f"Error: End them? {NO_TERMINAL}\n")
    assert statuses(jobs) == {"j1": "canceling", "j2": "in_progress"}
    assert {job["id"] for job in program.json("rescue", "--yes")["rescued"]} == {"j1", "j2"}
    assert statuses(jobs) == {"j1": "canceled", "j2": "error"}


def test_prune_counts_jobs_before_it_deletes_them(program, jobs) -> None:
    old = {"completed_at": "2024-01-02T00:00:00Z"}
    jobs.put_all({f"j{number}": a_job("completed", **old) for number in range(3)} | {"j3": a_job()})
    assert program.output("prune", "--dry-run", "--keep-last", "0") == "3 would be deleted\n"
    refused = program.run("prune", "--keep-last", "0")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        2,
        f"Error: Delete 3 jobs? {NO_TERMINAL}",
    )
    with program.terminal("prune", "--keep-last", "2", "--finished-for", "1d") as terminal:
        terminal.wait_for("Delete 1 job? [y/N]: ")
        assert len(jobs.ids()) == 4
        terminal.type("y\n")
        assert terminal.end() == 0
    assert terminal.screen.endswith("1 deleted")
    assert program.json("prune", "--keep-last", "0", "--yes") == {"deleted": 2}
    assert program.json("prune", "--keep-last", "0") == {"deleted": 0}
    assert jobs.ids() == {"j3"}
