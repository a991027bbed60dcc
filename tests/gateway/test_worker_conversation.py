"""All requests of the public connector service, replayed in their order through the gateway.

Some of its writes go to the service, others directly to the same documents in Elasticsearch. After each of them, the whole
document has the result of both kinds of writes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.secrets.encryption import new_key
from scripts.gateway import Gateway
from tests.environment import has_processors
from tests.gateway.worker import CONNECTORS, JOBS, RECENT, Conflict, Document, Worker, now
from tests.races.crowd import rush
from tests.service import Http, Service, free_port

C = "c-1"
INDEX = "search-e2e"
OFF = {"enabled": False, "interval": "0 0 0 * * ?"}
FEATURES = {
    "document_level_security": {"enabled": False},
    "incremental_sync": {"enabled": True},
    "sync_rules": {"advanced": {"enabled": True}, "basic": {"enabled": True}},
}
PATH = {"label": "Path", "order": 1, "type": "str", "value": "/data"}
STORED_PATH = {"default_value": None, "required": False, "sensitive": False, **PATH}
DEFAULT_RULE = {
    "created_at": RECENT,
    "field": "_",
    "id": "DEFAULT",
    "order": 0,
    "policy": "include",
    "rule": "regex",
    "updated_at": RECENT,
    "value": ".*",
}
UNRESTRICTED = {
    "advanced_snippet": {"created_at": RECENT, "updated_at": RECENT, "value": {}},
    "rules": [DEFAULT_RULE],
    "validation": {"errors": [], "state": "valid"},
}


@pytest.fixture
def workers(gateway_url: str, gateway_http: Http) -> Iterator[list[Worker]]:
    """Two workers with different host names."""
    both = [Worker(gateway_url, f"worker-{number}") for number in (1, 2)]
    yield both
    for each in both:
        each.close()


@pytest.fixture
def worker(workers: list[Worker]) -> Worker:
    return workers[0]


@pytest.fixture
def connector(worker: Worker) -> Document:
    """Create a connector as the worker's setup does; returns its document, which tests update with later changes."""
    made = {"index_name": INDEX, "is_native": False, "name": "Mine", "service_type": "dir"}
    assert worker.call("PUT", f"/_connector/{C}", made, status=201) == {"id": C, "result": "created"}
    every_minute = {"full": {"enabled": True, "interval": "1 * * * * ?"}}
    scheduled = worker.call("PUT", f"/_connector/{C}/_scheduling", {"scheduling": every_minute})
    assert scheduled == {"result": "updated"}
    configured = worker.call("PUT", f"/_connector/{C}/_configuration", {"configuration": {"path": PATH}})
    assert configured == {"result": "updated"}
    document = {
        **made,
        "configuration": {"path": STORED_PATH},
        "custom_scheduling": {},
        "deleted": False,
        "filtering": [{"active": UNRESTRICTED, "domain": "DEFAULT", "draft": UNRESTRICTED}],
        "scheduling": {"access_control": OFF, "full": every_minute["full"], "incremental": OFF},
        "status": "configured",
        "sync_now": False,
    }
    assert worker.read(CONNECTORS, C).source == document
    return document


def new_job(
    worker: Worker, job_type: str = "full", trigger_method: str = "scheduled"
) -> tuple[str, Document]:
    """Create a job as the scheduler does; returns its id and document."""
    request = {"id": C, "job_type": job_type, "trigger_method": trigger_method}
    response = worker.call("POST", "/_connector/_sync_job", request, status=201)
    assert response.keys() == {"id"}
    document = {
        "connector": {
            "id": C,
            "configuration": {"path": STORED_PATH},
            "filtering": UNRESTRICTED,
            "index_name": INDEX,
            "service_type": "dir",
        },
        "created_at": RECENT,
        "deleted_document_count": 0,
        "indexed_document_count": 0,
        "indexed_document_volume": 0,
        "job_type": job_type,
        "last_seen": RECENT,
        "metadata": {},
        "status": "pending",
        "total_document_count": 0,
        "trigger_method": trigger_method,
    }
    assert worker.read(JOBS, response["id"]).source == document
    return response["id"], document


def started(worker: Worker, job: Document) -> Document:
    """The document of a job after the worker has claimed it."""
    return job | {
        "claimed_at": RECENT,
        "last_seen": RECENT,
        "started_at": RECENT,
        "status": "in_progress",
        "worker_hostname": worker.hostname,
    }


