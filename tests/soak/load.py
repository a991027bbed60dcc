"""Threads that use the service as callers and workers do, at random, and send again what was not answered (docs/workers.md)."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import requests

from tests.service import Http
from tests.soak.record import COUNTERS, Hold, Record, Unanswered

JOBS = "/_connector/_sync_job"
AGAIN = (429, 502, 503, 504)
KINDS = {"full": "content", "incremental": "content", "access_control": "access_control"}
CONNECTORS = [f"load-{number}" for number in range(20)]
CANCELED_TOGETHER = [f"together-{number}" for number in range(2)]  # by requests about all jobs of the connector
SCHEDULED = [f"scheduled-{number}" for number in range(3)]
_BACKLOG = 100


class Load:
    """The threads and what they share: the addresses of the services (tests change `urls`), and the record of what they are told."""

    def __init__(self, urls: list[str], seed: str, *, workers: int = 6, callers: int = 3, patient: int = 2) -> None:
        self.urls = urls
        self.seed = seed
        self.run_id = uuid4().hex  # no key or name is one of an earlier load
        self.record = Record()
        self.calm = Event()
        """Nobody creates or cancels anything any more, and workers complete what they get."""
        self.over = Event()
        kinds: list[tuple[int, Callable[[Client], None]]] = [
            (workers, Worker("load").work),
            (patient, Worker("scheduled", wait="5s").work),
            (callers, call_at_random),
        ]
        self.threads = [
            Thread(target=self._run, args=(Client(self, f"{act.__name__}-{at}-{number}"), act), daemon=True)
            for at, (count, act) in enumerate(kinds)
            for number in range(count)
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The threads run inside the block."""
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join(60)

    def _run(self, client: Client, act: Callable[[Client], None]) -> None:
        try:
            while not self.over.is_set():
                act(client)
        except Abandoned:
            pass
        except Exception:
            self.record.wrong.append(traceback.format_exc())
        finally:
            client.close()


class Abandoned(Exception):
    """The load was over before a request was answered."""


@dataclass(frozen=True)
class Answer:
    """A response; `resent`: an earlier sending of the same request may have been carried out."""

    status: int
    body: Any
    resent: bool


class Client:
    """Sends requests to any of the services, again until they are answered."""

    def __init__(self, load: Load, name: str) -> None:
        self.load, self.name = load, name
        self.random = Random(f"{load.seed} {name}")
        self.own: list[str] = []  # jobs that it has created, and may cancel
        self._number = 0
        self._https: dict[str, Http] = {}

    def new_name(self) -> str:
        self._number += 1
        return f"{self.name}.{self._number}.{self.load.run_id[:8]}"

    def send(self, method: str, path: str, json: Any = None, **options: Any) -> Answer:
        """Raises `Abandoned`."""
        record, resent = self.load.record, False
        while True:
            url = self.random.choice(tuple(self.load.urls))
            began = time.monotonic()
            try:
                response = self._http(url).request(method, path, json=json, **options)
                status, body = response.status_code, response.json()
            except requests.RequestException as error:
                status, body = 0, {}
                record.unanswered.append(Unanswered(url, began, time.monotonic(), repr(error)))
            with record.lock:
                record.counts[f"responses {status}"] += 1
            if status not in (0, *AGAIN):
                return Answer(status, body, resent)
            resent = True
            if self.load.over.is_set():
                raise Abandoned
            time.sleep(self.random.uniform(0.05, 0.5))

    def wrong(self, call: str, answer: Answer) -> None:
        """Note a response that this call should never get."""
        self.load.record.wrong.append(f"{call}: {answer}")

    def close(self) -> None:
        for http in self._https.values():
            http.close()

    def _http(self, url: str) -> Http:
        return self._https.setdefault(url, Http(url))


@dataclass
class Run:
    """A job that a worker runs under the name that it claimed it with."""

    job_id: str
    worker: str
    connector_id: str
    kind: str
    counters: Mapping[str, int]
    began: float
    heard: float = 0.0
    canceled: bool = False
    open: bool = field(default=True)


