"""Jobs of any shape that other programs may have written, and jobs of such connectors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import empty
from tests.endpoints import COUNTERS, ENDPOINTS, JOBS, OF_JOBS
from tests.raw_values import (
    CONNECTOR,
    JOB,
    Change,
    Path,
    Raw,
    RawIndex,
    found_violations,
    leaves,
    responses_to,
    wrong_changes,
)
from tests.service import Http, Service

WORKER = {"worker_hostname": "w"}
CURSOR = {"sync_cursor": {"b": []}}


def change(
    name: str,
    body: Any,
    status: str,
    sets: dict[str, Any],
    refuses: Collection[tuple[Path, str]] = (),
    reads: Collection[str] = (),
) -> Change:
    """A change of a job in this status, which sets these fields; dots lead into objects."""
    fields: dict[Path, Any] = {tuple(path.split(".")): value for path, value in sets.items()}
    endpoint = replace(ENDPOINTS[f"sync_job/{name}"], body=body)
    return Change(endpoint, fields, refuses, {"status", *reads}, {"status": status})


UNKNOWN: list[tuple[Path, str]] = [(("status",), "Unknown ConnectorSyncStatus [{}].")]
UNCLAIMABLE: list[tuple[Path, str]] = [
    (("status",), "Invalid transition attempt from [{}] to [in_progress].")
]
HELD: list[tuple[Path, str]] = [((), "Invalid transition attempt from [in_progress] to [in_progress].")]
CANCELING = {"status": "canceling", "cancelation_requested_at": ANY}
CANCELED = {
    "status": "canceled",
    **dict.fromkeys(("cancelation_requested_at", "canceled_at", "completed_at"), ANY),
}
CLAIMED = {**WORKER, "status": "in_progress", "started_at": ANY, "claimed_at": ANY, "last_seen": ANY}
WITH_CURSOR = CLAIMED | {"connector.sync_cursor": CURSOR["sync_cursor"]}
FAILED = {"status": "error", "error": "x", "completed_at": ANY, "last_seen": ANY}
COUNTED = {**COUNTERS, "last_seen": ANY}
STATED = {**COUNTERS, "last_seen": "2025-01-01T00:00:00.000Z", "total_document_count": 9}
HOLDING = ("connector", "worker_hostname", "started_at", "last_seen")
SUSPENDED = {
    **COUNTERS,
    "status": "suspended",
    "last_seen": ANY,
    "connector.sync_cursor": CURSOR["sync_cursor"],
}
COMPLETED = {**SUSPENDED, "status": "completed", "completed_at": ANY, "error": ANY}
CONFIRMED = {
    **COUNTERS,
    "status": "canceled",
    **dict.fromkeys(("last_seen", "completed_at", "canceled_at"), ANY),
}
CHANGES = [
    change("cancel", None, "pending", CANCELED, UNKNOWN),
    change("cancel", None, "in_progress", CANCELING, UNKNOWN),
    change("check_in", None, "in_progress", {"last_seen": ANY}),
    change("claim", WORKER, "pending", CLAIMED, UNCLAIMABLE),
    change("claim", WORKER | CURSOR, "suspended", WITH_CURSOR, UNCLAIMABLE),
    change("update_error", {"error": "x"}, "in_progress", FAILED, UNKNOWN),
    change("update_stats", COUNTERS, "in_progress", COUNTED),
    change("update_stats", STATED | {"metadata": {"new": 1}}, "in_progress", STATED | {"metadata.new": 1}),
    change("complete", COUNTERS | CURSOR, "in_progress", COMPLETED, UNKNOWN),
    change("suspend", COUNTERS | CURSOR, "in_progress", SUSPENDED, UNKNOWN),
    change("confirm_cancel", COUNTERS, "canceling", CONFIRMED, UNKNOWN),
    # Whether this is a claim sent again depends on all that the first one wrote.
    change("claim", {"worker_hostname": "w1", **CURSOR}, "in_progress", {}, [*HELD, *UNCLAIMABLE], HOLDING),
]
ENDED = dict.fromkeys(("completed_at", "canceled_at", "cancelation_requested_at", "error"), ANY)
OF_FINISHED_JOBS = [
    change("claim", WORKER | CURSOR, "completed", WITH_CURSOR | ENDED, UNCLAIMABLE),
    change("check_in", None, "canceled", {"last_seen": ANY}),
    change("update_stats", COUNTERS, "error", COUNTED),
]


def test_every_endpoint_that_changes_a_job_is_in_the_table() -> None:
    listed = {each.endpoint.action for each in CHANGES}
    assert listed == {each.action for each in OF_JOBS if each.writes and each.of_one} - {"sync_job/delete"}


@pytest.fixture(scope="module")
def index(running_service: Service, elasticsearch: Elasticsearch) -> RawIndex:
    running_service.wait_until_ready()
    return RawIndex(elasticsearch, SYNC_JOBS, JOB)


@pytest.fixture(scope="module")
def connector_index(running_service: Service, elasticsearch: Elasticsearch) -> RawIndex:
    running_service.wait_until_ready()
    return RawIndex(elasticsearch, CONNECTORS, CONNECTOR)


@pytest.fixture(scope="module")
def compatible(node_url: str) -> Iterator[Http]:
    """A client of a service with `COMPATIBILITY=elasticsearch`."""
    with Service(node_url, WORKERS="1", COMPATIBILITY="elasticsearch", REFRESH="search") as service:
        service.wait_until_ready()
        yield service.http


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_change_reads_leniently_and_keeps_all_else(http: Http, index: RawIndex, change: Change) -> None:
    raws = index.write(change.matters, **change.before)
    assert found_violations(http, change, index, raws) == []


@pytest.mark.parametrize("change", OF_FINISHED_JOBS, ids=str)
def test_decision_47_change_of_a_finished_job_reads_leniently_and_keeps_all_else(
    http: Http, compatible: Http, index: RawIndex, change: Change
) -> None:
    raws = index.write(change.matters, **change.before)
    assert found_violations(compatible, change, index, raws) == []


FREE_TO_END = {"status": "canceled", "canceled_at": ANY, "completed_at": ANY}
RESCUED = {"status": "error", "error": ANY, "completed_at": ANY, "last_seen": ANY}
OF_THE_CONNECTOR = {"connector_id": "c1", "job_types": ["incremental"]}
# Body, status, what is set, and the fields without which a job may be left as it is.
MANY: dict[str, tuple[Any, str, dict[str, Any], set[str]]] = {
    "cancel_many": ({"statuses": ["pending"]}, "pending", CANCELED, {"status"}),
    "cancel_many of a connector": (
        OF_THE_CONNECTOR,
        "in_progress",
        CANCELING,
        {"status", "connector", "job_type"},
    ),
    "rescue": ({"limit": 10_000}, "in_progress", RESCUED, {"status"}),
    "rescue of canceling jobs": (
        {"limit": 10_000},
        "canceling",
        FREE_TO_END | {"last_seen": ANY},
        {"status"},
    ),
    "rescue of orphans": ({"limit": 10_000}, "suspended", FREE_TO_END, {"status", "connector"}),
}


@pytest.mark.parametrize("case", MANY)
def test_request_for_many_jobs_reads_leniently_and_keeps_all_else(
    http: Http, elasticsearch: Elasticsearch, index: RawIndex, case: str
) -> None:
    body, status, sets, matter = MANY[case]
    empty(elasticsearch)
    raws = index.write(status=status)
    response = replace(ENDPOINTS[f"sync_job/{case.partition(' ')[0]}"], body=body).send(http)
    assert response.status_code == 200, response.text
    found = response.json()
    afters = index.read(raws)
    fields = {tuple(path.split(".")): value for path, value in sets.items()}
    changed = [(raw, after) for raw, after in zip(raws, afters, strict=True) if after != raw.document]
    assert [
        f"{raw}: {wrong}" for raw, after in changed for wrong in wrong_changes(raw.document, after, fields)
    ] == []
    assert {str(raw) for raw in raws if raw.field and raw.field[0] not in matter} <= {
        str(raw) for raw, _ in changed
    }
    if "rescued" in found:
        assert {job["id"] for job in found["rescued"]} == {raw.id for raw, _ in changed}
        assert found["truncated"] is False
    else:
        assert found["canceled"] + found["canceling"] == len(changed)


def test_heartbeats_of_many_jobs_read_leniently_and_keep_all_else(
    http: Http, elasticsearch: Elasticsearch, index: RawIndex
) -> None:
    empty(elasticsearch)
    raws = index.write()
    for start in range(0, len(raws), 1_000):
        some = raws[start : start + 1_000]
        sent = {"worker_hostname": "w1", "ids": [raw.id for raw in some]}
        response = replace(ENDPOINTS["sync_job/check_in_many"], body=sent).send(http)
        assert response.status_code == 200, response.text
        for raw, item, after in zip(some, response.json()["items"], index.read(some), strict=True):
            if "error" in item:
                assert (item["status_code"], after) == (409, raw.document), raw
                assert not raw.field or raw.field[0] == "worker_hostname"
            else:
                assert item["status"] == raw.document.get("status"), raw
                assert list(wrong_changes(raw.document, after, {("last_seen",): ANY})) == []


def test_summary_and_pruning_of_any_jobs(http: Http, elasticsearch: Elasticsearch, index: RawIndex) -> None:
    empty(elasticsearch)
    raws = index.write(status="completed")
    finished = index.matching({"terms": {"status": ["completed", "canceled", "error"]}})
    summary = ENDPOINTS["sync_job/summary"].send(http)
    assert summary.status_code == 200, summary.text
    assert summary.json()["by_status"]["completed"] == len(index.matching({"term": {"status": "completed"}}))
    body = {"keep_last": 0, "dry_run": False}
    pruned = replace(ENDPOINTS["sync_job/prune"], body=body).send(http)
    assert pruned.status_code == 200, pruned.text
    left = {raw.id for raw, after in zip(raws, index.read(raws), strict=True) if after is not None}
    assert pruned.json() == {"deleted": len(raws) - len(left)}
    assert {raw.id for raw in raws} - left <= finished
    ends = ("status", "completed_at", "canceled_at", "last_seen")
    assert not {str(raw) for raw in raws if raw.id in left and raw.field and raw.field[0] not in ends}


def test_get_and_list_return_what_is_stored(http: Http, index: RawIndex) -> None:
    shown = {raw.id: {**raw.document, "id": raw.id} for raw in index.write()}
    for query in ("size=10000", "size=10000&order=desc"):
        listed = http.get(f"{JOBS}?{query}").json()
        assert {each["id"]: each for each in listed["results"]} == shown
        assert listed["count"] == len(shown)
    walked: list[str] = []
    after: str | None = ""
    while after is not None:
        page = http.get(f"{JOBS}?size=100&search_after={after}").json()
        walked += [each["id"] for each in page["results"]]
        after = page.get("search_after")
    assert sorted(walked) == sorted(shown)
    for raw in index.write(lambda raw: raw.field == ("status",)):
        assert http.get(f"{JOBS}/{raw.id}").json() == shown[raw.id], raw


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("status=in_progress", {"term": {"status": "in_progress"}}),
        ("job_type=incremental", {"term": {"job_type": "incremental"}}),
        ("connector_id=c1", {"term": {"connector.id": "c1"}}),
    ],
)
def test_list_filters_as_elasticsearch_does(
    http: Http, index: RawIndex, parameter: str, query: dict[str, Any]
) -> None:
    index.write()
    found = {each["id"] for each in http.get(f"{JOBS}?size=10000&{parameter}").json()["results"]}
    assert found == index.matching(query)


def test_delete_removes_every_job(http: Http, index: RawIndex) -> None:
    raws = index.write(lambda raw: raw.field == ("status",))
    responses = responses_to(http, Change(ENDPOINTS["sync_job/delete"], {}), raws)
    assert {response.text for response in responses} == {'{"acknowledged":true}'}
    assert index.read(raws) == [None] * len(raws)


# --- Jobs of odd connectors ---


IN_JOBS = {
    "configuration": list(CONNECTOR["configuration"]["a"]),
    "pipeline": list(CONNECTOR["pipeline"]),
    "active": ["advanced_snippet", "rules", "validation"],
}
CREATIONS = [
    Change(
        replace(ENDPOINTS["sync_job/post"], body={"id": "{id}", "job_type": job_type}),
        {},
        [
            (("index_name",), "[index_name]"),
            (("service_type",), "[service_type]"),
            (("configuration",), "failed to parse field [configuration]"),
            (("pipeline",), "failed to parse field [pipeline]"),
            (("filtering",), "failed to parse field [filtering]"),
            (("filtering", "active"), "failed to parse field [filtering.active]"),
        ],
        ["configuration", "deleted", "filtering", "index_name", "language", "pipeline", "service_type"],
    )
    for job_type in ("full", "access_control")
]


def carried(connector: dict[str, Any], prefix: str) -> dict[Path, Any]:
    """What a job of the connector must have in its snapshot, by field; null is left out of it."""
    found: dict[Path, Any] = {}
    for path, value in leaves(connector):
        match path:
            case _ if value is None:
                continue
            case ("configuration", _) if value == {}:
                continue  # it gets what every item has
            case ("configuration", _, key, *_) if key in IN_JOBS["configuration"]:
                found[path] = value
            case ("configuration", _) | ("language", *_) | ("service_type",):
                found[path] = value
            case ("pipeline", key, *_) if key in IN_JOBS["pipeline"]:
                found[path] = value
            case ("filtering", "active", key, *_) if key in IN_JOBS["active"]:
                found["filtering", *path[2:]] = value
            case ("index_name",):
                found[path] = prefix + value
    return found


@pytest.mark.parametrize("creation", CREATIONS, ids=str)
def test_decision_45_job_carries_what_its_connector_has(
    http: Http, connector_index: RawIndex, elasticsearch: Elasticsearch, creation: Change
) -> None:
    prefix = ".search-acl-filter-" if creation.endpoint.body["job_type"] == "access_control" else ""
    raws = connector_index.write(creation.matters)
    deleted = connector_index.matching({"term": {"deleted": True}})
    responses = responses_to(http, creation, raws)
    assert connector_index.read(raws) == [raw.document for raw in raws]
    found: list[str] = []
    made: dict[str, Raw] = {}
    for raw, response in zip(raws, responses, strict=True):
        if response.status_code == 201:
            made[response.json()["id"]] = raw
            continue
        if raw.id not in deleted:
            found += creation.violations(raw, response, raw.document)
        elif response.status_code != 404:
            found.append(f"{raw}: {response.text}")
    assert len(made) > len(raws) / 2
    for job in elasticsearch.mget(index=SYNC_JOBS.alias, ids=list(made))["docs"]:
        raw, snapshot = made[job["_id"]], dict(leaves(job["_source"]["connector"]))
        assert raw.id not in deleted
        for path, value in carried(raw.document, prefix).items():
            if path not in snapshot or snapshot[path] != value:
                found.append(f"{raw}: {path} was {value!r} and is {snapshot.get(path)!r}")
    assert found == []
