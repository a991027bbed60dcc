"""Workers: they claim jobs, report and end them as docs/workers.md asks, and sometimes die."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.soak.client import AGAIN, JOBS, Answer, Client
from tests.soak.record import COUNTERS, Hold

KINDS = {"full": "content", "incremental": "content", "access_control": "access_control"}


@dataclass
class Run:
    """A job that a worker runs under the name that it claimed it with."""

    job_id: str
    worker: str
    connector_id: str
    kind: str
    counters: Mapping[str, int]
    began: float
    heard: float
    canceled: bool = False
    open: bool = True


def work(client: Client) -> None:
    """Claim jobs that callers created, and run them."""
    run_jobs(client, claim(client, "load", client.random.choice(["0s", "1s"])))


def work_on_schedules(client: Client) -> None:
    """As `work`, for scheduled jobs, which come once a minute: so it is nearly always waiting."""
    run_jobs(client, claim(client, "scheduled", "5s"))


def claim(client: Client, service_type: str, wait: str) -> list[Run]:
    """Claim jobs under a new name, so that what an earlier one sent and comes late changes nothing here."""
    body = {
        "worker_hostname": client.new_name(),
        "request_id": str(UUID(int=client.random.getrandbits(128))),
        "limit": client.random.randint(1, 3),
        "wait": wait,
        "service_types": [service_type],
    }
    answer = client.send("POST", f"{JOBS}/_claim", body)
    if answer.status != 200:
        client.wrong("claim", answer)
        return []
    for job in answer.body["results"]:
        client.load.record.claim(job)
    now = time.monotonic()
    return [
        Run(
            job["id"],
            job["worker_hostname"],
            job["connector"]["id"],
            KINDS[job["job_type"]],
            {name: job[name] for name in COUNTERS},
            now,
            now,
        )
        for job in answer.body["results"]
    ]


def run_jobs(client: Client, runs: list[Run]) -> None:
    random = client.random
    for _ in range(random.randint(1, 3) if runs else 0):
        time.sleep(random.uniform(0, 0.1))
        check_in(client, runs)
        for run in runs:
            if run.open:
                report(client, run)
    for run in runs:
        if run.open and not client.load.calm.is_set() and random.random() < 0.01:
            drop(client, run, died=True)
        elif run.open:
            leave(client, run)
    if not runs:
        time.sleep(random.uniform(0.1, 0.3))


def check_in(client: Client, runs: list[Run]) -> None:
    """Send the heartbeats of all jobs at once, and learn which of them are to be canceled, or lost."""
    by_id = {run.job_id: run for run in runs if run.open}
    if not by_id:
        return
    began = time.monotonic()
    body = {"worker_hostname": runs[0].worker, "ids": list(by_id)}
    answer = client.send("POST", f"{JOBS}/_check_in", body)
    if answer.status != 200:
        client.wrong("check in", answer)
        return
    for item in answer.body["items"]:
        run = by_id[item["id"]]
        status = item.get("status_code", 200)
        if status == 200:
            run.heard = began
            run.canceled |= item["status"] == "canceling"
        elif status == 409:
            drop(client, run)
        elif status not in AGAIN:
            client.wrong("check in", answer)


def put(client: Client, run: Run, action: str, body: Mapping[str, Any]) -> Answer:
    return client.send("PUT", f"{JOBS}/{run.job_id}/{action}?worker_hostname={run.worker}", body)


def report(client: Client, run: Run) -> None:
    """Send larger counters than before."""
    began = time.monotonic()
    counters = {name: value + client.random.randint(1, 9) for name, value in run.counters.items()}
    if put_counters(client, run, "_stats", counters).status == 200:
        run.heard = began
    else:
        drop(client, run)


def put_counters(client: Client, run: Run, action: str, counters: Mapping[str, int]) -> Answer:
    record = client.load.record
    record.sending(run.job_id, counters)
    answer = put(client, run, action, counters)
    taken = answer.status == 200
    record.report(run.job_id, run.worker, counters, taken=taken, resent=answer.resent)
    if taken:
        run.counters = counters
    elif answer.status not in (400, 409):
        client.wrong(action, answer)
    return answer


def leave(client: Client, run: Run) -> None:
    """End a job or leave it to another worker, somehow."""
    choice = client.random.random()
    if choice < 0.15 and not client.load.calm.is_set():
        fail(client, run)
    elif run.canceled:
        release(client, run, "_confirm_cancel", "canceled")
    elif choice < 0.4 and not client.load.calm.is_set():
        release(client, run, "_suspend", "suspended")
    else:
        release(client, run, "_complete", "completed")


def release(client: Client, run: Run, action: str, end: str) -> None:
    released = time.monotonic()
    counters = {name: value + 1 for name, value in run.counters.items()}
    answer = put_counters(client, run, action, counters)
    if answer.status == 200:
        if answer.body["result"] == "noop" and not answer.resent:
            client.wrong(f"{action} that was sent once", answer)
        ended(client, run, end, released)
    elif answer.status == 400 and "from [canceling]" in answer.body["error"]["reason"] and not run.canceled:
        run.canceled, run.heard = True, released
        release(client, run, "_confirm_cancel", "canceled")
    else:
        drop(client, run)


def fail(client: Client, run: Run) -> None:
    released = time.monotonic()
    error = f"on purpose, by {run.worker}"
    answer = put(client, run, "_error", {"error": error})
    known = answer.status == 400 and "from [error]" in answer.body["error"]["reason"] and answer.resent
    if answer.status == 200 or known:
        ended(client, run, "error", released, error)
    else:
        drop(client, run)


def ended(client: Client, run: Run, end: str, released: float, error: str | None = None) -> None:
    client.load.record.ended(run.job_id, run.worker, end, error)
    close(client, run, released)


def drop(client: Client, run: Run, *, died: bool = False) -> None:
    """Send nothing more for a job: it is another's, or its worker dies."""
    client.load.record.dropped(run.job_id, died=died)
    close(client, run, run.heard)


def close(client: Client, run: Run, until: float) -> None:
    run.open = False
    client.load.record.holds.append(Hold(run.connector_id, run.kind, run.job_id, run.began, until))