class Worker:
    """A kind of worker: it takes jobs of connectors of one service type."""

    def __init__(self, service_type: str, wait: str | None = None) -> None:
        self.service_type, self.wait = service_type, wait

    def work(self, client: Client) -> None:
        """Claim jobs, and run them."""
        random, record = client.random, client.load.record
        claim = {
            "worker_hostname": client.new_name(),
            "request_id": str(UUID(int=random.getrandbits(128))),
            "limit": random.randint(1, 3),
            "wait": self.wait or random.choice(["0s", "1s"]),
            "service_types": [self.service_type],
        }
        answer = client.send("POST", f"{JOBS}/_claim", claim)
        if answer.status != 200:
            client.wrong("claim", answer)
            return
        runs = []
        for job in answer.body["results"]:
            record.claim(job)
            counters = {name: job[name] for name in COUNTERS}
            now = time.monotonic()
            kind = KINDS[job["job_type"]]
            connector = job["connector"]["id"]
            runs.append(Run(job["id"], job["worker_hostname"], connector, kind, counters, now, now))
        for _ in range(random.randint(1, 3) if runs else 0):
            time.sleep(random.uniform(0, 0.1))
            check_in(client, runs)
            for run in runs:
                if run.open:
                    report(client, run)
        for run in runs:
            if run.open and not client.load.calm.is_set() and random.random() < 0.01:
                record.counts["died"] += 1
                drop(client, run)
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
        elif status in (404, 409):
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
    elif answer.status not in (400, 404, 409):
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


def drop(client: Client, run: Run) -> None:
    """Send nothing more for a job: it is another's, or its worker dies."""
    client.load.record.dropped(run.job_id)
    close(client, run, run.heard)


def close(client: Client, run: Run, until: float) -> None:
    run.open = False
    client.load.record.holds.append(Hold(run.connector_id, run.kind, run.job_id, run.began, until))


def call_at_random(client: Client) -> None:
    """What people and programs do that want syncs."""
    load, random = client.load, client.random
    time.sleep(random.uniform(0, 0.1))
    if load.calm.is_set():
        load.over.wait()
    elif len(load.record.unfinished) > _BACKLOG:
        time.sleep(0.1)
    else:
        calls = {create: 80, cancel: 8, cancel_together: 2, look: 10}
        random.choices(list(calls), list(calls.values()))[0](client)


def create(client: Client) -> None:
    connector = client.random.choice([*CONNECTORS, *CANCELED_TOGETHER])
    create_job(client, connector, client.random.choice(list(KINDS)))


def create_job(client: Client, connector: str, job_type: str) -> None:
    if_active = client.random.choice(["create", "create", "create", "return", "refuse"])
    body = {"id": connector, "job_type": job_type}
    headers = {"Idempotency-Key": client.new_name()}
    answer = client.send("POST", f"{JOBS}?if_active={if_active}", body, headers=headers)
    if answer.status in (200, 201):
        client.load.record.creation(answer.body["id"])
        if answer.status == 201 and connector in CONNECTORS:
            client.own.append(answer.body["id"])
    elif not (answer.status == 409 and if_active == "refuse"):
        client.wrong("create", answer)


def cancel(client: Client) -> None:
    """Cancel a job that nobody else cancels."""
    if not client.own:
        return
    job_id = client.own.pop(client.random.randrange(max(0, len(client.own) - 10), len(client.own)))
    answer = client.send("PUT", f"{JOBS}/{job_id}/_cancel")
    if answer.status == 200:
        client.load.record.canceled(job_id, "acknowledged")
    elif answer.status == 400 and answer.resent:
        client.load.record.canceled(job_id, "unclear")
    elif answer.status != 400:
        client.wrong("cancel", answer)


def cancel_together(client: Client) -> None:
    body = {"connector_id": client.random.choice(CANCELED_TOGETHER)}
    answer = client.send("POST", f"{JOBS}/_cancel", body)
    if answer.status == 200:
        client.load.record.counts["canceled together"] += answer.body["canceled"] + answer.body["canceling"]
    else:
        client.wrong("cancel together", answer)


def look(client: Client) -> None:
    """Requests that change nothing."""
    connector = client.random.choice(CONNECTORS)
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"{JOBS}?connector_id={connector}&size=20", None),
        ("GET", f"{JOBS}/_summary", None),
        ("GET", f"/_connector/{connector}", None),
        ("POST", f"{JOBS}/_prune", {"finished_for": "1s"}),
    ]
    method, path, body = client.random.choice(requests)
    answer = client.send(method, path, body)
    if answer.status != 200:
        client.wrong(path, answer)
