"""Heartbeats, rescues, cancellations and pruning at the same time, through several processes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from app.store.index_definitions import SYNC_JOBS
from tests.endpoints import JOBS
from tests.races.crowd import rush

ROUNDS = 12
IN_EACH = 40


def source(elasticsearch: Any, job: str) -> dict[str, Any]:
    return dict(elasticsearch.get(index=SYNC_JOBS.alias, id=job)["_source"])


def test_heartbeat_that_comes_first_wins_over_rescues(clients, put_jobs, elasticsearch) -> None:
    """An accepted heartbeat means that the job goes on, a refused one that it was rescued: once, whoever tried."""
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    ended: Counter[str] = Counter()
    seen: Counter[bool] = Counter()
    for number in range(ROUNDS):
        jobs = put_jobs(
            IN_EACH, "in_progress", f"c{number}", last_seen=old, started_at=old, worker_hostname="w"
        )

        def act(member: int, jobs: list[str]) -> Any:
            if member < 3:
                response = clients[member].post(f"{JOBS}/_rescue", json={"idle_for": "10m"})
                assert response.status_code == 200, response.text
                return [job["id"] for job in response.json()["rescued"]]
            body = {"worker_hostname": "w", "ids": jobs[: IN_EACH // 2]}
            if member == 3:
                return clients[member].post(f"{JOBS}/_check_in", json=body).json()["items"]
            return [
                clients[member].put(f"{JOBS}/{job}/_check_in").status_code for job in jobs[IN_EACH // 2 :]
            ]

        [[*rescued, many, single]] = rush(5, [jobs], act)
        ended.update(job for each in rescued for job in each)
        beats = [item.get("status_code", 200) for item in many] + single
        for job, status in zip(jobs, beats, strict=True):
            document = source(elasticsearch, job)
            assert status in (200, 409)
            assert (document["status"] == "in_progress") == (status == 200), document
            assert ended[job] == (status == 409)
            seen[status == 200] += 1
    # Otherwise they never raced.
    assert len(seen) == 2


def test_rescue_and_cancel_at_once_make_only_legal_transitions(clients, put_jobs, elasticsearch) -> None:
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    canceled: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for number in range(ROUNDS):
        jobs = put_jobs(IN_EACH, "in_progress", f"c{number}", last_seen=old)

        def act(member: int, jobs: list[str], connector: str = f"c{number}") -> Any:
            name, body = (
                ("_rescue", {}),
                ("_cancel", {"connector_id": connector}),
                ("_cancel", {"statuses": ["in_progress"]}),
            )[member]
            response = clients[member].post(f"{JOBS}/{name}", json=body)
            assert response.status_code == 200, response.text
            return response.json()

        [[rescued, *cancels]] = rush(3, [jobs], act)
        # What was canceled but not rescued yet is rescued now, with what the other requests were too early for.
        ids = {job["id"]: job["status"] for job in rescued["rescued"]}
        later = clients[0].post(f"{JOBS}/_rescue", json={}).json()["rescued"]
        ids |= {job["id"]: job["status"] for job in later}
        canceled += Counter({key: sum(each[key] for each in cancels) for key in ("canceled", "canceling")})
        for job in jobs:
            document = source(elasticsearch, job)
            assert document["status"] == ("error" if ids[job] == "in_progress" else "canceled")
            assert ("cancelation_requested_at" in document) == (document["status"] == "canceled")
            found[document["status"]] += 1
    assert canceled["canceled"] == 0
    assert canceled["canceling"] == found["canceled"]


def test_prunes_at_once_delete_each_job_once_and_keep_the_newest(clients, put_jobs, elasticsearch) -> None:
    for number in range(4):
        old = {"completed_at": "2024-01-01T00:00:00Z", "job_type": "full"}
        put_jobs(200, "completed", f"c{number}", **old)

        def act(member: int, _round: int) -> int:
            response = clients[member].post(f"{JOBS}/_prune", json={"dry_run": False, "keep_last": 3})
            assert response.status_code == 200, response.text
            return int(response.json()["deleted"])

        [counts] = rush(6, [number], act)
        assert sum(counts) == 197
        elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
        left = elasticsearch.count(index=SYNC_JOBS.alias, query={"term": {"connector.id": f"c{number}"}})
        assert left["count"] == 3
