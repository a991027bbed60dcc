"""`POST /_connector/_sync_job/_claim`: the next job, whatever its id, and its connector's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.protocol import SyncKind
from app.store import Store
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from app.sync_jobs import candidates, queries
from app.sync_jobs.queries import ClaimFilter
from tests.api.test_unusable_index import assert_unusable, closed
from tests.cases import named
from tests.documents import Stored, a_connector, a_job, a_running_job, only_changes
from tests.endpoints import COUNTERS, JOBS
from tests.responses import error_body, invalid, is_now, unreadable
from tests.service import Http, Service

CLAIM = f"{JOBS}/_claim"
PARSER = "claim_next_connector_sync_job"
JOB_TYPES = ("full", "incremental", "access_control")
CONTENT, ACCESS_CONTROL = "last_sync_status", "last_access_control_sync_status"
TOKEN = {"claim_token", "claimed_at", "worker_hostname", "started_at"}


def waiting(connector_id: str = "c1", minute: int = 0, **other: Any) -> dict[str, Any]:
    """A job of a connector that waits since then."""
    connector = a_job()["connector"] | {"id": connector_id, **other.pop("connector", {})}
    return a_job(**({"connector": connector, "created_at": f"2024-01-01T00:{minute:02}:00Z"} | other))


def claim(http: Http, **body: Any) -> list[dict[str, Any]]:
    response = http.post(CLAIM, json={"worker_hostname": "worker-1"} | body)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"results"}
    return list(response.json()["results"])


def claim_ids(http: Http, **body: Any) -> list[str]:
    return [job["id"] for job in claim(http, **body)]


def put_connectors(connectors: Stored, *ids: str, **fields: Any) -> None:
    connectors.put_all({each: a_connector(**fields) for each in ids})


# --- What a claim does ---


@pytest.mark.parametrize("job_type", JOB_TYPES)
def test_waiting_job_is_claimed_and_its_connector_locked(
    http: Http, jobs: Stored, connectors: Stored, job_type: str
) -> None:
    before = jobs.put("j1", waiting(job_type=job_type))
    connector = connectors.put("c1", a_connector(last_sync_status="completed", last_synced="2024-01-01"))
    since = datetime.now(UTC)
    [job] = claim(http)
    assert job == http.get(f"{JOBS}/j1").json() == {"id": "j1", **jobs.source("j1")}

    changes = only_changes(before, jobs.source("j1"))
    now = changes.pop("claimed_at")
    assert is_now(now, since)
    assert isinstance(changes.pop("claim_token"), str)
    assert changes == {
        "status": "in_progress",
        "worker_hostname": "worker-1",
        "started_at": now,
        "last_seen": now,
    }

    kind = SyncKind.of(job_type)
    lock = only_changes(connector, connectors.source("c1"))
    assert lock.pop("sync_locks").keys() == {kind.value}
    assert lock == {kind.status_field: "in_progress"}
    assert "sync_locks" not in http.get("/_connector/c1").json()


@pytest.mark.parametrize("end", ["_complete", "_error", "_suspend"])
def test_next_job_of_a_connector_is_claimed_once_the_one_before_has_ended(
    http: Http, jobs: Stored, connectors: Stored, end: str
) -> None:
    put_connectors(connectors, "c1")
    jobs.put_all({"j1": waiting(minute=1, job_type="full"), "j2": waiting(minute=2)})
    assert claim_ids(http) == ["j1"]
    assert claim_ids(http) == []
    body = {"error": "it broke"} if end == "_error" else {}
    assert http.put(f"{JOBS}/j1/{end}", json=body).status_code == 200
    again = "j1" if end == "_suspend" else "j2"
    assert claim_ids(http) == [again]
    assert connectors.source("c1")["sync_locks"]["content"]["job"] == again


def test_resumed_job_goes_on(http: Http, jobs: Stored, connectors: Stored) -> None:
    """It keeps its first start, its counters, and where it stood."""
    put_connectors(connectors, "c1", sync_cursor={"of": "the connector"})
    started = "2024-01-01T12:00:00+00:00"
    held = {"worker_hostname": "worker-0", "started_at": started, "claim_token": "old", "claimed_at": started}
    before = waiting(status="suspended", connector={"sync_cursor": {"of": "the job"}}, **held)
    jobs.put("j1", before)
    since = datetime.now(UTC)
    [job] = claim(http)
    changes = only_changes(before, jobs.source("j1"))
    assert is_now(changes["claimed_at"], since)
    assert changes.pop("last_seen") == changes.pop("claimed_at")
    assert changes.pop("claim_token") != "old"
    assert changes == {"status": "in_progress", "worker_hostname": "worker-1"}
    assert job["indexed_document_count"] == before["indexed_document_count"]


CURSOR = {"a": {"b": [1.5, None, "x"]}}


@pytest.mark.parametrize(
    ("job_type", "stored", "copied"),
    [
        ("incremental", CURSOR, True),
        ("incremental", {}, True),
        ("incremental", None, False),
        ("incremental", [CURSOR], False),
        ("full", CURSOR, False),
        ("access_control", CURSOR, False),
    ],
)
def test_incremental_job_gets_the_cursor_of_its_connector(
    http: Http, jobs: Stored, connectors: Stored, job_type: str, stored: Any, copied: bool
) -> None:
    put_connectors(connectors, "c1", sync_cursor=stored)
    before = jobs.put("j1", waiting(job_type=job_type))
    [job] = claim(http)
    assert job["connector"] == before["connector"] | ({"sync_cursor": stored} if copied else {})
    assert jobs.source("j1")["connector"] == job["connector"]


# --- Which job is the next ---


def test_oldest_job_comes_first_across_connectors(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Of each connector the oldest one. A busy connector does not keep the others waiting."""
    put_connectors(connectors, "c1", "c2", "c3")
    busy = {f"b{number}": waiting("c1", number) for number in range(20)}
    jobs.put_all({**busy, "j3": waiting("c3", 40), "j2": waiting("c2", 30)})
    assert [claim_ids(http) for _ in range(4)] == [["b0"], ["j2"], ["j3"], []]


