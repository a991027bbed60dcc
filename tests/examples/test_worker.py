"""The example of a worker runs jobs of a real service, in processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.documents import Stored, empty
from tests.endpoints import JOBS
from tests.example_worker import ExampleWorker, configure, new_connector, new_job, wait_until
from tests.service import Http, Service, free_port

Start = Callable[..., ExampleWorker]
ENDLESS = 1_000_000


@pytest.fixture
def start(service: Service) -> Iterator[Start]:
    """Starts workers of the service, which end with the test."""
    with ExitStack() as workers:
        yield lambda **environment: workers.enter_context(ExampleWorker(service.url, **environment))


@pytest.fixture
def job(http: Http) -> Callable[[str], dict[str, Any]]:
    """A job by its id, as the API shows it."""
    return lambda job_id: http.get(f"{JOBS}/{job_id}").json()


def statuses(http: Http, *ids: str) -> list[str]:
    return [http.get(f"{JOBS}/{each}").json()["status"] for each in ids]


def test_jobs_of_two_connectors_are_completed(http, start, job, connectors) -> None:
    """Each incremental job goes on where the full one before it ended."""
    numbers = {"a": (3, 5), "b": (4, 8)}
    full, incremental = {}, {}
    for connector, (first, _) in numbers.items():
        new_connector(http, connector, first, 0.01)
        full[connector] = new_job(http, connector)
    for connector, (_, then) in numbers.items():
        configure(http, connector, then)
        incremental[connector] = new_job(http, connector, "incremental")
    access_control = new_job(http, "a", "access_control")
    everything = [*full.values(), *incremental.values(), access_control]

    worker = start()
    wait_until(lambda: statuses(http, *everything) == ["completed"] * 5, worker)

    for connector, (first, then) in numbers.items():
        assert job(full[connector])["indexed_document_count"] == first
        assert job(full[connector])["connector"]["sync_cursor"] == {"next": first}
        assert job(incremental[connector])["indexed_document_count"] == then - first
        assert job(incremental[connector])["connector"]["sync_cursor"] == {"next": then}
        wait_until(lambda c=connector: connectors.source(c)["last_sync_status"] == "completed", worker)
        freed = connectors.source(connector)
        assert freed["sync_cursor"] == {"next": then}
        assert freed["last_indexed_document_count"] in (then - first, numbers["a"][1])
        assert (freed["status"], freed["error"], freed["last_sync_error"]) == ("connected", None, None)
    assert job(access_control)["indexed_document_count"] == numbers["a"][1]
    wait_until(lambda: connectors.source("a")["last_access_control_sync_status"] == "completed", worker)
    assert len({job(each)["worker_hostname"] for each in everything}) == 1
    assert worker.output() == ""  # no request was refused or sent twice


def test_canceled_job_is_stopped_and_confirmed(http, start, job, connectors) -> None:
    new_connector(http, "c", ENDLESS, 0.02)
    canceled = new_job(http, "c")
    configure(http, "c", 2)
    next_one = new_job(http, "c")
    worker = start()
    wait_until(lambda: job(canceled)["indexed_document_count"] > 1, worker)

    assert http.put(f"{JOBS}/{canceled}/_cancel").json() == {"result": "updated"}

    wait_until(lambda: statuses(http, canceled, next_one) == ["canceled", "completed"], worker)
    ended = job(canceled)
    assert ended["canceled_at"] == ended["completed_at"]
    assert ended["indexed_document_count"] > 1
    assert "_confirm_cancel" not in worker.output()  # it was not refused
    assert worker.is_running()


def test_cancellation_that_no_heartbeat_told_is_confirmed_at_the_end(http, start, job, connectors) -> None:
    new_connector(http, "c", 40, 0.1)
    canceled = new_job(http, "c")
    worker = start(HEARTBEAT_SECONDS="3600")
    wait_until(lambda: job(canceled)["indexed_document_count"] > 1, worker)
    assert http.put(f"{JOBS}/{canceled}/_cancel").json() == {"result": "updated"}
    wait_until(lambda: statuses(http, canceled) == ["canceled"], worker)
    assert job(canceled)["indexed_document_count"] == 40
    assert "Invalid transition attempt from [canceling] to [completed]" in worker.output()
    wait_until(lambda: connectors.source("c")["last_sync_status"] == "canceled", worker)


@pytest.mark.parametrize("job_type", ["full", "incremental"])
def test_terminated_worker_suspends_its_job_and_another_goes_on(
    http, start, job, connectors, job_type
) -> None:
    """No number is left out or done twice, though the connector has an older cursor."""
    new_connector(http, "c", 50, 0.05)
    connectors.put("c", connectors.source("c") | {"sync_cursor": {"next": 10}})
    resumed = new_job(http, "c", job_type)
    first = start()
    wait_until(lambda: job(resumed)["indexed_document_count"] > 2, first)
    running = job(resumed)

    assert first.terminate() == 0

    assert first.output() == ""
    suspended = job(resumed)
    start_at = 10 if job_type == "incremental" else 0
    assert suspended["status"] == "suspended"
    done = suspended["indexed_document_count"]
    assert 2 < done < 40
    assert suspended["connector"]["sync_cursor"] == {"next": start_at + done}
    assert "completed_at" not in suspended
    assert connectors.source("c")["last_sync_status"] == "suspended"

    second = start()
    wait_until(lambda: statuses(http, resumed) == ["completed"], second)
    ended = job(resumed)
    assert ended["indexed_document_count"] == 50 - start_at
    assert ended["connector"]["sync_cursor"] == {"next": 50}
    assert ended["started_at"] == running["started_at"]
    assert ended["claimed_at"] > running["claimed_at"]
    assert ended["worker_hostname"] != running["worker_hostname"]


def test_job_of_a_killed_worker_stays_locked(http, start, job) -> None:
    new_connector(http, "c", ENDLESS, 0.02)
    left_behind = new_job(http, "c")
    first = start()
    wait_until(lambda: job(left_behind)["indexed_document_count"] > 1, first)
    first.kill()
    held = ("status", "worker_hostname", "claimed_at")  # the worker's last requests may still be on their way
    before = [job(left_behind)[each] for each in held]
    after_it = new_job(http, "c")
    new_connector(http, "other", 2)
    of_another = new_job(http, "other")

    second = start()
    wait_until(lambda: statuses(http, of_another) == ["completed"], second)
    empty = http.post(f"{JOBS}/_claim", json={"worker_hostname": "w", "connector_ids": ["c"]})
    assert empty.json() == {"results": []}
    assert [job(left_behind)[each] for each in held] == before
    assert before[0] == "in_progress"
    assert statuses(http, after_it) == ["pending"]


def test_exception_of_the_sync_fails_the_job(http, start, job, connectors) -> None:
    new_connector(http, "c", "many")
    failed = new_job(http, "c")
    worker = start()
    wait_until(lambda: connectors.source("c").get("last_sync_status") == "error", worker)
    text = "ValueError: invalid literal for int() with base 10: 'many'"
    assert (job(failed)["status"], job(failed)["error"]) == ("error", text)
    connector = connectors.source("c")
    assert (connector["status"], connector["error"], connector["last_sync_error"]) == ("error", text, text)

    configure(http, "c", 2)
    next_one = new_job(http, "c")
    wait_until(lambda: statuses(http, next_one) == ["completed"], worker)
    wait_until(lambda: connectors.source("c")["status"] == "connected", worker)
    assert connectors.source("c")["last_sync_error"] is None


def test_job_that_another_worker_got_is_dropped(http, start, job, jobs) -> None:
    """As after a rescue. Both places of the worker are free for other jobs again."""
    taken = []
    for connector in ("a", "b"):
        new_connector(http, connector, ENDLESS, 0.02)
        taken.append(new_job(http, connector))
    worker = start()
    wait_until(lambda: all(job(each)["indexed_document_count"] > 1 for each in taken), worker)
    for each in taken:
        hand_over(jobs, each)
    versions = [jobs.version(each) for each in taken]

    new_connector(http, "other", 2, 0.02)
    more = [new_job(http, "other", job_type) for job_type in ("full", "access_control")]
    wait_until(lambda: statuses(http, *more) == ["completed"] * 2, worker)
    assert worker.terminate() == 0
    assert [jobs.version(each) for each in taken] == versions
    refusals = [line for line in worker.output().splitlines() if "is held by [another]" in line]
    assert refusals
    assert not [line for line in refusals if "_suspend" in line]  # it knew when it was terminated


def hand_over(jobs: Stored, job_id: str) -> None:
    """Give a running job to another worker."""
    jobs.update(job_id, {"worker_hostname": "another"})


def test_service_that_is_away_is_waited_for(node_url, elasticsearch, start) -> None:
    """The job that runs meanwhile is completed, with exact counters."""
    with Service(node_url) as service:
        service.wait_until_ready()
        empty(elasticsearch)
        new_connector(service.http, "c", 30, 0.05)
        waiting = new_job(service.http, "c")
        worker = start(CONNECTORS_URL=service.url)
        wait_until(lambda: service.http.get(f"{JOBS}/{waiting}").json()["indexed_document_count"] > 1, worker)
        service.stop()
        wait_until(lambda: "/_stats" in worker.output() and "/_claim" in worker.output(), worker)
        service.start()
        wait_until(lambda: statuses(service.http, waiting) == ["completed"], worker)
        assert service.http.get(f"{JOBS}/{waiting}").json()["indexed_document_count"] == 30
        after = new_job(service.http, "c")
        wait_until(lambda: statuses(service.http, after) == ["completed"], worker)


def test_worker_ends_while_the_service_is_away(start) -> None:
    worker = start(CONNECTORS_URL=f"http://127.0.0.1:{free_port()}")
    wait_until(lambda: "/_claim" in worker.output(), worker)
    assert worker.terminate() == 1
    assert worker.output().endswith("No claim: 503\n")
