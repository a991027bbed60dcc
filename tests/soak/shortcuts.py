"""What takes many minutes where clocks are minutes apart, done at once as time or an operator would do it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from elasticsearch import ApiError, Elasticsearch, TransportError

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored
from tests.soak.checks import STATUS_FIELDS, locked, unfinished
from tests.soak.client import Load
from tests.soak.workers import KINDS

# Longer than a claim is under way.
_LEFT_BEHIND_SECONDS = 8.0


@contextmanager
def shortcuts(load: Load, client: Elasticsearch) -> Iterator[None]:
    """Inside the block, jobs of workers that died were silent for an hour, and locks that claims left behind are removed."""
    over, silent, since = Event(), set[str](), dict[tuple[str, str, str], float]()
    client = client.options(request_timeout=5)
    jobs, connectors = Stored(client, SYNC_JOBS), Stored(client, CONNECTORS)

    def silence() -> None:
        for job_id in {each for each, told in dict(load.record.jobs).items() if told.died} - silent:
            jobs.update(job_id, {"last_seen": clock.iso(datetime.now(UTC) - timedelta(hours=1))})
            silent.add(job_id)

    def unlock() -> None:
        held = {(connector, kind, str(connectors.source(connector))) for connector, kind in locked(client)}
        running = {
            (job["connector"]["id"], KINDS[job["job_type"]])
            for _, job in unfinished(client, "in_progress", "canceling")
        }
        now = time.monotonic()
        seen = {each: since.get(each, now) for each in held if each[:2] not in running}
        since.clear()
        since.update(seen)
        for (connector, kind, _), first in seen.items():
            if now - first > _LEFT_BEHIND_SECONDS:
                connectors.update(connector, {STATUS_FIELDS[kind]: "error"})

    def run() -> None:
        while not over.wait(0.3):
            with suppress(ApiError, TransportError):  # Elasticsearch is away
                silence()
                unlock()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
