"""A day of syncs to look at: connectors and jobs, written into an Elasticsearch that nobody needs for anything else.

`python -m scripts.demo http://127.0.0.1:9200`
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS

Document = dict[str, Any]

_HOURS = 30
_WORKERS = ("sync-worker-a", "sync-worker-b", "sync-worker-c")
_ERRORS = (
    "The source refused the credentials (401).",
    "Connection to the source timed out after 30 s.",
    "The source answered 429 too often:\n  retried 5 times\n  waited 120 s",
)
# Name, service type, full schedule, minutes that a sync takes, share of syncs that fail.
_CONNECTORS = {
    "handbook": ("Engineering handbook", "sharepoint_online", "0 0 * * * ?", 14, 0.04),
    "tickets": ("Support tickets", "jira", "0 0/30 * * * ?", 6, 0.02),
    "orders": ("Orders", "postgresql", "0 15 * * * ?", 9, 0.03),
    "wiki": ("Company wiki", "confluence", "0 0 0/2 ? * MON-FRI", 25, 0.1),
    "contracts": ("Contracts", "s3", "0 30 3 * * ?", 40, 0.5),
    "catalog": ("Product catalog", "mysql", "0 45 * * * ?", 4, 0.0),
}


def documents(now: datetime, seed: int = 7) -> tuple[dict[str, Document], dict[str, Document]]:
    """Connectors and jobs as they could be at `now`, by their ids; the same for each seed."""
    chance = random.Random(seed)
    connectors = {each: _connector(each, now) for each in _CONNECTORS}
    jobs = {job_id: job for each in _CONNECTORS for job_id, job in _jobs(each, now, chance)}
    jobs |= dict(_current(now))
    connectors["tickets"]["last_sync_status"] = connectors["handbook"]["last_sync_status"] = "in_progress"
    # Locked, and no job runs.
    connectors["catalog"]["last_sync_status"] = "in_progress"
    return connectors, jobs


def write(client: Elasticsearch, connectors: Mapping[str, Document], jobs: Mapping[str, Document]) -> None:
    """Store them."""
    for alias, found in ((CONNECTORS.alias, connectors), (SYNC_JOBS.alias, jobs)):
        actions = ({"_index": alias, "_id": each, "_source": source} for each, source in found.items())
        bulk(client, actions, refresh=True)


def _connector(connector_id: str, now: datetime) -> Document:
    name, service_type, interval, _, _ = _CONNECTORS[connector_id]
    return {
        "name": name,
        "description": f"Syncs {name.lower()} into the search index.",
        "service_type": service_type,
        "index_name": f"search-{connector_id}",
        "status": "error" if connector_id == "contracts" else "connected",
        "error": _ERRORS[0] if connector_id == "contracts" else None,
        "is_native": False,
        "language": "en",
        "configuration": {
            "host": {
                "label": "Host",
                "type": "str",
                "value": f"{connector_id}.example.org",
                "sensitive": False,
            },
            "password": {
                "label": "Password",
                "type": "str",
                "value": "not-a-real-password",
                "sensitive": True,
            },
        },
        "scheduling": {
            "full": {"enabled": True, "interval": interval},
            "incremental": {"enabled": connector_id == "tickets", "interval": "0 0/10 * * * ?"},
            "access_control": {"enabled": False, "interval": "0 0 0 * * ?"},
        },
        "last_seen": clock.iso(now - timedelta(seconds=20)),
        "last_synced": clock.iso(now - timedelta(minutes=31)),
        "last_sync_status": "error" if connector_id == "contracts" else "completed",
        "last_indexed_document_count": 1200,
        "last_deleted_document_count": 3,
        "sync_now": False,
        "deleted": False,
    }


def _jobs(connector_id: str, now: datetime, chance: random.Random) -> Iterator[tuple[str, Document]]:
    _, _, _, minutes, failing = _CONNECTORS[connector_id]
    step = timedelta(minutes=max(2 * minutes, 30))
    created = now - timedelta(hours=_HOURS)
    number = 0
    while created + timedelta(minutes=2 * minutes) < now - timedelta(minutes=20):
        number += 1
        took = timedelta(minutes=minutes * chance.uniform(0.6, 1.5))
        status = (
            "error" if chance.random() < failing else "canceled" if chance.random() < 0.02 else "completed"
        )
        job = _job(connector_id, created, status, chance.choice(_WORKERS))
        job |= {
            "started_at": clock.iso(created + timedelta(seconds=chance.uniform(1, 40))),
            "completed_at": clock.iso(created + took),
            "last_seen": clock.iso(created + took),
            "indexed_document_count": int(chance.uniform(400, 6_000)),
            "deleted_document_count": int(chance.uniform(0, 30)),
            "indexed_document_volume": int(chance.uniform(1, 90)),
        }
        if status == "error":
            job["error"] = chance.choice(_ERRORS)
        if status == "canceled":
            job["canceled_at"] = job["cancelation_requested_at"] = job["completed_at"]
        yield f"{connector_id}-{number:04}", job
        created += step * chance.uniform(0.9, 1.2)


def _current(now: datetime) -> Iterator[tuple[str, Document]]:
    """What goes on at the moment: two syncs run, one hangs, one is to stop, others wait."""

    def ago(minutes: float) -> str:
        return clock.iso(now - timedelta(minutes=minutes))

    def running(connector_id: str, worker: str, since: float, seen: float, **more: Any) -> Document:
        held = {"started_at": ago(since - 0.2), "claimed_at": ago(since - 0.2), "last_seen": ago(seen)}
        counters = {
            "indexed_document_count": 2310,
            "total_document_count": 5200,
            "indexed_document_volume": 41,
        }
        return (
            _job(connector_id, now - timedelta(minutes=since), "in_progress", worker) | held | counters | more
        )

    yield "tickets-running", running("tickets", _WORKERS[0], 4, 0.2, job_type="incremental")
    yield "handbook-running", running("handbook", _WORKERS[1], 11, 0.3)
    yield "orders-silent", running("orders", "sync-worker-lost", 95, 47)
    yield "wiki-stopping", running("wiki", _WORKERS[2], 18, 0.1) | {
        "status": "canceling", "cancelation_requested_at": ago(1)
    }  # fmt: skip
    yield "contracts-waiting", _job("contracts", now - timedelta(minutes=26), "pending", None)
    yield "orders-waiting", _job("orders", now - timedelta(minutes=1), "pending", None)


def _job(connector_id: str, created: datetime, status: str, worker: str | None) -> Document:
    connector = _connector(connector_id, created)
    snapshot = ("configuration", "index_name", "language", "service_type")
    return {
        "connector": {"id": connector_id, **{each: connector[each] for each in snapshot}},
        "created_at": clock.iso(created),
        "last_seen": clock.iso(created),
        "status": status,
        "job_type": "full",
        "trigger_method": "scheduled",
        "deleted_document_count": 0,
        "indexed_document_count": 0,
        "indexed_document_volume": 0,
        "total_document_count": 0,
        "metadata": {},
        **({"worker_hostname": worker} if worker else {}),
    }


if __name__ == "__main__":
    with Elasticsearch(sys.argv[1]) as cluster:
        write(cluster, *documents(datetime.now(UTC)))
