"""Deleting connectors with all their jobs; after any failure, repeating the request completes the deletion."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import ID
from tests.endpoints import ROOT
from tests.fault_proxy import FaultProxy, Request, Which, to
from tests.responses import error, no_connector
from tests.service import Service

BOTH_WAYS = pytest.mark.parametrize("hard", ["true", "false"])


def delete(http, hard: str) -> int:
    return http.delete(f"{ROOT}/{ID}?hard={hard}&delete_sync_jobs=true").status_code


@contextmanager
def read_only(elasticsearch: Elasticsearch, index: str) -> Iterator[None]:
    elasticsearch.indices.put_settings(index=index, settings={"index.blocks.write": True})
    try:
        yield
    finally:
        elasticsearch.indices.put_settings(index=index, settings={"index.blocks.write": None})


@BOTH_WAYS
def test_only_jobs_of_the_connector_are_deleted(http, connector, put_jobs, job_ids, hard) -> None:
    put_jobs(3)
    put_jobs(2, connector_id="other")
    assert http.delete(f"{ROOT}/{ID}?delete_sync_jobs=maybe").status_code == 400
    assert delete(http, hard) == 200
    assert job_ids() == {"other-0", "other-1"}
    assert http.get(f"{ROOT}/{ID}?include_deleted=true").status_code == (404 if hard == "true" else 200)


def test_jobs_are_kept_by_default(http, connector, put_jobs, job_ids) -> None:
    put_jobs(2)
    http.delete(f"{ROOT}/{ID}?hard=true")
    assert len(job_ids()) == 2


def test_more_jobs_than_one_batch_are_deleted(http, connector, put_jobs, job_ids) -> None:
    put_jobs(2_300)
    assert delete(http, "true") == 200
    assert job_ids() == set()


@BOTH_WAYS
def test_connector_is_kept_if_its_jobs_cannot_be_deleted(
    http, connector, put_jobs, job_ids, elasticsearch, hard
) -> None:
    put_jobs(3)
    with read_only(elasticsearch, SYNC_JOBS.alias):
        response = http.delete(f"{ROOT}/{ID}?hard={hard}&delete_sync_jobs=true")
        assert error(response)[:2] == (503, "cluster_block_exception")
        assert http.get(f"{ROOT}/{ID}").status_code == 200
    assert delete(http, hard) == 200
    assert job_ids() == set()
    assert http.get(f"{ROOT}/{ID}").status_code == 404


@BOTH_WAYS
def test_deletion_is_completed_after_the_connector_could_not_be_deleted(
    http, connector, put_jobs, job_ids, elasticsearch, hard
) -> None:
    put_jobs(3)
    with read_only(elasticsearch, CONNECTORS.alias):
        assert delete(http, hard) == 503
        assert http.get(f"{ROOT}/{ID}").status_code == 200
    put_jobs(2)
    assert delete(http, hard) == 200
    assert job_ids() == set()
    assert http.get(f"{ROOT}/{ID}").status_code == 404


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    """A service that reaches Elasticsearch through the proxy."""
    with Service(proxy.url, WORKERS="1") as service:
        service.wait_until_ready()
        yield service


def nth_and_later(number: int, which: Which) -> Which:
    """Matches the `number`th (from 1) of such requests and all later ones."""
    met = itertools.count(1)
    return lambda request: which(request) and next(met) >= number


def is_connector_write(request: Request) -> bool:
    """The soft or hard deletion of the connector itself."""
    return f"/_update/{ID}" in request.path or (request.method == "DELETE" and f"/_doc/{ID}" in request.path)


# The proxy drops requests of a kind from the n-th on: n, kind, jobs before, jobs after, whether the connector is left.
OUTAGES = {
    "first deletion of jobs": (1, to("_delete_by_query"), 5, 5, True),
    "second deletion, after one batch": (2, to("_delete_by_query"), 2_300, 1_300, True),
    "third deletion, after two batches": (3, to("_delete_by_query"), 2_300, 300, True),
    "write of the connector": (1, is_connector_write, 5, 0, True),
    "last deletion of jobs": (2, to("_delete_by_query"), 5, 0, False),
}


@BOTH_WAYS
@pytest.mark.parametrize("responses", [False, True], ids=["requests", "responses"])
@pytest.mark.parametrize(("number", "which", "jobs", "left", "there"), OUTAGES.values(), ids=OUTAGES.keys())
def test_deletion_is_completed_after_an_outage(
    connector, http, proxy, proxied, put_jobs, job_ids, hard, responses, number, which, jobs, left, there
) -> None:
    put_jobs(jobs)
    put_jobs(1, connector_id="other")
    with proxy.losing(nth_and_later(number, which), responses=responses):
        response = proxied.http.delete(f"{ROOT}/{ID}?hard={hard}&delete_sync_jobs=true")
        assert error(response) == (
            503,
            "status_exception",
            "Elasticsearch cannot be reached. The request can be sent again.",
        )
    if not responses:
        assert len(job_ids()) == left + 1
    else:  # requests without a response were carried out, and so were their retries
        assert len(job_ids()) <= left + 1
        there = there and which is not is_connector_write
    assert http.get(f"{ROOT}/{ID}").status_code == (200 if there else 404)
    put_jobs(2)
    assert delete(proxied.http, hard) == (200 if there else 404)
    assert job_ids() == {"other-0"}
    assert http.get(f"{ROOT}/{ID}").status_code == 404


@BOTH_WAYS
def test_jobs_of_a_deleted_connector_are_deleted(http, connector, put_jobs, job_ids, hard) -> None:
    """As after a failure between the deletion of the connector and the last deletion of jobs."""
    http.delete(f"{ROOT}/{ID}?hard={hard}")
    put_jobs(2)
    assert error(http.delete(f"{ROOT}/{ID}?hard={hard}&delete_sync_jobs=true")) == no_connector()
    assert job_ids() == set()


def test_jobs_that_change_meanwhile_are_deleted(http, connector, put_jobs, job_ids, elasticsearch) -> None:
    """Conflicting jobs are skipped and deleted in the next batch, while heartbeats go on."""
    put_jobs(200)
    over = Event()

    def beat(number: int) -> None:
        while not over.is_set():
            for each in range(number, 200, 2):
                elasticsearch.options(ignore_status=(404, 409)).update(
                    index=SYNC_JOBS.alias,
                    id=f"{ID}-{each}",
                    doc={"last_seen": "2024-01-01"},
                    detect_noop=False,
                )

    with ThreadPoolExecutor(2) as threads:
        beats = [threads.submit(beat, number) for number in range(2)]
        try:
            assert delete(http, "true") == 200
        finally:
            over.set()
        for each in beats:
            each.result()
    assert job_ids() == set()


def test_connector_is_deleted_without_an_index_of_jobs(
    http, connector, elasticsearch, running_service
) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    try:
        assert delete(http, "true") == 200
    finally:
        running_service.wait_until_ready()
