"""A job that ends through the API leaves its result on its connector and unlocks it, as a worker's direct write does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import STATUSES, Stored, a_connector, a_running_job, empty, only_changes
from tests.endpoints import COUNTERS, JOBS
from tests.fault_proxy import FaultProxy, Which, nth, to
from tests.responses import is_now
from tests.service import Http, Service

NOW = "now"
CONTENT, ACCESS_CONTROL = "content", "access_control"
KINDS = {"full": CONTENT, "incremental": CONTENT, "access_control": ACCESS_CONTROL}
STATUS_FIELD = {CONTENT: "last_sync_status", ACCESS_CONTROL: "last_access_control_sync_status"}
ERROR_FIELD = {CONTENT: "last_sync_error", ACCESS_CONTROL: "last_access_control_sync_error"}
CURSOR = {"page": 7}


@dataclass(frozen=True)
class End:
    """An endpoint that ends a job, a body, the status in which it takes the job and the one in which it leaves it."""

    name: str
    body: Any
    start: str
    status: str

    def send(self, http: Http, worker: str | None = None, job: str = "j1") -> dict[str, Any]:
        query = "" if worker is None else f"?worker_hostname={worker}"
        response = http.put(
            f"{JOBS}/{job}/{self.name}{query}", **({} if self.body is None else {"json": self.body})
        )
        assert response.status_code == 200, response.text
        return dict(response.json())


FAIL = End("_error", {"error": "it broke"}, "in_progress", "error")
COMPLETE = End("_complete", None, "in_progress", "completed")
SUSPEND = End("_suspend", None, "in_progress", "suspended")
CONFIRM = End("_confirm_cancel", None, "canceling", "canceled")
ENDS = [FAIL, COMPLETE, SUSPEND, CONFIRM]
EACH = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
REPEATED = pytest.mark.parametrize("end", [COMPLETE, SUSPEND, CONFIRM], ids=lambda end: end.name)
JOB_TYPES = pytest.mark.parametrize("job_type", KINDS)


SYNCED = "2024-01-01T00:00:00+00:00"


def a_locked_connector(**other: Any) -> dict[str, Any]:
    """A connector with running jobs of both kinds, with values that no end may change by accident."""
    return a_connector(
        **{
            **dict.fromkeys([*STATUS_FIELD.values()], "in_progress"),
            "last_synced": SYNCED,
            "last_indexed_document_count": 77,
            "sync_cursor": {"page": 1},
            "sync_now": False,
            "unknown_to_the_service": [1, {"a": None}],
            **other,
        }
    )


def a_lock(job_id: str, **other: Any) -> dict[str, Any]:
    """What a claim notes when it locks `a_locked_connector`."""
    return {"job": job_id, "token": "t", "at": 1706745600000, "synced": SYNCED, **other}


def changed(
    http: Http, jobs: Stored, connectors: Stored, end: End, job: dict[str, Any], **connector: Any
) -> dict[str, Any]:
    """What the end of the job changes in its connector, with `NOW` for its time."""
    jobs.put("j1", job)
    before = connectors.put("c1", a_locked_connector(**connector))
    since = datetime.now(UTC)
    assert end.send(http) == {"result": "updated"}
    assert jobs.source("j1")["status"] == end.status
    changes = only_changes(before, connectors.source("c1"))
    if "last_synced" in changes:
        assert is_now(changes["last_synced"], since)
        changes["last_synced"] = NOW
    return changes


def left_alone(http: Http, jobs: Stored, connectors: Stored, end: End, connector: dict[str, Any]) -> None:
    """The job ends, and nothing writes to its connector."""
    jobs.put("j1", a_running_job(end.start, job_type="full"))
    connectors.put("c1", connector)
    before = connectors.version("c1")
    assert end.send(http) == {"result": "updated"}
    assert jobs.source("j1")["status"] == end.status
    assert connectors.version("c1") == before


# --- What the connector gets ---


@JOB_TYPES
@EACH
def test_connector_gets_the_result_of_its_job(
    http: Http, jobs: Stored, connectors: Stored, end: End, job_type: str
) -> None:
    """The other kind's fields stay, and so does the cursor that nobody has reported."""
    kind = KINDS[job_type]
    failure = "it broke" if end is FAIL else None
    result = {
        "last_synced": NOW,
        STATUS_FIELD[kind]: end.status,
        ERROR_FIELD[kind]: failure,
        "error": failure,
    }
    if end is FAIL:
        result["status"] = "error"
    if end is not SUSPEND:
        # Those that the job had before.
        result |= {"last_indexed_document_count": 2, "last_deleted_document_count": 1}
    job = a_running_job(end.start, job_type=job_type)
    assert changed(http, jobs, connectors, end, job) == result


