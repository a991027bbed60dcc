"""make bench: compares claims through the service with claims sent directly to Elasticsearch, on one node.

It claims jobs in three ways, each with 1, 8 and 64 clients:

- service: `PUT /_connector/_sync_job/{id}/_claim` over HTTP;
- direct: the same scripted update, sent to Elasticsearch by its Python client;
- original: as Elasticsearch's own API does it: read the job, then update it without a condition and refresh.

The speed of a machine varies from minute to minute, so the three ways take turns; compare the ratios within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection

from elasticsearch import Elasticsearch, helpers

from app import clock
from app.compatibility import DOCUMENTED
from app.store.index_definitions import SYNC_JOBS
from app.sync_jobs.updates import CLAIM, claim_params
from scripts.elasticsearch import Cluster, EmbeddedNode, Source
from scripts.elasticsearch.source import version_of
from scripts.local_service import service_beside

CLIENTS = (1, 8, 64)
Claim = Callable[[str], None]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="how long each turn takes (default: 3)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each way (default: 3)")
    options = parser.parse_args()
    with (
        _elasticsearch() as source,
        service_beside(source.url, MAINTENANCE_INTERVAL="0") as url,
        Elasticsearch(source.url, connections_per_node=max(CLIENTS), request_timeout=60) as client,
    ):
        ways: dict[str, Callable[[], Claim]] = {
            "service": lambda: _through_service(url.removeprefix("http://")),
            "direct": lambda: _direct(client),
            "original": lambda: _read_then_write(client),
        }
        print(f"Claims a second, median of {options.turns} turns of {options.seconds:g} s each")
        print(
            f"{'clients':>8}{'service':>10}{'direct':>10}{'original':>10}{'service/direct':>16}{'service/original':>18}"
        )
        for clients in CLIENTS:
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(options.turns):
                for way, connect in ways.items():
                    jobs = _pending_jobs(client, int(2500 * options.seconds))
                    rates[way].append(_rate(connect, clients, jobs, options.seconds))
            service, direct, original = (statistics.median(rates[way]) for way in ways)
            print(
                f"{clients:>8}{service:>10.0f}{direct:>10.0f}{original:>10.0f}"
                f"{service / direct:>16.2f}{service / original:>18.1f}",
                flush=True,
            )


def _elasticsearch() -> Source:
    """Start an embedded node, or use the cluster of TEST_ELASTICSEARCH_URL; never that of ELASTICSEARCH_URL."""
    if url := os.environ.get("TEST_ELASTICSEARCH_URL"):
        return Cluster(url, version_of(url))
    return EmbeddedNode(profile="bench")


def _pending_jobs(client: Elasticsearch, count: int) -> list[str]:
    client.delete_by_query(index=SYNC_JOBS.alias, query={"match_all": {}}, refresh=True, conflicts="proceed")
    document = {"status": "pending", "connector": {"id": "bench"}, "created_at": clock.now(), "metadata": {}}
    jobs = [f"job-{number}" for number in range(count)]
    helpers.bulk(client, [{"_index": SYNC_JOBS.alias, "_id": job, **document} for job in jobs], refresh=True)
    return jobs


def _rate(connect: Callable[[], Claim], clients: int, jobs: list[str], seconds: float) -> float:
    """Measure the claims per second of several clients, each job claimed once, until the time or the jobs run out."""
    queue = iter(jobs)
    lock = threading.Lock()
    start = threading.Barrier(clients + 1)
    done = [0] * clients
    failures: list[BaseException] = []
    deadline = [0.0]

    def client(number: int) -> None:
        try:
            claim = connect()
            start.wait()
            while time.monotonic() < deadline[0]:
                with lock:
                    job = next(queue, None)
                if job is None:
                    return
                claim(job)
                done[number] += 1
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    deadline[0] = time.monotonic() + seconds
    start.wait()
    started = time.monotonic()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(done) / (time.monotonic() - started)


def _through_service(address: str) -> Claim:
    connection = HTTPConnection(address, timeout=60)
    body = json.dumps({"worker_hostname": "bench"})
    headers = {"Content-Type": "application/json"}

    def claim(job: str) -> None:
        connection.request("PUT", f"/_connector/_sync_job/{job}/_claim", body, headers)
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(text.decode())

    return claim


def _direct(client: Elasticsearch) -> Claim:
    def claim(job: str) -> None:
        params = claim_params("bench", None, resend_window=60, compatibility=DOCUMENTED) | {"is_retry": False}
        client.update(index=SYNC_JOBS.alias, id=job, script={"source": CLAIM.source, "params": params})

    return claim


def _read_then_write(client: Elasticsearch) -> Claim:
    def claim(job: str) -> None:
        client.get(index=SYNC_JOBS.alias, id=job)
        now = clock.now()
        change = {"status": "in_progress", "worker_hostname": "bench", "started_at": now, "last_seen": now}
        client.update(index=SYNC_JOBS.alias, id=job, doc=change, refresh=True)

    return claim


if __name__ == "__main__":
    main()
