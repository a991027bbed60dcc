"""Different requests for one job at the same time: only legal transitions happen."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from app.store.index_definitions import SYNC_JOBS
from tests.races.crowd import rush

ACTS = {
    "cancel": lambda job: ("_cancel", None),
    "claim": lambda job: ("_claim", {"worker_hostname": "worker"}),
    "error": lambda job: ("_error", {"error": "it broke"}),
}
# Possible sets of accepted requests, and the status that each leaves the job in.
FROM_PENDING = {
    ("cancel",): "canceled",
    ("claim",): "in_progress",
    ("cancel", "claim"): "canceling",
    ("claim", "error"): "error",
    ("cancel", "claim", "error"): "error",
}
FROM_IN_PROGRESS = {("error",): "error", ("cancel", "error"): "error", ("cancel",): "canceling"}


@pytest.mark.parametrize(
    ("start", "possible"), [("pending", FROM_PENDING), ("in_progress", FROM_IN_PROGRESS)]
)
def test_concurrent_cancel_claim_and_error_make_only_legal_transitions(
    clients, put_jobs, elasticsearch, start, possible
) -> None:
    names = list(ACTS)

    def act(member: int, job: str) -> int:
        path, body = ACTS[names[member]](job)
        return clients[member].put(f"/_connector/_sync_job/{job}/{path}", json=body).status_code

    jobs = put_jobs(200, start, worker_hostname="another")
    seen: Counter[tuple[str, ...]] = Counter()
    for job, statuses in zip(jobs, rush(3, jobs, act), strict=True):
        assert set(statuses) <= {200, 400, 409}
        accepted = tuple(name for name, status in zip(names, statuses, strict=True) if status == 200)
        document = elasticsearch.get(index=SYNC_JOBS.alias, id=job)["_source"]
        assert accepted in possible, document
        assert document["status"] == possible[accepted]
        assert ("canceled_at" in document) == (document["status"] == "canceled")
        assert ("error" in document) == (document["status"] == "error")
        seen[accepted] += 1
    # Otherwise the requests never raced.
    assert len(seen) > 1


@pytest.mark.parametrize("path", ["_check_in", "_stats"])
def test_64_concurrent_heartbeats_are_all_accepted(clients, put_jobs, elasticsearch, path) -> None:
    counters = {"deleted_document_count": 0, "indexed_document_count": 1, "indexed_document_volume": 2}
    body = counters if path == "_stats" else None

    def beat(member: int, job: str) -> tuple[int, dict]:
        response = clients[member].put(f"/_connector/_sync_job/{job}/{path}", json=body)
        return response.status_code, response.json()

    jobs = put_jobs(3, "in_progress", metadata={"kept": [1, None]})
    before = elasticsearch.get(index=SYNC_JOBS.alias, id=jobs[0])["_source"]
    began = datetime.now(UTC)
    for results in rush(64, jobs, beat):
        assert Counter(status for status, _ in results) == {200: 64}
    for job in jobs:
        after = elasticsearch.get(index=SYNC_JOBS.alias, id=job)["_source"]
        seen = after.pop("last_seen")
        assert began <= datetime.fromisoformat(seen) <= datetime.now(UTC)
        assert after == before | (body or {})