def test_limit_is_how_many_jobs_are_claimed_at_most(http: Http, jobs: Stored, connectors: Stored) -> None:
    """At most 100."""
    names = [f"c{number}" for number in range(120)]
    put_connectors(connectors, *names)
    created = {name: f"2024-01-01T00:00:00.{999 - number:03}Z" for number, name in enumerate(names)}
    jobs.put_all({f"j-{name}": waiting(name, created_at=created[name]) for name in names})
    oldest_first = [f"j-{name}" for name in reversed(names)]
    assert claim_ids(http, limit=3) == oldest_first[:3]
    assert claim_ids(http, limit="100") == oldest_first[3:103]
    assert claim_ids(http, limit=100) == oldest_first[103:]
    assert claim_ids(http, limit=100) == []


def test_a_connector_runs_one_job_of_a_kind(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Its content and its access control can be synced at the same time."""
    put_connectors(connectors, "c1")
    types = {"j1": "full", "j2": "incremental", "j3": "access_control", "j4": "access_control"}
    jobs.put_all(
        {key: waiting(minute=minute, job_type=value) for minute, (key, value) in enumerate(types.items())}
    )
    assert claim_ids(http, limit=100) == ["j1", "j3"]
    assert claim_ids(http, limit=100) == []
    locks = connectors.source("c1")["sync_locks"]
    assert {kind: lock["job"] for kind, lock in locks.items()} == {"content": "j1", "access_control": "j3"}


def test_end_of_one_kind_leaves_the_lock_of_the_other(http: Http, jobs: Stored, connectors: Stored) -> None:
    put_connectors(connectors, "c1")
    jobs.put_all({"j1": waiting(job_type="full"), "j2": waiting(job_type="access_control", minute=1)})
    assert claim_ids(http, limit=2) == ["j1", "j2"]
    assert http.put(f"{JOBS}/j1/_complete").status_code == 200
    connector = connectors.source("c1")
    assert (connector[CONTENT], connector[ACCESS_CONTROL]) == ("completed", "in_progress")
    note = connector["sync_locks"]
    assert note.keys() == {"access_control"}
    assert note["access_control"]["synced"] == connector["last_synced"]
    assert http.put(f"{JOBS}/j2/_complete").status_code == 200
    assert "sync_locks" not in connectors.source("c1")


def test_jobs_without_a_time_come_last(
    store: Store, jobs: Stored, connectors: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where as many connectors as a search looks at have only jobs that the filter does not want."""
    monkeypatch.setattr(queries, "CANDIDATES", 2)
    monkeypatch.setattr(candidates, "CANDIDATES", 2)
    wanted = waiting("z", job_type="incremental")
    del wanted["created_at"]
    put_connectors(connectors, "a", "b", "c", "z")
    others = {each: waiting(each, job_type="full") for each in ("a", "b", "c")}
    jobs.put_all({**others, "j1": wanted})
    only = ClaimFilter(job_types=("incremental",))
    dealt = candidates.find_candidates(store, frozenset({only})).deal(only, 5)
    assert [each.sync_job_id for each in dealt] == ["j1"]
    jobs.put("j2", waiting("c", minute=5))
    dealt = candidates.find_candidates(store, frozenset({only})).deal(only, 5)
    assert [each.sync_job_id for each in dealt] == ["j2", "j1"]


# id: connector, service type, job type; oldest first.
FILTERED = {
    "f1": ("c1", "mysql", "full"),
    "i1": ("c1", "mysql", "incremental"),
    "a1": ("c1", "mysql", "access_control"),
    "f2": ("c2", "mysql", "full"),
    "i3": ("c3", "jira", "incremental"),
    "p3": ("c3", "postgresql", "full"),
    "a4": ("c4", "", "access_control"),
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    named(
        [
            ("any", {}, "f1 a1 f2 i3 a4"),
            ("connector", {"connector_ids": ["c2"]}, "f2"),
            ("connector as a text", {"connector_ids": "c2"}, "f2"),
            ("connectors", {"connector_ids": ["c4", "c1", "nobody", "c1"]}, "f1 a1 a4"),
            ("unknown connector", {"connector_ids": ["nobody", ""]}, ""),
            ("case of a connector", {"connector_ids": ["C1"]}, ""),
            ("service type", {"service_types": ["mysql"]}, "f1 a1 f2"),
            ("service types", {"service_types": ["jira", "postgresql"]}, "i3"),
            ("later job of another service type", {"service_types": ["postgresql"]}, "p3"),
            ("empty service type", {"service_types": [""]}, "a4"),
            ("unknown service type", {"service_types": ["nothing"]}, ""),
            ("job type", {"job_types": ["full"]}, "f1 f2 p3"),
            ("later job of another type", {"job_types": ["incremental"]}, "i1 i3"),
            ("job types", {"job_types": ["access_control", "incremental"]}, "i1 a1 i3 a4"),
            ("two", {"service_types": ["mysql"], "job_types": ["incremental"]}, "i1"),
            ("two that nothing meets", {"connector_ids": ["c2"], "job_types": ["incremental"]}, ""),
            (
                "all",
                {"connector_ids": ["c1", "c3"], "service_types": ["postgresql"], "job_types": ["full"]},
                "p3",
            ),
        ]
    ),
)
def test_only_wanted_jobs_are_claimed(
    http: Http, jobs: Stored, connectors: Stored, wanted: dict[str, Any], expected: str
) -> None:
    """Where the oldest job of a connector is not wanted, a later one is."""
    put_connectors(connectors, "c1", "c2", "c3", "c4")
    jobs.put_all(
        {
            key: waiting(connector_id, minute, job_type=job_type, connector={"service_type": service_type})
            for minute, (key, (connector_id, service_type, job_type)) in enumerate(FILTERED.items())
        }
    )
    assert claim_ids(http, limit=100, **wanted) == expected.split()


def test_job_that_runs_is_seen_by_every_filter(http: Http, jobs: Stored, connectors: Stored) -> None:
    put_connectors(connectors, "c1")
    running = waiting(status="in_progress", job_type="full", connector={"service_type": "jira"})
    jobs.put_all({"j0": running, "j1": waiting(minute=1)})
    assert claim_ids(http, job_types=["incremental"], service_types=["mysql"]) == []
    assert claim_ids(http, limit=100) == []


# --- What is passed over ---


@pytest.mark.parametrize("job_type", JOB_TYPES)
@pytest.mark.parametrize(
    "connector",
    named(
        [
            ("missing", None),
            ("deleted", {"deleted": True}),
            ("deleted as a text", {"deleted": "true"}),
            ("locked", {CONTENT: "in_progress", ACCESS_CONTROL: "in_progress"}),
        ]
    ),
)
def test_connector_that_cannot_run_a_job_is_passed_over(
    http: Http,
    jobs: Stored,
    connectors: Stored,
    writes: Callable[[], int],
    job_type: str,
    connector: dict[str, Any] | None,
) -> None:
    """And another one's later job is claimed."""
    jobs.put("j1", waiting("c1", minute=1, job_type=job_type))
    if connector is not None:
        put_connectors(connectors, "c1", **connector)
    before = writes()
    assert claim_ids(http) == []
    assert writes() == before
    put_connectors(connectors, "c2")
    jobs.put("j2", waiting("c2", minute=2, job_type=job_type))
    assert claim_ids(http, limit=100) == ["j2"]


def test_lock_of_one_kind_does_not_hold_the_other(http: Http, jobs: Stored, connectors: Stored) -> None:
    put_connectors(connectors, "c1", **{CONTENT: "in_progress"})
    put_connectors(connectors, "c2", **{ACCESS_CONTROL: "in_progress"})
    for connector_id in ("c1", "c2"):
        for job_type in JOB_TYPES[1:]:
            jobs.put(f"{connector_id}-{job_type}", waiting(connector_id, job_type=job_type))
    assert set(claim_ids(http, limit=100)) == {"c1-access_control", "c2-incremental"}


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_connector_whose_job_runs_without_a_lock_is_passed_over(
    http: Http, jobs: Stored, connectors: Stored, status: str
) -> None:
    """A worker claimed it by its id."""
    put_connectors(connectors, "c1")
    jobs.put_all({"j0": waiting(minute=9, status=status, job_type="full"), "j1": waiting()})
    before = connectors.version("c1")
    assert claim_ids(http) == []
    assert connectors.version("c1") == before


@pytest.mark.parametrize("status", ["canceled", "completed", "error", "resting", "PENDING", None])
def test_job_that_does_not_wait_is_passed_over(
    http: Http, jobs: Stored, connectors: Stored, status: Any
) -> None:
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting(status=status))
    assert claim_ids(http) == []