@pytest.mark.parametrize("end", [COMPLETE, SUSPEND, CONFIRM], ids=lambda end: end.name)
def test_connector_whose_job_went_well_is_connected(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    """Whatever stood there before."""
    old = {"status": "error", "error": "old", "last_sync_error": "old"}
    changes = changed(http, jobs, connectors, end, a_running_job(end.start, job_type="full"), **old)
    assert {name: changes[name] for name in old} == {
        "status": "connected",
        "error": None,
        "last_sync_error": None,
    }


@pytest.mark.parametrize("job_type", KINDS)
@pytest.mark.parametrize("end", [COMPLETE, CONFIRM], ids=lambda end: end.name)
def test_counts_of_the_connector_are_those_that_the_end_reports(
    http: Http, jobs: Stored, connectors: Stored, end: End, job_type: str
) -> None:
    end = End(end.name, COUNTERS, end.start, end.status)
    changes = changed(http, jobs, connectors, end, a_running_job(end.start, job_type=job_type))
    assert changes["last_indexed_document_count"] == COUNTERS["indexed_document_count"]
    assert changes["last_deleted_document_count"] == COUNTERS["deleted_document_count"]


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(COUNTERS)], ids=["absent", "null"])
@EACH
def test_counts_that_the_job_does_not_have_stay(
    http: Http, jobs: Stored, connectors: Stored, end: End, absent: dict[str, Any]
) -> None:
    job = {key: value for key, value in a_running_job(end.start).items() if key not in COUNTERS}
    changes = changed(http, jobs, connectors, end, job | absent)
    assert changes["last_synced"] == NOW
    assert not changes.keys() & {"last_indexed_document_count", "last_deleted_document_count"}


@JOB_TYPES
@pytest.mark.parametrize("end", [COMPLETE, SUSPEND], ids=lambda end: end.name)
def test_cursor_of_a_completed_content_job_replaces_that_of_the_connector(
    http: Http, jobs: Stored, connectors: Stored, end: End, job_type: str
) -> None:
    """That of a suspended job stays with the job, and access control has none."""
    for cursor in (CURSOR, {}):
        sending = End(end.name, {"sync_cursor": cursor}, end.start, end.status)
        changes = changed(http, jobs, connectors, sending, a_running_job(end.start, job_type=job_type))
        assert jobs.source("j1")["connector"]["sync_cursor"] == cursor
        replaced = end is COMPLETE and KINDS[job_type] == CONTENT
        assert changes.get("sync_cursor") == (cursor if replaced else None)


def test_cursor_with_which_the_job_was_claimed_is_no_result(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    job = a_running_job()
    job["connector"]["sync_cursor"] = CURSOR
    assert "sync_cursor" not in changed(http, jobs, connectors, COMPLETE, job)


# --- Whose lock it is ---


@pytest.mark.parametrize(
    "status",
    [*(each for each in STATUSES if each != "in_progress"), "IN_PROGRESS", None, ["in_progress"]],
    ids=str,
)
@EACH
def test_connector_that_is_not_locked_is_left_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End, status: object
) -> None:
    """Its worker has freed it already. Each write of ours could collide with one of a worker."""
    left_alone(http, jobs, connectors, end, a_locked_connector(last_sync_status=status))


@EACH
def test_connector_that_was_never_locked_is_left_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    left_alone(http, jobs, connectors, end, a_connector())


@EACH
def test_connector_that_a_claim_has_locked_for_another_job_is_left_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    locks = {"content": a_lock("j2"), "access_control": a_lock("j1")}
    left_alone(http, jobs, connectors, end, a_locked_connector(sync_locks=locks))
    locks = {kind: lock | {"synced": None} for kind, lock in locks.items()}
    never_synced = a_locked_connector(sync_locks=locks, last_synced=None)
    left_alone(http, jobs, connectors, end, never_synced)


@JOB_TYPES
@EACH
def test_connector_that_a_claim_has_locked_for_this_job_is_freed(
    http: Http, jobs: Stored, connectors: Stored, end: End, job_type: str
) -> None:
    """With the lock goes what the claim noted. The other kind's lock stays."""
    kind = KINDS[job_type]
    others = {CONTENT: a_lock("j2"), ACCESS_CONTROL: a_lock("j3")}
    del others[kind]
    job = a_running_job(end.start, job_type=job_type)
    changes = changed(http, jobs, connectors, end, job, sync_locks={**others, kind: a_lock("j1")})
    assert changes[STATUS_FIELD[kind]] == end.status
    [(other, lock)] = changes["sync_locks"].items()
    assert lock == others[other] | {"synced": connectors.source("c1")["last_synced"]}


