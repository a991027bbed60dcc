"""Workers of both kinds share connectors: the public connector service, which locks and ends by direct writes, and the example."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from threading import Event
from typing import Any

from tests.endpoints import JOBS
from tests.example_worker import ExampleWorker, new_connector, new_job, wait_until
from tests.gateway.worker import Conflict, Worker

CONNECTORS = ("a", "b", "c")


def work_as_the_public_service(worker: Worker, done: Event) -> list[str]:
    """Run content jobs until `done`; those that it ran. A job that is gone when the connector is locked is left alone."""
    ran: list[str] = []
    while not done.wait(0.1):
        waiting = worker.waiting_jobs(*CONNECTORS)
        if not waiting:
            continue
        job = random.choice(waiting)
        connector = job.source["connector"]["id"]
        try:
            if not worker.lock(connector):
                continue
        except Conflict:
            continue
        claim = worker.send(
            "PUT", f"/_connector/_sync_job/{job.id}/_claim", {"worker_hostname": worker.hostname}
        )
        if claim.status_code == 200:
            done.wait(0.1)
            worker.report(job.id, indexed=2)
            worker.end(job.id, "completed")
            ran.append(job.id)
        unlock(worker, connector)
    return ran


def unlock(worker: Worker, connector: str) -> None:
    """Unlock the connector, again where the lock of its other kind was taken or freed at the same time."""
    while True:
        try:
            worker.unlock(connector, "completed")
        except Conflict:
            continue
        return


def overlaps(jobs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Jobs of one connector and kind that ran at the same time. A claim comes after its lock, an end before its unlock."""
    runs = defaultdict(list)
    for job in jobs:
        times = [datetime.fromisoformat(job[each]) for each in ("started_at", "completed_at")]
        runs[job["connector"]["id"], job["job_type"] == "access_control"].append((*times, job["id"]))
    return [
        (first, second)
        for of_one in runs.values()
        for (_, end, first), (start, _, second) in itertools.pairwise(sorted(of_one))
        if start <= end
    ]


def test_both_kinds_of_workers_share_connectors_and_jobs(gateway_url, gateway_http) -> None:
    for connector in CONNECTORS:
        new_connector(gateway_http, connector, 3, 0.05)
    types = ("full", "incremental", "full", "access_control") * 3
    ids: list[str] = []

    def jobs() -> list[dict[str, Any]]:
        return [gateway_http.get(f"{JOBS}/{each}").json() for each in ids]

    def locks() -> set[str]:
        shown = [gateway_http.get(f"/_connector/{each}").json() for each in CONNECTORS]
        return {each[f"last_{kind}_status"] for each in shown for kind in ("sync", "access_control_sync")}

    done = Event()
    public = Worker(gateway_url, "public")
    with ExitStack() as stack:
        stack.callback(public.close)
        thread = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(done.set)
        examples = [stack.enter_context(ExampleWorker(gateway_url)) for _ in range(2)]
        ran = thread.submit(work_as_the_public_service, public, done)
        for _ in range(20):  # until each worker has run some
            ids += [new_job(gateway_http, connector, each) for each in types for connector in CONNECTORS]
            wait_until(lambda: ran.done() or {job["status"] for job in jobs()} == {"completed"}, *examples)
            assert not ran.done(), ran.result()
            if len({job["worker_hostname"] for job in jobs()}) == 3:
                break
        wait_until(lambda: locks() == {"completed"}, *examples)

    ended = jobs()
    assert overlaps(ended) == []
    assert len({job["worker_hostname"] for job in ended}) == 3
    assert set(ran.result()) == {job["id"] for job in ended if job["worker_hostname"] == "public"}