def new_running_job(worker: Worker, **options: str) -> tuple[str, Document]:
    """Create a job that the worker has locked and claimed; returns its id and document."""
    job_id, job = new_job(worker, **options)
    assert worker.lock(C)
    worker.claim(job_id)
    job = started(worker, job)
    assert worker.read(JOBS, job_id).source == job
    return job_id, job


def shown(worker: Worker, job_id: str) -> Document:
    """The job as the API returns it, without its id."""
    response = worker.call("GET", f"/_connector/_sync_job/{job_id}")
    assert response.pop("id") == job_id
    return response


def listed(worker: Worker, query: str) -> list[str]:
    response = worker.call("GET", f"/_connector/_sync_job?{query}")
    assert response["count"] == len(response["results"])
    return [job["id"] for job in response["results"]]


@pytest.fixture
def pipeline(worker: Worker, elasticsearch: Elasticsearch) -> Iterator[str]:
    """The ingest pipeline of the worker, without processors that some clusters lack."""
    name = "search-default-ingestion"
    remove = {"remove": {"field": "_reduce_whitespace", "ignore_missing": True}}
    processors = [remove] if has_processors(elasticsearch) else []
    path = f"/_ingest/pipeline/{name}"
    assert worker.call("PUT", path, {"processors": processors}) == {"acknowledged": True}
    assert worker.call("GET", path)[name]["processors"] == processors
    yield name
    worker.call("DELETE", path)


@pytest.fixture
def content(worker: Worker) -> Iterator[str]:
    """The index that a sync fills; it does not exist yet."""
    worker.call("DELETE", f"/{INDEX}?ignore_unavailable=true")
    yield INDEX
    worker.call("DELETE", f"/{INDEX}?ignore_unavailable=true")


def test_full_sync(worker, connector, pipeline, content, elasticsearch) -> None:
    # 1, 2: the version and the indices
    info = worker.call("GET", "/")
    assert info["version"]["number"].count(".") == 2
    assert info["version"]["build_flavor"] == "default"
    for alias in (CONNECTORS, JOBS):
        worker.call("HEAD", f"/{alias}-v1")

    # 3, 4: connectors and jobs to work on
    (found,) = worker.supported_connectors(C)
    assert (found.id, found.source) == (C, connector)
    assert worker.waiting_jobs(C) == worker.idle_jobs(C) == worker.orphaned_jobs(C) == []

    # 5: prepare
    worker.update(CONNECTORS, C, {"features": FEATURES}, worker.read(CONNECTORS, C).condition)
    connector["features"] = FEATURES
    assert worker.read(CONNECTORS, C).source == connector

    # 6, 7: heartbeat, connected
    assert worker.call("PUT", f"/_connector/{C}/_check_in") == {"result": "updated"}
    connector["last_seen"] = RECENT
    assert worker.read(CONNECTORS, C).source == connector
    worker.update(CONNECTORS, C, {"status": "connected", "error": None})
    connector |= {"status": "connected", "error": None}
    assert worker.read(CONNECTORS, C).source == connector

    # The schedule is due: the condition keeps two schedulers from creating two jobs
    due = {"last_sync_scheduled_at": now()}
    before = worker.read(CONNECTORS, C)
    worker.update(CONNECTORS, C, due, before.condition)
    connector |= due
    with pytest.raises(Conflict):
        worker.update(CONNECTORS, C, {"last_sync_scheduled_at": now()}, before.condition)
    job_id, job = new_job(worker)
    assert worker.read(CONNECTORS, C).source == connector
    (waiting,) = worker.waiting_jobs(C)
    assert (waiting.id, waiting.source) == (job_id, job)

    # 8, 9: the lock, the claim
    assert worker.lock(C)
    connector |= {"last_sync_status": "in_progress", "last_sync_error": None}
    locked = worker.read(CONNECTORS, C)
    assert locked.source == connector
    worker.claim(job_id)
    job = started(worker, job)
    assert worker.read(JOBS, job_id).source == job
    assert worker.read(CONNECTORS, C).seq_no == locked.seq_no  # a claim leaves the connector alone
    assert worker.waiting_jobs(C) == []

    # 10, 11: the index and its documents
    assert worker.call("GET", f"/{content}?ignore_unavailable=true") == {}
    made = {"acknowledged": True, "shards_acknowledged": True, "index": content}
    assert worker.call("PUT", f"/{content}", {"settings": {"number_of_replicas": 0}}) == made
    worker.call("HEAD", f"/{content}")
    request = {"size": 1000, "sort": "_doc", "_source": ["id", "_timestamp"]}
    page = worker.call("POST", f"/{content}/_search?scroll=5m", request)
    assert page["hits"]["hits"] == []
    scroll = worker.call("POST", "/_search/scroll", {"scroll_id": page["_scroll_id"], "scroll": "5m"})
    assert scroll["hits"]["hits"] == []
    closed = worker.call("DELETE", "/_search/scroll", {"scroll_id": [scroll["_scroll_id"]]})
    assert closed == {"succeeded": True, "num_freed": 1}

    # 12: the documents, a few megabytes of them
    for chunk in range(2):
        lines = b"".join(
            json.dumps(line).encode() + b"\n"
            for number in range(300)
            for line in (
                {"index": {"_index": content, "_id": f"{chunk}/{number} %"}},
                {"id": f"{chunk}/{number} %", "body": "x" * 10_000, "_reduce_whitespace": True},
            )
        )
        bulk = worker.call("PUT", f"/_bulk?pipeline={pipeline}", lines=lines)
        assert (bulk["errors"], len(bulk["items"])) == (False, 300)

    # 13: both documents are read each second, a report is sent every ten seconds
    assert worker.read(CONNECTORS, C).source == connector
    assert worker.read(JOBS, job_id).source == job
    job |= worker.report(job_id)  # only last_seen changes
    assert worker.read(JOBS, job_id).source == job
    job |= worker.report(job_id, indexed=4, volume=9)
    assert worker.read(JOBS, job_id).source == job
    assert worker.read(CONNECTORS, C).seq_no == locked.seq_no

    # 14: both documents are read again, and the documents are counted
    assert worker.read(JOBS, job_id).source == job
    assert worker.read(CONNECTORS, C).source == connector
    refreshed = worker.call("POST", f"/{content}/_refresh?ignore_unavailable=true")
    assert refreshed == {"_shards": {"total": 1, "successful": 1, "failed": 0}}
    assert worker.call("POST", f"/{content}/_count?ignore_unavailable=true")["count"] == 600
    one = worker.call("GET", f"/{content}/_doc/1%2F299%20%25")
    assert one["_source"].pop("_reduce_whitespace", None) == (None if has_processors(elasticsearch) else True)
    assert one["_source"] == {"id": "1/299 %", "body": "x" * 10_000}

    # 15, 16: both ends are written directly into Elasticsearch
    job |= worker.end(job_id, "completed", total_document_count=4)
    assert worker.read(JOBS, job_id).source == job
    assert worker.read(CONNECTORS, C).source == connector
    connector |= worker.unlock(C, "completed")
    assert worker.read(CONNECTORS, C).source == connector

    # The API returns the result
    assert shown(worker, job_id) == job
    assert listed(worker, "status=completed") == [job_id]
    assert worker.call("GET", f"/_connector/{C}") == {"id": C, **connector}
    late = worker.call("PUT", f"/_connector/_sync_job/{job_id}/_check_in", status=409)
    assert late["error"]["type"] == "status_exception"
    assert worker.read(JOBS, job_id).source == job