@EACH
def test_last_lock_of_a_connector_leaves_nothing_behind(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    jobs.put("j1", a_running_job(end.start))
    connectors.put("c1", a_locked_connector(sync_locks={"content": a_lock("j1")}))
    assert end.send(http) == {"result": "updated"}
    after = connectors.source("c1")
    assert after["last_sync_status"] == end.status
    assert "sync_locks" not in after


def test_lock_that_a_worker_freed_and_took_again_is_its_own(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    """What a claim noted is older than the connector's last sync: its job has ended, by a direct write."""
    old = {"content": a_lock("j0", synced="2023-12-31T00:00:00Z")}
    jobs.put("j1", a_running_job())
    connectors.put("c1", a_locked_connector(sync_locks=old))
    assert COMPLETE.send(http) == {"result": "updated"}
    after = connectors.source("c1")
    assert after["last_sync_status"] == "completed"
    assert "sync_locks" not in after


def test_claims_heartbeats_and_cancellations_leave_the_connector_alone(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    connectors.put("c1", a_locked_connector())
    before = connectors.version("c1")
    for name, body, status in (
        ("_claim", {"worker_hostname": "w"}, "pending"),
        ("_claim", {"worker_hostname": "w"}, "suspended"),
        ("_check_in", None, "in_progress"),
        ("_stats", COUNTERS, "in_progress"),
        ("_cancel", None, "in_progress"),
        ("_cancel", None, "suspended"),
    ):
        jobs.put("j1", a_running_job(status))
        response = http.put(f"{JOBS}/j1/{name}", **({} if body is None else {"json": body}))
        assert response.json() == {"result": "updated"}
    assert connectors.version("c1") == before


@EACH
def test_refused_end_leaves_the_connector_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    connectors.put("c1", a_locked_connector())
    before = connectors.version("c1")
    for status in STATUSES:
        if status == end.start or (end is FAIL and status == "canceling"):
            continue
        jobs.put("j1", a_running_job(status))
        response = http.put(f"{JOBS}/j1/{end.name}", **({} if end.body is None else {"json": end.body}))
        assert response.status_code == 400
    assert connectors.version("c1") == before


# --- Nobody sees the locks ---


def test_locks_are_shown_nowhere(http: Http, connectors: Stored) -> None:
    connector = a_locked_connector(sync_locks={"content": a_lock("j1")}, name="n")
    connectors.put("c1", connector)
    shown = {"id": "c1"} | {key: value for key, value in connector.items() if key != "sync_locks"}
    assert http.get("/_connector/c1").json() == shown
    assert http.get("/_connector").json()["results"] == [shown]
    assert http.get("/_connector?index_name=search-x&query=n").json()["results"] == [shown]
    assert http.get("/_connector/c1?filter_path=sync_locks").json() == {}
    job = http.post(JOBS, json={"id": "c1"}).json()["id"]
    assert "sync_locks" not in http.get(f"{JOBS}/{job}").text

    assert http.delete("/_connector/c1").status_code == 200
    assert "sync_locks" not in http.get("/_connector/c1?include_deleted=true").json()
    assert "sync_locks" not in http.get("/_connector?include_deleted=true").text


def test_change_of_a_locked_connector_keeps_the_lock(http: Http, connectors: Stored) -> None:
    lock = {"content": a_lock("j1")}
    connectors.put("c1", a_locked_connector(sync_locks=lock))
    assert http.put("/_connector/c1", json={"name": "new"}).json()["result"] == "updated"
    assert http.put("/_connector/c1/_check_in").json()["result"] == "updated"
    assert connectors.source("c1")["sync_locks"] == lock


# --- Connectors that are not as expected ---


@pytest.mark.parametrize("deleted", [True, "true"])
@EACH
def test_deleted_connector_is_left_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End, deleted: object
) -> None:
    left_alone(http, jobs, connectors, end, a_locked_connector(deleted=deleted))


@pytest.mark.parametrize(
    "connector",
    [{"id": "none"}, {"id": None}, {"id": ["c1"]}, {"id": ""}, {"id": "x" * 513}, {}, None, [{"id": "c1"}]],
    ids=["missing", "null id", "list", "empty", "long", "without an id", "null", "several"],
)
@EACH
def test_job_without_a_connector_ends(
    http: Http, jobs: Stored, service: Service, writes: Callable[[], int], end: End, connector: object
) -> None:
    jobs.put("j1", a_running_job(end.start, connector=connector))
    before, logged = writes(), len(service.log())
    assert end.send(http) == {"result": "updated"}
    assert jobs.source("j1")["status"] == end.status
    assert writes() == before + 1
    assert "connector_not_freed" not in service.log()[logged:]


def test_job_ends_without_an_index_of_connectors(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    jobs.put("j1", a_running_job())
    elasticsearch.indices.delete(index=CONNECTORS.name)
    assert COMPLETE.send(http) == {"result": "updated"}
    assert not elasticsearch.indices.exists(index=[CONNECTORS.name])


@pytest.mark.parametrize(
    "odd",
    [
        {"last_synced": None},
        {"last_synced": []},
        {"last_synced": "1704067200000"},
        {"last_synced": 2**62},
        {"status": None, "error": ["x", "y"], "last_sync_error": None},
        {"status": "resting", "sync_cursor": {"a": 1}, "last_indexed_document_count": "5"},
        {"sync_locks": None},
        {"sync_locks": []},
        {"sync_locks": "j2"},
        {"sync_locks": {"content": None}},
        {"sync_locks": {"content": []}},
        {"sync_locks": {"content": "j2"}},
        {"sync_locks": {"content": {}}},
        {"sync_locks": {"content": {"job": "j2"}}},
        {"sync_locks": {"content": {"job": "j2", "at": "soon"}}},
        {"deleted": None, "configuration": None, "filtering": []},
    ],
    ids=str,
)
def test_connector_that_another_program_wrote_is_freed(
    http: Http, jobs: Stored, connectors: Stored, odd: dict[str, Any]
) -> None:
    """What cannot be read as the note of a claim is none."""
    jobs.put("j1", a_running_job())
    connectors.put("c1", a_locked_connector(**odd))
    assert COMPLETE.send(http) == {"result": "updated"}
    after = connectors.source("c1")
    assert (after["last_sync_status"], after["status"]) == ("completed", "connected")
    assert not after.get("sync_locks")


def test_connector_with_nothing_but_its_lock_is_freed(http: Http, jobs: Stored, connectors: Stored) -> None:
    jobs.put("j1", {"status": "in_progress", "connector": {"id": "c1"}})
    connectors.put("c1", {"last_sync_status": "in_progress"})
    assert FAIL.send(http) == {"result": "updated"}
    after = connectors.source("c1")
    assert after == {
        "last_synced": after["last_synced"],
        "status": "error",
        "error": "it broke",
        "last_sync_status": "error",
        "last_sync_error": "it broke",
    }


# --- Two documents: the second write may be lost ---


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    with Service(proxy.url, WORKERS="1", LOG_FORMAT="json", AUTHORIZATION_CACHE_SECONDS="600") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def lossy(proxied: Service, elasticsearch: Elasticsearch) -> Http:
    """A service behind the proxy, a job in the status that the test puts, and its locked connector."""
    proxied.wait_until_ready()
    empty(elasticsearch)
    return proxied.http


@pytest.fixture
def put_both(elasticsearch: Elasticsearch) -> Callable[..., tuple[Stored, Stored]]:
    def put(start: str, **connector: Any) -> tuple[Stored, Stored]:
        jobs, connectors = Stored(elasticsearch, SYNC_JOBS), Stored(elasticsearch, CONNECTORS)
        jobs.put("j1", a_running_job(start))
        connectors.put("c1", a_locked_connector(**connector))
        return jobs, connectors

    return put


FREEING = to(f"/{CONNECTORS.alias}/_bulk")
ENDING = to(f"/{SYNC_JOBS.alias}/_update/")


def unfreed(service: Service, logged: int) -> list[dict[str, Any]]:
    """The warnings of connectors that stay locked, of those that were logged after `logged` characters."""
    entries = [json.loads(line) for line in service.log()[logged:].splitlines()]
    return [entry for entry in entries if entry["event"] == "connector_not_freed"]


@EACH
def test_decision_50_job_ends_although_its_connector_cannot_be_freed(
    lossy: Http, proxied: Service, proxy: FaultProxy, put_both: Callable[..., Any], end: End
) -> None:
    """A worker that got an error would take its job for one that goes on. The operator gets a warning."""
    jobs, connectors = put_both(end.start)
    before, logged = connectors.version("c1"), len(proxied.log())
    with proxy.recording() as recorded, proxy.losing(FREEING):
        assert end.send(lossy) == {"result": "updated"}
    assert jobs.source("j1")["status"] == end.status
    assert connectors.version("c1") == before
    assert len([each for each in recorded if FREEING(each)]) > 1
    [warning] = unfreed(proxied, logged)
    assert (warning["level"], warning["connector_id"], warning["sync_job_id"]) == ("warning", "c1", "j1")
    assert warning["reason"]
    assert warning["request_id"]


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
@EACH
def test_connector_is_freed_once_when_a_write_is_lost(
    lossy: Http,
    proxied: Service,
    proxy: FaultProxy,
    put_both: Callable[..., Any],
    end: End,
    responses: bool,
) -> None:
    for lost in (ENDING, FREEING):
        jobs, connectors = put_both(end.start)
        before, logged = connectors.version("c1"), len(proxied.log())
        with proxy.losing(nth(1, lost), responses=responses):
            assert end.send(lossy) == {"result": "updated"}
        assert jobs.source("j1")["status"] == end.status
        assert connectors.source("c1")["last_sync_status"] == end.status
        assert connectors.source("c1")["last_indexed_document_count"] == (77 if end is SUSPEND else 2)
        assert connectors.version("c1")[1] == before[1] + 1
        assert unfreed(proxied, logged) == []


def test_decision_50_connector_that_elasticsearch_refuses_to_write_does_not_keep_the_job(
    lossy: Http, proxied: Service, put_both: Callable[..., Any], elasticsearch: Elasticsearch
) -> None:
    jobs, connectors = put_both("in_progress")
    logged = len(proxied.log())
    elasticsearch.indices.add_block(index=CONNECTORS.name, block="write")
    try:
        assert COMPLETE.send(lossy) == {"result": "updated"}
    finally:
        elasticsearch.indices.put_settings(index=CONNECTORS.name, settings={"index.blocks.write": None})
    assert jobs.source("j1")["status"] == "completed"
    assert connectors.source("c1")["last_sync_status"] == "in_progress"
    assert [each["connector_id"] for each in unfreed(proxied, logged)] == ["c1"]


@REPEATED
def test_repeated_end_frees_what_the_first_could_not(
    lossy: Http, proxy: FaultProxy, put_both: Callable[..., Any], end: End
) -> None:
    jobs, connectors = put_both(end.start)
    with proxy.losing(FREEING):
        assert end.send(lossy, "worker-1") == {"result": "updated"}
    assert connectors.source("c1")["last_sync_status"] == "in_progress"
    ended = jobs.version("j1")
    assert end.send(lossy, "worker-1") == {"result": "noop"}
    assert jobs.version("j1") == ended
    connector, freed = connectors.source("c1"), connectors.version("c1")
    assert connector["last_sync_status"] == end.status
    assert connector["last_indexed_document_count"] == (77 if end is SUSPEND else 2)
    assert end.send(lossy, "worker-1") == {"result": "noop"}
    assert connectors.version("c1") == freed


def test_repeated_completion_leaves_its_cursor_on_the_connector(
    lossy: Http, proxy: FaultProxy, put_both: Callable[..., Any]
) -> None:
    _, connectors = put_both("in_progress")
    end = End("_complete", {"sync_cursor": CURSOR}, "in_progress", "completed")
    with proxy.losing(FREEING):
        assert end.send(lossy, "worker-1") == {"result": "updated"}
    assert connectors.source("c1")["sync_cursor"] == {"page": 1}
    assert end.send(lossy, "worker-1") == {"result": "noop"}
    assert connectors.source("c1")["sync_cursor"] == CURSOR


@REPEATED
def test_repeated_end_leaves_the_lock_of_the_next_job_alone(
    http: Http, jobs: Stored, connectors: Stored, end: End
) -> None:
    """The first request has freed the connector, and a worker has locked it by a direct write since."""
    jobs.put("j1", a_running_job(end.start))
    connectors.put("c1", a_locked_connector())
    assert end.send(http, "worker-1") == {"result": "updated"}
    connectors.put("c1", connectors.source("c1") | {"last_sync_status": "in_progress"})
    before = connectors.version("c1")
    assert end.send(http, "worker-1") == {"result": "noop"}
    assert connectors.version("c1") == before


@EACH
def test_freeing_that_is_sent_again_leaves_the_lock_of_the_next_job_alone(
    lossy: Http, proxy: FaultProxy, put_both: Callable[..., Any], end: End
) -> None:
    """The response is lost, and before the service sends its request again, a worker locks the connector."""
    _, connectors = put_both(end.start)

    def lock_again(request: Any) -> bool:
        if first(request):
            connectors.put("c1", connectors.source("c1") | {"last_sync_status": "in_progress"})
            return True
        return False

    first: Which = nth(1, FREEING)
    with proxy.losing(lock_again, responses=True):
        assert end.send(lossy) == {"result": "updated"}
    connector = connectors.source("c1")
    assert connector["last_sync_status"] == "in_progress"
    assert connector["last_synced"] <= clock.now()
