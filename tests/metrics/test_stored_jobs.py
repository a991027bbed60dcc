"""The metrics of stored jobs: right, asked for seldom, and no reason for a scrape to fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from app.errors import unavailable
from app.metrics import stored
from app.metrics.stored import StoredJobs
from app.store import Store
from tests.fault_proxy import FaultProxy, Request
from tests.metrics.scraping import scrape
from tests.service import Service

UP = "connector_elasticsearch_up"
OLDEST, IDLEST = (
    "connector_sync_jobs_oldest_pending_timestamp_seconds",
    "connector_sync_jobs_longest_idle_timestamp_seconds",
)


def everything(_request: Request) -> bool:
    return True


@pytest.fixture
def behind_proxy(proxy: FaultProxy, service: Service) -> Iterator[Service]:
    """A service whose requests to Elasticsearch are recorded. It is ready, there are no documents."""
    with Service(proxy.url, WORKERS="2", THREADS="4", ELASTICSEARCH_TIMEOUT="300") as behind:
        behind.wait_until_ready()
        yield behind


def collected(store: Store) -> dict[str, Any]:
    """What is shown of the stored jobs: values by name, those with a label as dicts."""
    found: dict[str, Any] = {}
    for family in StoredJobs(store).collect():
        for sample in family.samples:
            if sample.labels:
                found.setdefault(sample.name, {})[sample.labels["status"]] = sample.value
            else:
                found[sample.name] = sample.value
    return found


def test_jobs_are_counted_by_status(store: Store, service, put_jobs) -> None:
    put_jobs(3, connector_id="a")
    put_jobs(2, "in_progress", connector_id="b", last_seen="2024-02-01T00:00:00Z")
    put_jobs(1, "error", connector_id="c")
    found = collected(store)
    counts = {"pending": 3, "in_progress": 2, "error": 1}
    assert found["connector_sync_jobs"] == counts | dict.fromkeys(
        ("suspended", "canceling", "canceled", "completed"), 0
    )
    assert found[UP] == 1
    assert (found[OLDEST], found[IDLEST]) == (1704067200, 1706745600)
    assert (found["connector_sync_jobs_unclaimed"], found["connector_sync_jobs_idle"]) == (3, 2)


def test_locked_connectors_without_a_job_are_counted(store: Store, service, connectors) -> None:
    connectors.put("locked", {"last_sync_status": "in_progress", "deleted": False})
    assert collected(store)["connector_connectors_locked_without_job"] == 1


def test_nothing_is_said_of_jobs_that_do_not_exist(store: Store, service) -> None:
    assert not collected(store).keys() & {OLDEST, IDLEST}


@pytest.mark.parametrize("last_seen", [None, "never", 17, ["2024-02-01T00:00:00Z"], {"a": 1}])
def test_odd_timestamps_of_other_programs_fail_no_scrape(
    store: Store, service, monkeypatch: pytest.MonkeyPatch, last_seen: Any
) -> None:
    odd = {"id": "a", "last_seen": last_seen}
    real = stored.summary
    monkeypatch.setattr(stored, "summary", lambda *args: {**real(*args), "longest_idle": odd})
    found = collected(store)
    assert found[UP] == 1
    assert (IDLEST in found) == (last_seen == 17)  # milliseconds since 1970


def test_elasticsearch_is_asked_every_ten_seconds_at_most(behind_proxy: Service, proxy: FaultProxy) -> None:
    began = time.monotonic()
    with proxy.recording() as recorded:
        for _ in range(40):
            behind_proxy.http.close()
            scrape(behind_proxy.http)
    periods = 1 + (time.monotonic() - began) // 10
    searches = sum(request.path.startswith("/.elastic-connectors-sync-jobs/_search") for request in recorded)
    assert 1 <= searches <= 2 * periods  # in each of two processes


def test_scrapes_go_on_while_elasticsearch_is_away(behind_proxy: Service, proxy: FaultProxy) -> None:
    scrape(behind_proxy.http)
    with proxy.losing(everything):
        behind_proxy.wait_for(lambda: scrape(behind_proxy.http).value(UP) == 0)
        found = scrape(behind_proxy.http)
        if found.value(UP) == 0:  # else the other process answered
            assert not found.has("connector_sync_jobs")
        assert found.has("connector_http_requests_total")
    for _ in range(4):
        behind_proxy.http.close()
        behind_proxy.wait_for(lambda: scrape(behind_proxy.http).value(UP) == 1)


def test_scrape_does_not_wait_for_a_silent_elasticsearch(
    store: Store, service, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Event()
    real = stored.summary

    def late(*args: Any) -> Any:
        silent.wait(60)
        return real(*args)

    monkeypatch.setattr(stored, "summary", late)
    monkeypatch.setattr(stored, "_PATIENCE_SECONDS", 0.05)
    jobs = StoredJobs(store)
    assert [family.name for family in jobs.collect()] == [UP]
    silent.set()
    jobs._asking.join(60)
    assert len(list(jobs.collect())) > 1  # what came late is shown now


def test_failure_is_asked_again_after_the_period(
    store: Store, service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = stored.summary, []

    def fails_first(*args: Any) -> Any:
        asked.append(args)
        if len(asked) == 1:
            raise unavailable("away")
        return real(*args)

    monkeypatch.setattr(stored, "summary", fails_first)
    jobs = StoredJobs(store)
    assert [len(list(jobs.collect())) for _ in range(3)] == [1, 1, 1]
    monkeypatch.setattr(stored, "_PERIOD_SECONDS", 0)
    assert len(list(jobs.collect())) > 1
    assert len(asked) == 2
