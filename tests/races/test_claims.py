"""Concurrent claims over HTTP through several processes have one winner; the harness can detect double winners."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.races.crowd import rush
from tests.service import Http, Service

JOBS = 100


def claim(http: Http, job: str, hostname: str) -> tuple[int, str]:
    response = http.put(f"/_connector/_sync_job/{job}/_claim", json={"worker_hostname": hostname})
    body = response.json()
    return response.status_code, body.get("result") or body["error"]["type"]


def documents(elasticsearch: Elasticsearch, ids: list[str]) -> list[dict]:
    return [doc["_source"] for doc in elasticsearch.mget(index=SYNC_JOBS.alias, ids=ids)["docs"]]


@pytest.mark.parametrize("claimants", [2, 8, 32])
def test_concurrent_claims_have_one_winner_whose_name_is_stored(
    clients, put_jobs, elasticsearch, claimants
) -> None:
    jobs = put_jobs(JOBS)
    rounds = rush(claimants, jobs, lambda member, job: claim(clients[member], job, f"worker-{member}"))
    for results, document in zip(rounds, documents(elasticsearch, jobs), strict=True):
        assert Counter(results) == {(200, "updated"): 1, (409, "status_exception"): claimants - 1}
        assert document["worker_hostname"] == f"worker-{results.index((200, 'updated'))}"
        assert document["status"] == "in_progress"
        assert document["last_seen"] == document["started_at"]


def test_claims_with_one_hostname_within_the_window_all_succeed(clients, put_jobs) -> None:
    """They look like one worker that retries its claim: the first response is `updated`, the others are `noop`."""
    for results in rush(8, put_jobs(JOBS), lambda member, job: claim(clients[member], job, "worker")):
        assert Counter(results) == {(200, "updated"): 1, (200, "noop"): 7}


def test_claims_with_the_holders_hostname_after_the_default_window_are_refused(
    clients, put_jobs, elasticsearch
) -> None:
    then = (datetime.now(UTC) - timedelta(seconds=61)).isoformat()
    jobs = put_jobs(JOBS, "in_progress", worker_hostname="worker", started_at=then, last_seen=then)
    before = documents(elasticsearch, jobs)
    for results in rush(8, jobs, lambda member, job: claim(clients[member], job, "worker")):
        assert Counter(results) == {(409, "status_exception"): 8}
    assert documents(elasticsearch, jobs) == before


def test_claims_with_one_hostname_without_a_window_have_one_winner(node_url, services, put_jobs) -> None:
    with Service(node_url, CLAIM_RESEND_WINDOW="0") as one, Service(node_url, CLAIM_RESEND_WINDOW="0") as two:
        clients = [Http(service.url) for service in (one, two) * 4]
        for results in rush(8, put_jobs(JOBS), lambda member, job: claim(clients[member], job, "worker")):
            assert Counter(results) == {(200, "updated"): 1, (409, "status_exception"): 7}
        for client in clients:
            client.close()


def test_harness_detects_double_winners_of_read_then_write(services, put_jobs, elasticsearch) -> None:
    """The original reads the job, decides and writes without a condition. The harness must detect the race in that."""

    def read_then_write(member: int, job: str) -> bool:
        if elasticsearch.get(index=SYNC_JOBS.alias, id=job)["_source"]["status"] != "pending":
            return False
        elasticsearch.update(
            index=SYNC_JOBS.alias,
            id=job,
            doc={"status": "in_progress", "worker_hostname": f"worker-{member}"},
            retry_on_conflict=8,
            refresh=True,
        )
        return True

    rounds = rush(8, put_jobs(20), read_then_write)
    assert max(sum(results) for results in rounds) > 1
