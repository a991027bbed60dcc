"""What callers and workers were told, for comparison with what is stored in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

COUNTERS = ("indexed_document_count", "deleted_document_count", "indexed_document_volume")
ENDS = ("completed", "error", "canceled")

Counts = Mapping[str, int]


@dataclass
class JobTold:
    """What was told of one job. Only its last worker changes what it was told; `possible` are the counters it may have."""

    worker: str | None = None
    end: str | None = None
    ended_at: datetime | None = None  # when its worker was told of an end that lasts
    error: str | None = None
    possible: list[Counts] = field(default_factory=lambda: [dict.fromkeys(COUNTERS, 0)])
    # Sent without a response: as long as nobody knows whether they took effect, they may still do.
    unanswered: list[Counts] = field(default_factory=list)
    suspended: int = 0
    claimed: int = 0
    died: bool = False
    # A request to cancel it: `acknowledged`, `refused` or, where its first sending had no response, `unclear`.
    cancel: str | None = None


@dataclass(frozen=True)
class Hold:
    """That a worker held a job: from the response of its claim to its last report, seconds of one clock."""

    connector_id: str
    kind: str
    sync_job_id: str
    began: float
    ended: float


@dataclass(frozen=True)
class Unanswered:
    """A sending that got no response."""

    url: str
    began: float
    ended: float
    reason: str


class Record:
    """What all threads of a load were told. `wrong` has responses that none of them should get."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.jobs: dict[str, JobTold] = {}
        self.created: set[str] = set()
        self.unfinished: set[str] = set()  # of those that were created
        self.holds: list[Hold] = []
        self.unanswered: list[Unanswered] = []
        self.under_way: Counter[str] = Counter()  # requests by address
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def job(self, job_id: str) -> JobTold:
        return self.jobs.setdefault(job_id, JobTold())

    def creation(self, job_id: str) -> None:
        with self.lock:
            if job_id not in self.created:
                self.created.add(job_id)
                if self.job(job_id).end not in ENDS:
                    self.unfinished.add(job_id)

    def claim(self, job: Mapping[str, Any]) -> None:
        """Note that a worker got this job, which must have the counters that its last one has reported."""
        with self.lock:
            told = self.job(job["id"])
            counters = {name: job[name] for name in COUNTERS}
            if counters not in told.possible:
                self.wrong.append(f"{job['id']} was claimed with {counters} and not one of {told.possible}")
            if told.end in ENDS:
                self.wrong.append(f"{job['id']} was claimed after its end [{told.end}]")
            told.worker, told.end = job["worker_hostname"], None
            told.claimed += 1

    def sending(self, job_id: str, counters: Counts) -> None:
        """Note that counters are about to be sent."""
        with self.lock:
            self.job(job_id).possible.append(counters)

    def report(self, job_id: str, worker: str, counters: Counts, *, taken: bool, resent: bool) -> None:
        """Note that sending counters came to a response: whether they were `taken`, and not for the first time."""
        with self.lock:
            told = self.job(job_id)
            if resent:
                told.unanswered.append(counters)
            if told.worker != worker:
                return  # another worker has claimed the job since, and knows more
            if taken:
                told.possible = [counters, *told.unanswered]
            elif not resent:
                told.possible.remove(counters)

    def ended(self, job_id: str, worker: str, end: str, error: str | None = None) -> None:
        with self.lock:
            told = self.job(job_id)
            told.suspended += end == "suspended"
            self.counts[end] += 1
            if told.worker == worker:
                told.end, told.error = end, error
                if end in ENDS:
                    told.ended_at = datetime.now(UTC)
                    self.unfinished.discard(job_id)

    def dropped(self, job_id: str, *, died: bool) -> None:
        """Note that a worker has given a job up since it is not its own any more, or since the worker died."""
        with self.lock:
            self.job(job_id).died |= died
            self.counts["died"] += died
            self.unfinished.discard(job_id)

    def canceled(self, job_id: str, how: str) -> None:
        with self.lock:
            self.job(job_id).cancel = how
            self.unfinished.discard(job_id)