def test_edited_draft_is_validated_activated_and_part_of_the_next_job(worker, connector) -> None:
    rule = {
        "field": "name",
        "id": "r-1",
        "order": 0,
        "policy": "exclude",
        "rule": "equals",
        "value": "secret",
    }
    snippet = {"value": {"find": {}}}
    edited = worker.call(
        "PUT",
        f"/_connector/{C}/_filtering",
        {"advanced_snippet": snippet, "rules": [rule, DEFAULT_RULE_SENT]},
    )
    assert edited == {"result": "updated"}
    draft = {
        "advanced_snippet": {"created_at": RECENT, "updated_at": RECENT, **snippet},
        "rules": [{"created_at": RECENT, "updated_at": RECENT, **rule}, DEFAULT_RULE | {"order": 1}],
        "validation": {"errors": [], "state": "edited"},
    }
    connector["filtering"] = [{"active": UNRESTRICTED, "domain": "DEFAULT", "draft": draft}]
    (found,) = worker.supported_connectors(C)
    assert found.source == connector

    # An invalid draft cannot be activated
    problems = {"errors": [{"ids": ["r-1"], "messages": ["no such field"]}], "state": "invalid"}
    path = f"/_connector/{C}/_filtering"
    assert worker.call("PUT", f"{path}/_validation", {"validation": problems}) == {"result": "updated"}
    draft["validation"] = problems
    assert worker.read(CONNECTORS, C).source == connector
    assert worker.call("PUT", f"{path}/_activate", status=400)["error"]["type"] == "status_exception"
    assert worker.read(CONNECTORS, C).source == connector

    valid = {"errors": [], "state": "valid"}
    assert worker.call("PUT", f"{path}/_validation", {"validation": valid}) == {"result": "updated"}
    assert worker.call("PUT", f"{path}/_activate") == {"result": "updated"}
    draft["validation"] = valid
    connector["filtering"] = [{"active": draft, "domain": "DEFAULT", "draft": draft}]
    assert worker.read(CONNECTORS, C).source == connector

    request = {"id": C, "job_type": "full", "trigger_method": "scheduled"}
    job_id = worker.call("POST", "/_connector/_sync_job", request, status=201)["id"]
    assert worker.read(JOBS, job_id).source["connector"]["filtering"] == draft