@pytest.mark.parametrize("kind", SyncKind)
def test_many_connectors_that_are_passed_over_hide_no_other(
    store: Store, jobs: Stored, connectors: Stored, monkeypatch: pytest.MonkeyPatch, kind: SyncKind
) -> None:
    """Fails where a look ends with the first search, or where one caller's look ends since another's found the same."""
    monkeypatch.setattr(queries, "CANDIDATES", 4)
    monkeypatch.setattr(candidates, "CANDIDATES", 4)
    names = [f"c{number:02}" for number in range(15)]
    put_connectors(connectors, *names[:5], deleted=True)
    put_connectors(connectors, *names[5:10], **{kind.status_field: "in_progress"})
    put_connectors(connectors, names[-1])  # the others are missing
    job_type = kind.job_types[0]
    jobs.put_all({name: waiting(name, minute, job_type=job_type) for minute, name in enumerate(names)})
    anything = ClaimFilter()
    some = [ClaimFilter(connector_ids=tuple(names[start : start + 2])) for start in range(0, 14, 2)]
    for filters in ([anything], [*some, anything]):
        found = candidates.find_candidates(store, frozenset(filters))
        assert [each.sync_job_id for each in found.deal(anything, 100)] == [names[-1]]
        assert not any(found.has(each) for each in some)


