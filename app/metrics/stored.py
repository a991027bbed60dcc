"""The metrics of what is stored: they are the same from each process of each replica, so take their maximum."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app import timestamps
from app.errors import ApiError
from app.store import Store
from app.sync_jobs.summary import summary

# As those of `GET /_connector/_sync_job/_summary` where the request says nothing.
_UNCLAIMED_FOR: Final = timedelta(minutes=5)
_IDLE_FOR: Final = timedelta(minutes=10)

_PERIOD_SECONDS: Final = 10.0
# Prometheus itself waits for ten seconds. What Elasticsearch says later is shown by the next scrape.
_PATIENCE_SECONDS: Final = 3.0


class StoredJobs(Collector):
    """Asks for the summary of all jobs when it is scraped, at most every ten seconds.

    A scrape never fails because of Elasticsearch: where that does not answer soon, only `connector_elasticsearch_up` is left.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._asking: Thread | None = None
        self._asked_at = 0.0
        self._found: Mapping[str, Any] | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that Elasticsearch isn't asked when the collector is registered."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics, for one scrape."""
        found = self._summary()
        yield _gauge("connector_elasticsearch_up", "Whether Elasticsearch answers.", found is not None)
        if found is None:
            return
        by_status = GaugeMetricFamily("connector_sync_jobs", "Stored sync jobs.", labels=["status"])
        for status, count in found["by_status"].items():
            by_status.add_metric([status], count)
        yield by_status
        for name, text, at in (
            (
                "connector_sync_jobs_oldest_pending_timestamp_seconds",
                "When the job that has been pending for longest was created; absent where there is none.",
                _timestamp(found["oldest_pending"], "created_at"),
            ),
            (
                "connector_sync_jobs_longest_idle_timestamp_seconds",
                "The last heartbeat of the running job that has had none for longest; absent where there is none.",
                _timestamp(found["longest_idle"], "last_seen"),
            ),
        ):
            if at is not None:
                yield _gauge(name, text, at)
        yield _gauge(
            "connector_sync_jobs_unclaimed", "Jobs pending for over five minutes.", found["unclaimed"]
        )
        yield _gauge(
            "connector_sync_jobs_idle",
            "Running jobs without a heartbeat for over ten minutes.",
            found["idle"],
        )
        yield _gauge(
            "connector_connectors_locked_without_job",
            "Connectors that are marked as being synced although no such job runs.",
            found["locked_without_job"],
        )

    def _summary(self) -> Mapping[str, Any] | None:
        with self._lock:
            asking = self._asking
            due = time.monotonic() - self._asked_at >= _PERIOD_SECONDS
            if asking is None or (due and not asking.is_alive()):
                self._asked_at = time.monotonic()
                asking = self._asking = Thread(target=self._ask, name="stored-jobs", daemon=True)
                asking.start()
        asking.join(_PATIENCE_SECONDS)
        return None if asking.is_alive() else self._found

    def _ask(self) -> None:
        self._found, found = None, None
        try:
            found = summary(self._store, _UNCLAIMED_FOR, _IDLE_FOR)
        except ApiError:
            return  # the store has logged why
        self._found = found


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _timestamp(job: Mapping[str, Any] | None, field: str) -> float | None:
    """Seconds since 1970; None where there is no such job, or what some program stored there is no timestamp."""
    found = None if job is None else timestamps.read(job[field])
    return None if found is None else found.timestamp()