DEFAULT_RULE_SENT = {key: value for key, value in DEFAULT_RULE.items() if not key.endswith("_at")}


def test_running_job_is_canceled_through_the_api(worker, connector) -> None:
    job_id, job = new_running_job(worker)
    connector = worker.read(CONNECTORS, C).source
    path = f"/_connector/_sync_job/{job_id}"
    assert worker.call("PUT", f"{path}/_cancel") == {"result": "updated"}
    job |= {"status": "canceling", "cancelation_requested_at": RECENT}
    assert worker.read(JOBS, job_id).source == job  # the worker reads it next

    job |= worker.report(job_id, indexed=2)  # a report that was already on its way
    assert worker.read(JOBS, job_id).source == job
    job |= worker.end(job_id, "canceled")
    assert worker.read(JOBS, job_id).source == job
    connector |= worker.unlock(C, "canceled")
    assert worker.read(CONNECTORS, C).source == connector

    assert shown(worker, job_id) == job
    again = worker.call("PUT", f"{path}/_cancel", status=400)
    assert again["error"]["reason"].startswith("Invalid transition attempt from [canceled] to [canceling]")
    assert worker.read(JOBS, job_id).source == job


def test_running_job_is_canceled_by_a_direct_write(worker, connector) -> None:
    """As the command line tool of the worker does."""
    job_id, job = new_running_job(worker)
    change = {"last_seen": now(), "status": "canceling", "error": None}
    worker.update(JOBS, job_id, change)
    job |= change
    assert shown(worker, job_id) == job
    assert listed(worker, "status=canceling") == [job_id]
    worker.call("PUT", f"/_connector/_sync_job/{job_id}/_cancel", status=400)
    assert worker.read(JOBS, job_id).source == job
    job |= worker.report(job_id) | {"last_seen": RECENT}
    assert worker.read(JOBS, job_id).source == job
    job |= worker.end(job_id, "canceled")
    assert worker.read(JOBS, job_id).source == job


def test_waiting_job_is_canceled_at_once(worker, connector) -> None:
    """Workers would never pick up a waiting job with the status `canceling`."""
    job_id, job = new_job(worker)
    assert worker.call("PUT", f"/_connector/_sync_job/{job_id}/_cancel") == {"result": "updated"}
    ended = dict.fromkeys(("cancelation_requested_at", "canceled_at", "completed_at"), RECENT)
    assert worker.read(JOBS, job_id).source == job | ended | {"status": "canceled"}
    assert worker.waiting_jobs(C) == []
    refused = worker.call(
        "PUT", f"/_connector/_sync_job/{job_id}/_claim", {"worker_hostname": "worker-1"}, status=409
    )
    assert "from [canceled] to [in_progress]" in refused["error"]["reason"]


def test_job_is_suspended_and_resumed_by_another_worker(workers, connector) -> None:
    first, second = workers
    job_id, job = new_running_job(first, job_type="incremental")
    job |= first.report(job_id, indexed=3)
    connector = first.read(CONNECTORS, C).source

    # The first worker gets SIGTERM
    job |= first.end(job_id, "suspended")
    assert first.read(JOBS, job_id).source == job
    cursor = {"drive": {"page": 7}, "at": "2024-01-01T00:00:00+00:00"}
    connector |= first.unlock(C, "suspended", sync_cursor=cursor)
    assert first.read(CONNECTORS, C).source == connector
    assert listed(first, "status=suspended,pending") == [job_id]

    # The second worker starts
    (waiting,) = second.waiting_jobs(C)
    assert (waiting.id, waiting.source) == (job_id, job)
    assert second.lock(C)
    connector |= {"last_sync_status": "in_progress", "last_sync_error": None}
    second.claim(job_id, sync_cursor=cursor)
    job = started(second, job)
    job["connector"] = job["connector"] | {"sync_cursor": cursor}
    assert second.read(JOBS, job_id).source == job
    assert second.read(CONNECTORS, C).source == connector

    job |= second.end(job_id, "completed", total_document_count=4)
    connector |= second.unlock(C, "completed", sync_cursor={**cursor, "drive": {"page": 9}})
    assert shown(second, job_id) == job
    assert second.read(CONNECTORS, C).source == connector