def test_callers_with_many_different_filters_share_a_look(
    store: Store, jobs: Stored, connectors: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_MAX_FILTERS", 2)
    names = [f"c{number}" for number in range(5)]
    put_connectors(connectors, *names)
    jobs.put_all({name: waiting(name) for name in names})
    filters = [ClaimFilter(connector_ids=(name,)) for name in names]
    found = candidates.find_candidates(store, frozenset([*filters, ClaimFilter()]))
    assert [found.deal(each, 5)[0].sync_job_id for each in filters] == names
    assert found.deal(ClaimFilter(), 5) == []


# --- Documents that other programs wrote ---


@pytest.mark.parametrize(
    "odd",
    named(
        [
            ("no job type", {"job_type": None}),
            ("unknown job type", {"job_type": "nightly"}),
            ("list of a job type", {"job_type": ["full"]}),
            ("no time", {"created_at": None}),
            ("epoch", {"created_at": 1704067200000}),
            ("list of times", {"created_at": ["2024-01-01", "2023-01-01"]}),
            ("no counters", {"indexed_document_count": None, "metadata": None}),
            ("start that cannot be read", {"status": "suspended", "started_at": ["2024-01-01"]}),
            ("held by nobody", {"status": "suspended", "worker_hostname": None}),
            ("several connectors", {"connector": [{"id": "c1"}, {"service_type": "x"}]}),
            ("connector id as a path", {"connector": None, "connector.id": "c1"}),
        ]
    ),
)
def test_odd_job_is_claimed(http: Http, jobs: Stored, connectors: Stored, odd: dict[str, Any]) -> None:
    """What is absent in the table is null there. The connector is found as it is indexed, and so is a job that runs."""
    put_connectors(connectors, "c1")
    job = waiting() | odd
    jobs.put("j1", job)
    assert claim_ids(http) == ["j1"]
    assert jobs.source("j1")["status"] == "in_progress"
    connectors.put("c1", a_connector())
    jobs.put("j2", waiting())
    assert claim_ids(http) == []


@pytest.mark.parametrize(
    "connector", [None, {}, {"id": None}, {"id": ""}, {"id": "x" * 600}, {"id": "none"}, "c1"], ids=str
)
def test_job_without_a_connector_is_passed_over(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch, connector: Any
) -> None:
    put_connectors(connectors, "c2")
    job = waiting() | {"connector": connector}
    if connector == "c1":  # not as an object: Elasticsearch would refuse it
        job = {"status": "pending", "created_at": "2020-01-01"}
    jobs.put_all({"j1": job, "j2": waiting("c2", minute=5)})
    assert claim_ids(http, limit=100) == ["j2"]
    assert jobs.source("j1") == job


def test_waiting_job_of_several_connectors_runs_once(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Its other connector is unlocked again."""
    put_connectors(connectors, "c1", "c2")
    jobs.put("j1", waiting() | {"connector": {"id": ["c1", "c2"]}})
    assert claim_ids(http, limit=100) == ["j1"]
    locked = [each for each in ("c1", "c2") if connectors.source(each).get(CONTENT) == "in_progress"]
    assert len(locked) == 1


def test_running_job_of_several_connectors_holds_them_all(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    put_connectors(connectors, "c1", "c2", "c3")
    running = waiting(status="in_progress") | {"connector": {"id": ["c1", "c2"]}}
    jobs.put_all({"j0": running, "j1": waiting("c1"), "j2": waiting("c2"), "j3": waiting("c3")})
    assert claim_ids(http, limit=100) == ["j3"]


OLD = {"job": "gone", "token": "t", "at": 1_700_000_000_000}


@pytest.mark.parametrize(
    ("odd", "claimed"),
    named(
        [
            ("status as a list", {CONTENT: ["in_progress"]}, True),
            ("status as a number", {CONTENT: 7}, True),
            ("status in capitals", {CONTENT: "IN_PROGRESS"}, True),
            ("status null", {CONTENT: None}, True),
            ("locks as a list", {"sync_locks": [1]}, True),
            ("locks as a text", {"sync_locks": "content"}, True),
            ("lock as a text", {"sync_locks": {"content": "j1"}}, True),
            ("lock of nobody", {"sync_locks": {"content": OLD}}, True),
            ("locked, locks as a list", {CONTENT: "in_progress", "sync_locks": [OLD]}, False),
            ("locked, lock as a text", {CONTENT: "in_progress", "sync_locks": {"content": "j1"}}, False),
            ("locked, lock as a list", {CONTENT: "in_progress", "sync_locks": {"content": [OLD]}}, False),
            ("locked, without a time", {CONTENT: "in_progress", "sync_locks": {"content": {}}}, False),
            (
                "locked, time as a text",
                {CONTENT: "in_progress", "sync_locks": {"content": OLD | {"at": "1"}}},
                False,
            ),
            (
                "locked by a worker, after a claim's job",
                {
                    CONTENT: "in_progress",
                    "last_synced": "2024-01-01T00:00:00Z",
                    "sync_locks": {"content": OLD},
                },
                False,
            ),
            ("abandoned", {CONTENT: "in_progress", "sync_locks": {"content": OLD}}, True),
            (
                "abandoned, last sync as a list",
                {CONTENT: "in_progress", "last_synced": [], "sync_locks": {"content": OLD | {"synced": []}}},
                True,
            ),
            ("last sync null", {"last_synced": None}, True),
            ("deleted as a list", {"deleted": [True]}, False),
            ("cursor as a list", {"sync_cursor": [{"a": 1}]}, True),
        ]
    ),
)
def test_odd_connector_is_locked_or_passed_over(
    http: Http, jobs: Stored, connectors: Stored, odd: dict[str, Any], claimed: bool
) -> None:
    """It keeps nobody else waiting. What cannot be read as the note of a claim is a worker's own lock."""
    connectors.put("c1", a_connector(**odd))
    put_connectors(connectors, "c2")
    jobs.put_all({"j1": waiting("c1"), "j2": waiting("c2", minute=1)})
    before = connectors.version("c1")
    assert claim_ids(http, limit=100) == (["j1", "j2"] if claimed else ["j2"])
    if claimed:
        connector = connectors.source("c1")
        assert connector[CONTENT] == "in_progress"
        assert connector["sync_locks"]["content"]["job"] == "j1"
    else:
        assert connectors.version("c1") == before


def test_connector_with_nothing_but_an_id_is_locked(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put("c1", {})
    jobs.put("j1", {"status": "pending", "connector": {"id": "c1"}})
    [job] = claim(http)
    assert job == {"id": "j1", **jobs.source("j1")}
    assert connectors.source("c1").keys() == {CONTENT, "sync_locks"}


# --- Indices ---


def test_without_jobs_nothing_is_claimed(http: Http, connectors: Stored) -> None:
    put_connectors(connectors, "c1")
    assert claim(http) == []


@pytest.mark.parametrize("body", [{}, {"request_id": "r"}, {"wait": "10ms"}], ids=str)
def test_without_an_index_of_jobs_nothing_is_claimed(
    http: Http, elasticsearch: Elasticsearch, body: dict[str, Any]
) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert claim(http, **body) == []
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.name])
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


def test_without_an_index_of_connectors_nothing_is_claimed(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    jobs.put("j1", waiting())
    elasticsearch.indices.delete(index=CONNECTORS.name)
    assert claim(http) == []
    assert not elasticsearch.indices.exists(index=[CONNECTORS.name])


def test_decision_40_closed_index_of_connectors_is_503(
    http: Http, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    """Its connectors are not missing."""
    jobs.put("j1", waiting())
    with closed(elasticsearch, CONNECTORS):
        assert_unusable(http.post(CLAIM, json={"worker_hostname": "w"}), "POST /.elastic-connectors/_open")
    assert jobs.source("j1")["status"] == "pending"


# --- Bodies ---


@pytest.mark.parametrize(
    ("body", "violations"),
    named(
        [
            ("empty worker", {"worker_hostname": ""}, ["[worker_hostname] must have 1 to 8191 characters."]),
            (
                "long worker",
                {"worker_hostname": "\U0001f525" * 8192},
                ["[worker_hostname] must have 1 to 8191 characters."],
            ),
            ("no connectors", {"connector_ids": []}, ["[connector_ids] must have 1 to 1000 entries."]),
            ("no service types", {"service_types": []}, ["[service_types] must have 1 to 1000 entries."]),
            ("no job types", {"job_types": []}, ["[job_types] must have 1 to 1000 entries."]),
            (
                "many connectors",
                {"connector_ids": ["c"] * 1001},
                ["[connector_ids] must have 1 to 1000 entries."],
            ),
            (
                "long connector",
                {"connector_ids": ["c", "c" * 513]},
                ["[connector_ids] has an entry of more than 512 characters."],
            ),
            (
                "long service type",
                {"service_types": "c" * 40_000},
                ["[service_types] has an entry of more than 512 characters."],
            ),
            (
                "unknown job type",
                {"job_types": ["full", "FULL"]},
                ["[job_types] has an unknown ConnectorSyncJobType."],
            ),
            ("limit 0", {"limit": 0}, ["[limit] must be between 1 and 100."]),
            ("limit -1", {"limit": -1}, ["[limit] must be between 1 and 100."]),
            ("limit 101", {"limit": 101}, ["[limit] must be between 1 and 100."]),
            ("empty request id", {"request_id": ""}, ["[request_id] must have 1 to 128 characters."]),
            ("long request id", {"request_id": "x" * 129}, ["[request_id] must have 1 to 128 characters."]),
            (
                "all",
                {"request_id": "", "limit": 0, "connector_ids": [], "worker_hostname": ""},
                [
                    "[worker_hostname] must have 1 to 8191 characters.",
                    "[connector_ids] must have 1 to 1000 entries.",
                    "[limit] must be between 1 and 100.",
                    "[request_id] must have 1 to 128 characters.",
                ],
            ),
        ]
    ),
)
def test_value_out_of_range_is_refused_and_nothing_is_claimed(
    http: Http, jobs: Stored, connectors: Stored, body: dict[str, Any], violations: list[str]
) -> None:
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting())
    before = jobs.version("j1"), connectors.version("c1")
    response = http.post(CLAIM, json={"worker_hostname": "w"} | body)
    assert error_body(response) == invalid(*violations)
    assert (jobs.version("j1"), connectors.version("c1")) == before


IAE, NFE = "illegal_argument_exception", "number_format_exception"
TOO_LONG = "failed to parse value [{}] for setting [wait], must be <= [1m]"
NO_UNIT = "failed to parse setting [wait] with value [{}] as a time value: unit is missing or unrecognized"


@pytest.mark.parametrize(
    ("body", "reason", "causes"),
    named(
        [
            ("no worker", {"worker_hostname": None}, "worker_hostname doesn't support values of type: VALUE_NULL", ()),
            ("connectors", {"connector_ids": {"a": 1}}, "connector_ids doesn't support values of type: START_OBJECT", ()),
            ("limit", {"limit": True}, "limit doesn't support values of type: VALUE_BOOLEAN", ()),
            ("wait as a number", {"wait": 5}, "wait doesn't support values of type: VALUE_NUMBER", ()),
            ("request id", {"request_id": 5}, "request_id doesn't support values of type: VALUE_NUMBER", ()),
            ("unknown", {"timeout": "5s"}, "unknown field [timeout]", ()),
            ("near", {"limits": 5}, "unknown field [limits] did you mean [limit]?", ()),
            ("wait without a unit", {"wait": "5"}, "failed to parse field [wait]", ((IAE, NO_UNIT.format("5")),)),
            ("long wait", {"wait": "60001ms"}, "failed to parse field [wait]", ((IAE, TOO_LONG.format("60001ms")),)),
            ("days", {"wait": "9223372036854775807d"}, "failed to parse field [wait]", ((IAE, TOO_LONG.format("9223372036854775807d")),)),
            (
                "fraction",
                {"wait": "1.5s"},
                "failed to parse field [wait]",
                ((IAE, "failed to parse [1.5s], fractional time values are not supported"), (NFE, 'For input string: "1.5"')),
            ),
        ]
    ),
)  # fmt: skip
def test_body_that_cannot_be_read_is_refused(
    http: Http, body: dict[str, Any], reason: str, causes: tuple[tuple[str, str], ...]
) -> None:
    response = http.post(CLAIM, json={"worker_hostname": "w"} | body)
    assert error_body(response) == unreadable(f"[l:c] [{PARSER}] {reason}", *causes)


def test_worker_is_required(http: Http) -> None:
    response = http.post(CLAIM, json={"limit": 1})
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "Required [worker_hostname]")


@pytest.mark.parametrize("hostname", [" ", "wörker-\U0001f525", "\U0001f525" * 8191], ids=len)
def test_any_other_string_is_a_worker(http: Http, jobs: Stored, connectors: Stored, hostname: str) -> None:
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting())
    assert [job["worker_hostname"] for job in claim(http, worker_hostname=hostname)] == [hostname]


