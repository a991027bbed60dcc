"""What takes many minutes, done at once as time would do it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from elasticsearch import ApiError, Elasticsearch, TransportError

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored
from tests.soak.checks import locked, unfinished
from tests.soak.client import Load
from tests.soak.workers import KINDS

# Longer than a claim is under way while Elasticsearch is there.
_LEFT_BEHIND_SECONDS = 8.0
_HOUR = timedelta(hours=1)


@contextmanager
def shortcuts(load: Load, client: Elasticsearch) -> Iterator[None]:
    """Inside the block, jobs of workers that died were silent for an hour, and locks that claims left behind are an hour old."""
    over, silent, since = Event(), set[str](), dict[tuple[str, str, int], float]()
    client = client.options(request_timeout=5)
    jobs, connectors = Stored(client, SYNC_JOBS), Stored(client, CONNECTORS)

    def silence() -> None:
        for job_id in {each for each, told in dict(load.record.jobs).items() if told.died} - silent:
            jobs.update(job_id, {"last_seen": clock.iso(datetime.now(UTC) - _HOUR)})
            silent.add(job_id)

    def age() -> None:
        locks = {(*each, lock["at"]) for each, lock in locked(client).items() if lock}
        running = {
            (job["connector"]["id"], KINDS[job["job_type"]])
            for _, job in unfinished(client, "in_progress", "canceling")
        }
        now = time.monotonic()
        seen = {each: since.get(each, now) for each in locks if each[:2] not in running}
        since.clear()
        since.update(seen)
        for (connector, kind, at), first in seen.items():
            if now - first > _LEFT_BEHIND_SECONDS:
                hour = int(_HOUR.total_seconds() * 1000)
                connectors.update(connector, {"sync_locks": {kind: {"at": at - hour}}})

    def run() -> None:
        while not over.wait(0.3):
            try:
                silence()
                age()
            except (ApiError, TransportError):  # Elasticsearch is away, and claims wait for it
                since.clear()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