def test_claim_sent_again_after_a_lost_response_is_a_noop(worker, connector) -> None:
    job_id, job = new_running_job(worker)
    worker.claim(job_id, result="noop")
    assert worker.read(JOBS, job_id).source == job


def test_idle_job_is_set_to_error(worker, connector) -> None:
    job_id, job = new_running_job(worker)
    assert worker.idle_jobs(C) == []  # a claim sets last_seen
    idle = {"last_seen": now(seconds=400)}
    worker.update(JOBS, job_id, idle)
    (found,) = worker.idle_jobs(C)
    assert (found.id, found.source) == (job_id, job | idle)

    # After a report it is no longer idle
    job |= worker.report(job_id)
    assert worker.read(JOBS, job_id).source == job
    assert worker.idle_jobs(C) == []

    worker.update(JOBS, job_id, {"last_seen": now(seconds=400), "status": "canceling"})
    assert [each.id for each in worker.idle_jobs(C)] == [job_id]
    error_text = "The job has not seen any update for some time."
    job |= worker.end(job_id, "error", error_text)
    assert worker.read(JOBS, job_id).source == job
    connector = worker.read(CONNECTORS, C).source
    connector |= worker.unlock(C, "error", error_text)
    assert worker.read(CONNECTORS, C).source == connector
    assert shown(worker, job_id) == job

    # Its worker was only slow and sends another report
    refused = worker.send(
        "PUT",
        f"/_connector/_sync_job/{job_id}/_stats",
        {"indexed_document_count": 9, "indexed_document_volume": 9, "deleted_document_count": 9},
    )
    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "status_exception")
    assert worker.read(JOBS, job_id).source == job


def test_job_of_a_dead_worker_that_an_operator_fails_frees_its_connector(workers, connector) -> None:
    """Until then, the next worker skips the connector."""
    first, second = workers
    job_id, job = new_running_job(first)
    connector = first.read(CONNECTORS, C).source
    assert not second.lock(C)

    error_text = "worker-1 is dead"
    failed = second.call("PUT", f"/_connector/_sync_job/{job_id}/_error", {"error": error_text})
    assert failed == {"result": "updated"}
    job |= {"status": "error", "error": error_text, "completed_at": RECENT, "last_seen": RECENT}
    assert second.read(JOBS, job_id).source == job
    connector |= {
        "last_synced": RECENT,
        "status": "error",
        "error": error_text,
        "last_sync_status": "error",
        "last_sync_error": error_text,
        "last_indexed_document_count": 0,
        "last_deleted_document_count": 0,
    }
    assert second.read(CONNECTORS, C).source == connector

    assert second.lock(C)
    connector |= {"status": "connected", "error": None, "last_sync_status": "in_progress"}
    connector["last_sync_error"] = None
    assert second.read(CONNECTORS, C).source == connector


def test_job_that_ends_through_the_api_leaves_what_the_worker_would_write(worker, connector) -> None:
    """Both ends, with the same values: the same documents but for what only the claim's way or the worker writes."""
    results = []
    for through_the_api in (False, True):
        job_id, job = new_running_job(worker, job_type="incremental")
        cursor = {"page": through_the_api}
        if through_the_api:
            body = {
                "indexed_document_count": 4,
                "indexed_document_volume": 0,
                "deleted_document_count": 0,
                "total_document_count": 4,
                "sync_cursor": cursor,
            }
            path = f"/_connector/_sync_job/{job_id}/_complete?worker_hostname={worker.hostname}"
            assert worker.call("PUT", path, body) == {"result": "updated"}
        else:
            worker.end(job_id, "completed", total_document_count=4)
            worker.unlock(C, "completed", sync_cursor=cursor)
        job, stored = worker.read(JOBS, job_id).source, worker.read(CONNECTORS, C).source
        assert stored.pop("sync_cursor") == cursor
        results.append((job, stored))
    (by_the_worker, unlocked), (by_the_api, freed) = results
    times = {"created_at", "claimed_at", "started_at", "last_seen", "completed_at"}
    assert by_the_worker.pop("error") is None  # `_complete` removes it
    assert by_the_api["connector"].pop("sync_cursor") == {"page": True}
    assert by_the_worker.keys() == by_the_api.keys() >= times
    assert {k: v for k, v in by_the_worker.items() if k not in times} == {
        k: v for k, v in by_the_api.items() if k not in times
    }
    assert unlocked.pop("last_synced") < freed.pop("last_synced")
    assert unlocked == freed