# --- The same request again ---


def test_repeat_gets_the_same_jobs(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Whatever else it asks for, whatever has become of them, and whether there are others."""
    put_connectors(connectors, "c1", "c2", "c3")
    jobs.put_all({f"j{number}": waiting(f"c{number}", number) for number in (1, 2, 3)})
    first = claim(http, request_id="r1", limit=2)
    assert [job["id"] for job in first] == ["j1", "j2"]
    assert claim(http, request_id="r1", limit=2) == first
    assert claim(http, request_id="r1", limit=1, connector_ids=["c3"], wait="1s") == first
    assert http.put(f"{JOBS}/j1/_check_in").status_code == 200
    assert http.put(f"{JOBS}/j1/_cancel").status_code == 200
    again = claim(http, request_id="r1")
    assert [(job["id"], job["status"]) for job in again] == [("j1", "canceling"), ("j2", "in_progress")]
    assert again == [http.get(f"{JOBS}/{key}").json() for key in ("j1", "j2")]


def test_other_requests_get_other_jobs(http: Http, jobs: Stored, connectors: Stored) -> None:
    names = [f"c{number}" for number in range(6)]
    put_connectors(connectors, *names)
    jobs.put_all({f"j-{name}": waiting(name, minute) for minute, name in enumerate(names)})
    claims: list[dict[str, Any]] = [
        {"request_id": "r1"},
        {"request_id": "r2"},
        {"request_id": "R1"},
        {"request_id": "r1", "worker_hostname": "worker-2"},
        {},
        {},
    ]
    assert [claim_ids(http, **body) for body in claims] == [[f"j-{name}"] for name in names]
    assert [claim_ids(http, **body) for body in claims[:4]] == [[f"j-{name}"] for name in names[:4]]
    assert claim_ids(http) == []


def test_repeat_that_found_nothing_claims(http: Http, jobs: Stored, connectors: Stored) -> None:
    put_connectors(connectors, "c1")
    assert claim_ids(http, request_id="r1") == []
    jobs.put("j1", waiting())
    assert claim_ids(http, request_id="r1") == ["j1"]


def test_request_id_is_forgotten_after_a_while(http: Http, jobs: Stored, connectors: Stored) -> None:
    """Also where the job's worker has been heard of since."""
    put_connectors(connectors, "c1", "c2")
    jobs.put("j1", waiting("c1"))
    [job] = claim(http, request_id="r1")
    for age, expected in ((50, "j1"), (70, "j2")):
        then = (datetime.now(UTC) - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")
        jobs.put("j1", {key: value for key, value in job.items() if key != "id"} | {"claimed_at": then})
        jobs.put("j2", waiting("c2"))
        assert claim_ids(http, request_id="r1") == [expected]


def test_job_that_another_claim_has_since_is_not_shown_again(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting())
    assert claim_ids(http, request_id="r1") == ["j1"]
    assert http.put(f"{JOBS}/j1/_suspend").status_code == 200
    assert http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "worker-1"}).status_code == 200
    assert "claim_token" not in jobs.source("j1")
    assert claim_ids(http, request_id="r1") == []


