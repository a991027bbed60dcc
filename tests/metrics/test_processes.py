"""The metrics are those of all processes of a service, of replaced ones, too."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.metrics.scraping import scrape
from tests.service import Http, Service

REQUESTS = 40


def test_counts_outlive_the_process_that_counted(node_url: str) -> None:
    with Service(node_url, WORKERS="2", THREADS="4") as service:
        service.wait_until_ready()
        before = scrape(service.http)
        for _ in range(REQUESTS):
            service.http.get("/nowhere")
            service.http.close()  # so that both processes get some

        def counted() -> float:
            return scrape(service.http).rises_since(
                before, "connector_http_requests_total", route="(unknown)", method="GET"
            )

        assert counted() == REQUESTS
        workers = service.workers()
        os.kill(workers[0], signal.SIGKILL)
        service.wait_for(lambda: len(service.workers()) == 2 and workers[0] not in service.workers())
        # Several scrapes, answered by the old process and the new one.
        for number in range(REQUESTS):
            service.http.close()
            assert counted() == REQUESTS + number
            service.http.get("/nowhere")


def test_process_that_was_killed_has_nothing_in_progress(node_url: str) -> None:
    with Service(node_url, WORKERS="1", THREADS="4") as service:
        service.wait_until_ready()

        def in_progress() -> float:
            return scrape(service.http).value("connector_http_requests_in_progress")

        assert in_progress() == 1  # the scrape itself
        (worker,) = service.workers()
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(_claim, Http(service.url))
            service.wait_for(lambda: in_progress() == 2)
            os.kill(worker, signal.SIGKILL)
            assert isinstance(waiting.exception(60), requests.ConnectionError)
        service.http.close()
        service.wait_for(lambda: service.workers() not in ([], [worker]))
        service.wait_for(lambda: in_progress() == 1)


def _claim(http: Http) -> None:
    http.post("/_connector/_sync_job/_claim", json={"worker_hostname": "w", "wait": "60s"})


def test_files_are_removed_at_the_end(node_url: str, tmp_path: Path) -> None:
    with Service(node_url, WORKERS="1", TMPDIR=str(tmp_path)) as service:
        assert [each.name.startswith("connector-metrics-") for each in tmp_path.glob("connector*")] == [True]
        scrape_file = next(tmp_path.glob("connector*/counter_*.db"))
        assert scrape_file.stat().st_size > 0
        service.stop()
        assert list(tmp_path.glob("connector*")) == []