def test_job_whose_connector_is_deleted_is_an_orphan(worker, connector) -> None:
    job_id, job = new_running_job(worker)
    assert worker.call("GET", f"/_connector/{C}?include_deleted=true")["id"] == C
    gone = worker.call("DELETE", f"/_connector/{C}")
    assert gone == {"acknowledged": True}
    assert worker.supported_connectors(C) == []
    assert worker.call("GET", f"/_connector/{C}?include_deleted=true")["deleted"] is True
    worker.call("GET", f"/_connector/{C}", status=404)
    worker.call("PUT", f"/_connector/{C}/_check_in", status=404)

    assert worker.call("DELETE", f"/_connector/{C}?hard=true") == {"acknowledged": True}
    assert worker.is_gone(CONNECTORS, C)
    worker.call("GET", f"/_connector/{C}?include_deleted=true", status=404)
    (orphan,) = worker.orphaned_jobs("another")
    assert (orphan.id, orphan.source) == (job_id, job)
    job |= worker.end(job_id, "error", "The job has not seen any update for some time.")
    assert shown(worker, job_id) == job
    assert worker.orphaned_jobs("another") == []


def test_deleted_job_is_not_found_by_its_worker(worker, connector) -> None:
    job_id, _ = new_running_job(worker)
    assert worker.call("DELETE", f"/_connector/_sync_job/{job_id}") == {"acknowledged": True}
    assert worker.is_gone(JOBS, job_id)
    worker.call("PUT", f"/_connector/_sync_job/{job_id}/_claim", {"worker_hostname": "w"}, status=404)
    lost = worker.send("POST", f"/{JOBS}/_update/{job_id}", {"doc": {"status": "error"}})
    assert (lost.status_code, lost.json()["error"]["type"]) == (404, "document_missing_exception")


def test_access_control_job_has_its_own_index(worker, connector) -> None:
    request = {"id": C, "job_type": "access_control", "trigger_method": "on_demand"}
    job_id = worker.call("POST", "/_connector/_sync_job", request, status=201)["id"]
    assert worker.waiting_jobs(C) == []
    (waiting,) = worker.waiting_jobs(C, access_control=True)
    assert waiting.id == job_id
    assert waiting.source["connector"]["index_name"] == f".search-acl-filter-{INDEX}"


def test_job_created_by_a_direct_write_can_be_claimed(worker, connector) -> None:
    """The worker does so on clusters without the API."""
    snapshot = {"id": C, "index_name": INDEX, "service_type": "dir", "configuration": {}, "filtering": {}}
    job = {
        "connector": snapshot,
        "created_at": now(),
        "job_type": "full",
        "last_seen": now(),
        "status": "pending",
        "trigger_method": "scheduled",
    }
    made = worker.call("POST", f"/{JOBS}/_doc", job, status=201)
    assert made["result"] == "created"
    job_id = made["_id"]
    assert shown(worker, job_id) == job
    assert listed(worker, f"connector_id={C}") == [job_id]
    worker.claim(job_id)
    assert worker.read(JOBS, job_id).source == started(worker, job)


def test_conditional_update_is_repeated_after_a_change_through_the_api(worker, connector) -> None:
    """A write through the API between a read and its conditional update causes a 409, and no change is lost."""
    stale = worker.read(CONNECTORS, C)
    assert worker.call("PUT", f"/_connector/{C}/_check_in") == {"result": "updated"}
    with pytest.raises(Conflict):
        worker.update(CONNECTORS, C, {"features": FEATURES}, stale.condition)
    connector["last_seen"] = RECENT
    fresh = worker.read(CONNECTORS, C)
    assert fresh.source == connector
    worker.update(CONNECTORS, C, {"features": FEATURES}, fresh.condition)
    connector["features"] = FEATURES
    assert worker.read(CONNECTORS, C).source == connector

    # The other way round, direct writes never cause a conflict for the API
    worker.update(CONNECTORS, C, {"status": "connected", "error": None}, worker.read(CONNECTORS, C).condition)
    assert worker.call("PUT", f"/_connector/{C}/_name", {"name": "Other"}) == {"result": "updated"}
    connector |= {"status": "connected", "error": None, "name": "Other"}
    assert worker.read(CONNECTORS, C).source == connector