@pytest.mark.parametrize("odd", [None, ["x"], {"a": 1}, 7, "soon"], ids=str)
def test_repeat_of_a_claim_whose_time_another_program_overwrote_is_no_error(
    http: Http, jobs: Stored, connectors: Stored, odd: Any
) -> None:
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting())
    [job] = claim(http, request_id="r1")
    jobs.put("j1", {key: value for key, value in job.items() if key != "id"} | {"claimed_at": odd})
    assert http.post(CLAIM, json={"worker_hostname": "worker-1", "request_id": "r1"}).status_code == 200


@pytest.fixture(scope="module")
def service_without_window(node_url: str) -> Iterator[Service]:
    with Service(node_url, CLAIM_RESEND_WINDOW="0", WORKERS="1") as service:
        service.wait_until_ready()
        yield service


def test_window_of_zero_remembers_no_request(
    service_without_window: Service, jobs: Stored, connectors: Stored
) -> None:
    put_connectors(connectors, "c1", "c2")
    jobs.put_all({"j1": waiting("c1"), "j2": waiting("c2", 1)})
    found = [claim_ids(service_without_window.http, request_id="r1") for _ in range(3)]
    assert found == [["j1"], ["j2"], []]


@pytest.mark.parametrize("wait", ["0s", "5s"])
def test_requests_with_one_id_at_once_get_the_same_jobs(
    service: Service, jobs: Stored, connectors: Stored, wait: str
) -> None:
    """Through two processes. Fails where a repeat looks before the first one has claimed."""
    names = [f"c{number}" for number in range(8)]
    put_connectors(connectors, *names)
    jobs.put_all({f"j-{name}": waiting(name, minute) for minute, name in enumerate(names)})
    clients = [Http(service.url) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for turn in range(4):
            body = {"request_id": f"r{turn}", "limit": 2, "wait": wait}
            found = list(threads.map(lambda http, body=body: claim_ids(http, **body), clients))
            assert found == [[f"j-{name}" for name in names[2 * turn : 2 * turn + 2]]] * 8
    for client in clients:
        client.close()


def test_claim_by_id_and_heartbeats_work_beside_it(http: Http, jobs: Stored, connectors: Stored) -> None:
    """A claim sent again by id, by the worker that won, is its duplicate."""
    put_connectors(connectors, "c1")
    jobs.put("j1", waiting(job_type="full"))
    assert claim_ids(http) == ["j1"]
    assert http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "worker-1"}).json() == {"result": "noop"}
    assert http.put(f"{JOBS}/j1/_claim", json={"worker_hostname": "worker-2"}).status_code == 409
    assert http.put(f"{JOBS}/j1/_stats?worker_hostname=worker-1", json=COUNTERS).status_code == 200
    assert jobs.source("j1").keys() == a_running_job().keys() | TOKEN
