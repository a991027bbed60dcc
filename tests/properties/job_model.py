"""What the API of one job must do: for each call, the responses that are right and the state that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.endpoints import JOBS
from tests.service import Http

FINISHED = ("completed", "canceled", "error")
WAITING = ("pending", "suspended")
RUNNING = ("in_progress", "canceling")


@dataclass(frozen=True)
class Job:
    """A job as the model knows it: who holds or held it, and one of its counters."""

    status: str = "pending"
    worker: str | None = None
    count: int = 0


@dataclass(frozen=True)
class Call:
    """A request about one job. `worker` claims, or is the `worker_hostname` that the request names; None names nobody."""

    action: str
    worker: str | None = None
    count: int = 0

    def send(self, http: Http, job_id: str) -> tuple[int, str]:
        """Send it: the status code, and the `result` where there is one."""
        options: dict[str, Any] = {}
        if self.action == "_claim":
            options["json"] = {"worker_hostname": self.worker}
        elif self.worker is not None:
            options["params"] = {"worker_hostname": self.worker}
        if self.action == "_error":
            options["json"] = {"error": "it broke"}
        if self.action in ("_complete", "_suspend", "_confirm_cancel"):
            options["json"] = {"indexed_document_count": self.count}
        if self.action == "_stats":
            others = {"deleted_document_count": 0, "indexed_document_volume": 0}
            options["json"] = {"indexed_document_count": self.count, **others}
        path = f"{JOBS}/{job_id}" if self.action == "delete" else f"{JOBS}/{job_id}/{self.action}"
        response = http.request("DELETE" if self.action == "delete" else "PUT", path, **options)
        return response.status_code, response.json().get("result", "")


Response = tuple[int, str]
# Where a call that gives a job up leads from, and to.
RELEASES = {
    "_complete": ("in_progress", "completed"),
    "_suspend": ("in_progress", "suspended"),
    "_confirm_cancel": ("canceling", "canceled"),
}
UPDATED, NOOP = (200, "updated"), (200, "noop")
HEARTBEATS = ("_check_in", "_stats")


def outcomes(job: Job | None, call: Call) -> Iterator[tuple[Response, Job | None]]:
    """All that may become of the call: a response and the job afterwards, None where there is none."""
    if job is None:
        yield (404, ""), None
    elif call.action == "delete":
        yield (200, ""), None
    elif call.action == "_claim":
        yield from _claim(job, call)
    elif call.action == "_cancel":
        yield from _cancel(job)
    elif call.worker is not None and call.worker != job.worker:
        yield (409, ""), job
    elif call.action in HEARTBEATS:
        count = call.count if call.action == "_stats" else job.count
        yield ((409, ""), job) if job.status in FINISHED else (UPDATED, replace(job, count=count))
    elif call.action == "_error":
        yield (UPDATED, replace(job, status="error")) if job.status in RUNNING else ((400, ""), job)
    else:
        start, end = RELEASES[call.action]
        if job.status == start:
            yield UPDATED, replace(job, status=end, count=call.count)
        else:
            yield (NOOP if job.status == end and call.worker is not None else (400, "")), job


def _claim(job: Job, call: Call) -> Iterator[tuple[Response, Job | None]]:
    if job.status in WAITING:
        yield UPDATED, replace(job, status="in_progress", worker=call.worker)
        return
    yield (409, ""), job
    if job.status == "in_progress" and job.worker == call.worker:
        yield NOOP, job  # as long as nothing has touched the job since


def _cancel(job: Job) -> Iterator[tuple[Response, Job | None]]:
    if job.status in WAITING:
        yield UPDATED, replace(job, status="canceled")
    elif job.status == "in_progress":
        yield UPDATED, replace(job, status="canceling")
    else:
        yield (400, ""), job


def explains(
    before: Job | None, clients: Sequence[Sequence[tuple[Call, Response]]], after: Job | None
) -> bool:
    """Whether some order of the calls, in which each client's own stay in order, leads to all responses and to `after`."""
    seen = set()

    def search(job: Job | None, done: tuple[int, ...]) -> bool:
        if (job, done) in seen:
            return False
        seen.add((job, done))
        if all(count == len(calls) for count, calls in zip(done, clients, strict=True)):
            return job == after
        for client, count in enumerate(done):
            if count == len(clients[client]):
                continue
            call, response = clients[client][count]
            progress = (*done[:client], count + 1, *done[client + 1 :])
            if any(search(then, progress) for right, then in outcomes(job, call) if right == response):
                return True
        return False

    return search(before, (0,) * len(clients))


def stored(source: dict[str, Any] | None) -> Job | None:
    """A stored document as the model knows it."""
    if source is None:
        return None
    return Job(source["status"], source.get("worker_hostname"), source["indexed_document_count"])