def test_lock_is_retried_after_a_change_through_the_api(worker, connector) -> None:
    """The worker tries three times and then waits for its next round; no change is lost."""
    names = iter(["One", "Two"])

    def renamed_twice() -> None:
        if name := next(names, None):
            assert worker.call("PUT", f"/_connector/{C}/_name", {"name": name}) == {"result": "updated"}

    assert worker.lock(C, renamed_twice)
    locked = {
        "status": "connected",
        "error": None,
        "last_sync_status": "in_progress",
        "last_sync_error": None,
    }
    connector |= {"name": "Two", **locked}
    assert worker.read(CONNECTORS, C).source == connector
    assert not worker.lock(C)

    connector |= worker.unlock(C, "completed")
    with pytest.raises(Conflict):
        worker.lock(C, lambda: worker.call("PUT", f"/_connector/{C}/_check_in"))
    connector["last_seen"] = RECENT
    assert worker.read(CONNECTORS, C).source == connector


def test_worker_writes_configuration_fields_and_the_api_their_values(worker, connector) -> None:
    """As for a new connector: only the worker knows the fields of its service type."""
    made = {"index_name": "search-new", "is_native": False, "name": "New", "service_type": "dir"}
    assert worker.call("PUT", "/_connector/new", made, status=201) == {"id": "new", "result": "created"}
    found = worker.read(CONNECTORS, "new")
    assert (found.source["configuration"], found.source["status"]) == ({}, "created")
    fields = {
        "path": {**STORED_PATH, "value": None},
        "pattern": {**STORED_PATH, "label": "Pattern", "order": 2, "value": "**/*"},
    }
    prepared = {"configuration": fields, "status": "needs_configuration"}
    worker.update(CONNECTORS, "new", prepared, found.condition)
    document = found.source | prepared
    assert worker.read(CONNECTORS, "new").source == document
    with pytest.raises(Conflict):
        worker.update(CONNECTORS, "new", prepared, found.condition)

    values = {"values": {"path": "/data"}}
    assert worker.call("PUT", "/_connector/new/_configuration", values) == {"result": "updated"}
    fields["path"] = fields["path"] | {"value": "/data"}
    assert worker.read(CONNECTORS, "new").source == document | {"status": "configured"}


def count_with_conditions(worker: Worker, alias: str, document_id: str) -> int:
    """Increment a counter with conditional updates until there were writes and conflicts; returns the count."""
    count = conflicts = 0
    until = time.monotonic() + 3
    while time.monotonic() < until or not (count and conflicts):
        found = worker.read(alias, document_id)
        assert found.source.get("counted", 0) == count
        try:
            worker.update(alias, document_id, {"counted": count + 1}, found.condition)
            count += 1
        except Conflict:
            conflicts += 1
    return count


def test_concurrent_direct_writes_and_requests_lose_nothing(gateway_url, worker, connector) -> None:
    """One worker makes conditional updates of both documents while the API writes the same documents."""
    job_id, job = new_running_job(worker)
    connector = worker.read(CONNECTORS, C).source
    done = Event()
    problems: list[BaseException] = []

    def through_the_api(path: str, bodies: Any) -> None:
        other = Worker(gateway_url)
        try:
            while not done.wait(0.02):
                for body in bodies:
                    assert other.call("PUT", path, body)["result"] in ("updated", "noop")
        except BaseException as problem:
            problems.append(problem)
        finally:
            other.close()

    counters = {"indexed_document_count": 5, "indexed_document_volume": 6, "deleted_document_count": 7}
    threads = [
        Thread(target=through_the_api, args=(f"/_connector/{C}/_check_in", [None])),
        Thread(target=through_the_api, args=(f"/_connector/{C}/_name", [{"name": "a"}, {"name": "b"}])),
        Thread(
            target=through_the_api,
            args=(f"/_connector/_sync_job/{job_id}/_stats", [{**counters, "metadata": {}}]),
        ),
    ]
    for thread in threads:
        thread.start()
    try:
        counted = {
            alias: count_with_conditions(worker, alias, id_)
            for alias, id_ in ((CONNECTORS, C), (JOBS, job_id))
        }
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not problems
    connector |= {"counted": counted[CONNECTORS], "last_seen": RECENT, "name": "b"}
    assert worker.read(CONNECTORS, C).source == connector
    assert worker.read(JOBS, job_id).source == job | counters | {"counted": counted[JOBS]}


def test_one_of_two_workers_gets_the_lock_and_runs_the_job(workers, connector) -> None:
    """The connector is their lock: one worker gets it, claims and runs the job; the other one does not get it."""
    first = workers[0]
    for _ in range(5):
        job_id, job = new_job(first)
        (locks,) = rush(2, [job_id], lambda member, _: workers[member].lock(C))
        assert sorted(locks) == [False, True]
        winner = workers[locks.index(True)]
        winner.claim(job_id)
        job = started(winner, job)
        assert first.read(JOBS, job_id).source == job
        assert workers[locks.index(False)].waiting_jobs(C) == []
        job |= winner.end(job_id, "completed", total_document_count=4)
        winner.unlock(C, "completed")
        assert first.read(JOBS, job_id).source == job


def test_claim_of_a_job_that_another_worker_finished_is_refused(workers, connector) -> None:
    """The lock is free again and the worker does not read the job again: only the claim can refuse."""
    first, second = workers
    job_id, job = new_job(first)
    (seen,) = second.waiting_jobs(C)
    assert first.lock(C)
    first.claim(job_id)
    job = started(first, job) | first.end(job_id, "completed", total_document_count=4)
    first.unlock(C, "completed")

    assert second.lock(C)
    path = f"/_connector/_sync_job/{seen.id}/_claim"
    refused = second.call("PUT", path, {"worker_hostname": second.hostname}, status=409)
    assert "from [completed] to [in_progress]" in refused["error"]["reason"]
    assert first.read(JOBS, job_id).source == job


def test_one_of_two_concurrent_claims_wins(workers, connector) -> None:
    """Without a lock, the claim decides. The losing worker then fails the job, as it does on any 4xx of a claim."""
    job_id, job = new_job(workers[0])

    def claim(member: int, job_id: str) -> tuple[int, Any]:
        worker = workers[member]
        response = worker.send(
            "PUT", f"/_connector/_sync_job/{job_id}/_claim", {"worker_hostname": worker.hostname}
        )
        return response.status_code, response.json()

    (responses,) = rush(2, [job_id], claim)
    assert sorted(status for status, _ in responses) == [200, 409]
    winner, loser = sorted(range(2), key=lambda member: responses[member][0])
    job = started(workers[winner], job)
    assert workers[0].read(JOBS, job_id).source == job
    error = responses[loser][1]["error"]
    assert error["type"] == "status_exception"
    assert f"was claimed by [{workers[winner].hostname}] at [" in error["reason"]

    error_text = f"ProtocolError: Failed to claim job {job_id} status 409. Reason: {error['reason']}"
    job |= workers[loser].end(job_id, "error", error_text)
    assert workers[winner].read(JOBS, job_id).source == job
    late = {"indexed_document_count": 1, "indexed_document_volume": 1, "deleted_document_count": 1}
    workers[winner].call("PUT", f"/_connector/_sync_job/{job_id}/_stats", late, status=409)


def test_indices_that_the_worker_creates_can_be_used(worker, connector) -> None:
    """The worker creates missing indices without mapping and alias, which the templates add."""
    for alias in (CONNECTORS, JOBS):
        worker.call("DELETE", f"/{alias}-v1")
        worker.call("HEAD", f"/{alias}-v1", status=404)
        assert worker.call("PUT", f"/{alias}-v1")["index"] == f"{alias}-v1"
        worker.call("HEAD", f"/{alias}-v1")
        worker.refresh(alias)
    made = {"index_name": INDEX, "is_native": False, "name": "Mine", "service_type": "dir"}
    worker.call("PUT", "/_connector/c-with-dashes", made, status=201)
    request = {"id": "c-with-dashes", "job_type": "full", "trigger_method": "scheduled"}
    job_id = worker.call("POST", "/_connector/_sync_job", request, status=201)["id"]
    assert [found.id for found in worker.waiting_jobs("c-with-dashes")] == [job_id]


def test_error_has_the_fields_that_the_worker_reads(worker, connector) -> None:
    refused = worker.call("POST", "/_connector/_sync_job", {"id": "none", "job_type": "full"}, status=404)
    assert refused["status"] == 404
    assert refused["error"]["reason"] == "Connector with id 'none' does not exist."
    assert refused["error"]["root_cause"] == [
        {"type": refused["error"]["type"], "reason": refused["error"]["reason"]}
    ]


def test_native_connector_can_store_and_delete_secrets(nginx, node_url) -> None:
    """Secrets need a service with a key, so this test starts another service and gateway."""
    port = free_port()
    with (
        Service(node_url, SECRETS_KEYS=new_key()) as service,
        Gateway("127.0.0.1", port, service.url, node_url),
    ):
        service.wait_until_ready()
        worker = Worker(f"http://127.0.0.1:{port}")
        made = worker.call("POST", "/_connector/_secret", {"value": "s3cret"})
        assert made.keys() == {"id"}
        path = f"/_connector/_secret/{made['id']}"
        assert worker.call("GET", path)["value"] == "s3cret"
        assert worker.call("DELETE", path) == {"deleted": True}
        worker.call("GET", path, status=404)
        worker.close()
