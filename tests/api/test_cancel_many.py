"""`POST /_connector/_sync_job/_cancel`: cancels all jobs that match."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.errors import ApiError, unavailable
from app.store import Store
from app.store.index_definitions import SYNC_JOBS
from app.sync_jobs import many, walks
from tests.cases import named
from tests.documents import FINISHED, STATUSES, Stored, a_job, a_running_job, empty, only_changes
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, nth, to
from tests.responses import error_body, invalid, is_now
from tests.service import Http

CANCEL = f"{JOBS}/_cancel"
AFTER = {"pending": "canceled", "suspended": "canceled", "in_progress": "canceling"}


def cancel(http: Http, **body: Any) -> dict[str, int]:
    response = http.post(CANCEL, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def counts(canceled: int = 0, canceling: int = 0, conflicts: int = 0) -> dict[str, int]:
    return {"canceled": canceled, "canceling": canceling, "conflicts": conflicts}


def of(connector: str, status: str = "pending", **other: Any) -> dict[str, Any]:
    return a_job(status, **{"connector": {"id": connector, "index_name": "x"}, **other})


def test_jobs_of_a_connector_are_canceled(http: Http, jobs: Stored) -> None:
    before = {status: a_running_job(status) for status in STATUSES}
    jobs.put_all(before | {"another": of("c2")})
    since = datetime.now(UTC)
    response = http.post(CANCEL, json={"connector_id": "c1"})
    assert (response.status_code, response.json()) == (200, counts(canceled=2, canceling=1))
    assert list(response.json()) == ["canceled", "canceling", "conflicts"]
    assert jobs.source("another") == of("c2")
    for status, job in before.items():
        changes = only_changes(job, jobs.source(status))
        then = AFTER.get(status)
        expected = [
            "cancelation_requested_at",
            *["canceled_at", "completed_at"] * (then == "canceled"),
            "status",
        ]
        assert sorted(changes) == (sorted(expected) if then else [])
        if then:
            assert changes.pop("status") == then
            assert len(set(changes.values())) == 1
            assert is_now(changes["cancelation_requested_at"], since)


FILTERS = [
    ("connector", {"connector_id": "c1"}, {"a", "b", "c"}),
    ("type", {"job_types": ["full"]}, {"a", "d"}),
    ("types in any case", {"job_types": ["FULL", "access_control"]}, {"a", "c", "d"}),
    ("one type as text", {"job_types": "full"}, {"a", "d"}),
    ("status", {"statuses": ["suspended"]}, {"b"}),
    ("statuses", {"statuses": ["pending", "in_progress", "completed", "error"]}, {"a", "c", "d"}),
    ("both", {"connector_id": "c1", "job_types": ["full", "incremental"]}, {"a", "b"}),
    ("all", {"connector_id": "c1", "job_types": ["incremental"], "statuses": ["suspended"]}, {"b"}),
    ("none of them", {"connector_id": "c1", "statuses": ["canceling"]}, set()),
    ("finished", {"statuses": list(FINISHED)}, set()),
    ("nobody's", {"connector_id": "C1"}, set()),
    ("no wildcard", {"connector_id": "*"}, set()),
    ("a long id", {"connector_id": "x" * 512}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), named(FILTERS))
def test_only_jobs_that_meet_all_filters_are_canceled(
    http: Http, jobs: Stored, body: dict[str, Any], expected: set[str]
) -> None:
    jobs.put_all(
        {
            "a": of("c1", "pending", job_type="full"),
            "b": of("c1", "suspended", job_type="incremental"),
            "c": of("c1", "in_progress", job_type="access_control"),
            "d": of("c2", "pending", job_type="full"),
            "e": of("c2", "completed", job_type="full"),
            "f": {"status": "resting"},
        }
    )
    before = {each: jobs.version(each) for each in "abcdef"}
    assert sum(cancel(http, **body).values()) == len(expected)
    assert {each for each in before if jobs.version(each) != before[each]} == expected


def test_job_without_most_fields_is_canceled(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {"a": {"status": "pending"}, "b": {"status": "pending", "connector": None, "created_at": None}}
    )
    assert cancel(http, statuses=["pending"]) == counts(canceled=2)


def test_second_request_finds_nothing(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_running_job())
    assert cancel(http, connector_id="c1") == counts(canceling=1)
    before = jobs.version("a")
    assert cancel(http, connector_id="c1") == counts()
    assert jobs.version("a") == before


def test_missing_index_means_no_jobs(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert cancel(http, connector_id="c1") == counts()
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


def test_more_jobs_than_a_page_are_canceled_in_one_request(
    http: Http, put_jobs: Callable[..., list[str]], elasticsearch: Elasticsearch
) -> None:
    """Many have the same `created_at`, so that pages end between equal ones."""
    put_jobs(2_500)
    put_jobs(1_200, "in_progress", connector_id="c2", job_type="full", created_at="2024-01-01T00:00:00Z")
    assert cancel(http, statuses=["pending", "in_progress"]) == counts(canceled=2_500, canceling=1_200)
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    left = elasticsearch.count(index=SYNC_JOBS.alias, query={"terms": {"status": ["pending", "in_progress"]}})
    assert left["count"] == 0


NOTHING = "one of [connector_id], [job_types] and [statuses] is required."
INVALID = [
    ("nothing", {}, NOTHING),
    ("no connector", {"connector_id": ""}, "[connector_id] cannot be empty."),
    (
        "too long an id",
        {"connector_id": "x" * 513},
        f"id [{'x' * 513}] is too long, must be no longer than 512 bytes but was: 513",
    ),
    ("no types", {"job_types": []}, "[job_types] cannot be empty."),
    ("no statuses", {"connector_id": "c1", "statuses": []}, "[statuses] cannot be empty."),
]


@pytest.mark.parametrize(("body", "message"), named(INVALID))
def test_invalid_body_is_refused(http: Http, jobs: Stored, body: dict[str, Any], message: str) -> None:
    jobs.put("a", a_job())
    before = jobs.version("a")
    assert error_body(http.post(CANCEL, json=body)) == invalid(message)
    assert jobs.version("a") == before


UNREADABLE = [
    ("an unknown type", {"job_types": ["full", "fast"]}, "Unknown ConnectorSyncJobType [fast]."),
    ("an unknown status", {"statuses": ["active"]}, "Unknown ConnectorSyncStatus [active]."),
    ("an unknown status alone", {"statuses": "active"}, "Unknown ConnectorSyncStatus [active]."),
]


@pytest.mark.parametrize(("body", "reason"), named(UNREADABLE))
def test_unknown_word_is_refused(http: Http, jobs: Stored, body: dict[str, Any], reason: str) -> None:
    jobs.put("a", a_job())
    before = jobs.version("a")
    field = next(iter(body))
    error = error_body(http.post(CANCEL, json=body))["error"]
    assert error["reason"] == f"[l:c] [connector_sync_job_cancel_many] failed to parse field [{field}]"
    assert error["caused_by"] == {"type": "illegal_argument_exception", "reason": reason}
    assert jobs.version("a") == before


@pytest.mark.parametrize(
    "body",
    [{"connector_id": None}, {"job_types": None}, {"connector_ids": ["c1"]}, {"statuses": [None]}],
    ids=str,
)
def test_unreadable_body_is_refused(http: Http, jobs: Stored, body: dict[str, Any]) -> None:
    jobs.put("a", a_job())
    before = jobs.version("a")
    assert error_body(http.post(CANCEL, json=body))["status"] == 400
    assert jobs.version("a") == before


# --- With a store in this process ---


@pytest.fixture
def proxied(proxy: FaultProxy, elasticsearch: Elasticsearch, store: Store) -> Iterator[Store]:
    """A store behind the proxy; there are no documents."""
    store.indices.ensure()
    empty(elasticsearch)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        yield Store(settings.load())


@pytest.fixture
def stored(proxied: Store, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.mark.parametrize(
    ("document", "then"),
    [
        (of("c2"), None),
        (of("c1", "in_progress"), None),
        (of("c1", "canceled"), None),
        (of("c1", "suspended"), None),
        (of("c1", job_type="full"), None),
        (None, None),
        (of("c1", worker_hostname="w"), "canceled"),
    ],
    ids=[
        "another connector",
        "claimed",
        "canceled",
        "suspended",
        "another type",
        "deleted",
        "something else",
    ],
)
def test_job_that_changed_after_it_was_found_is_looked_at_again(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch, document: Any, then: str | None
) -> None:
    stored.put("a", of("c1"))
    send = proxied.sync_jobs.transition_all

    def change_first(changes: Any) -> Any:
        if document is None:
            proxied.sync_jobs.delete("a")
        else:
            stored.put("a", document)
        return send(changes)

    monkeypatch.setattr(proxied.sync_jobs, "transition_all", change_first)
    found = many.cancel_all(proxied, connector_id="c1", job_types=["incremental"], statuses=["pending"])
    assert found == (counts(canceled=1) if then else counts(conflicts=1))
    if document is not None:
        assert stored.source("a")["status"] == (then or document["status"])


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_jobs_of_a_lost_request_are_counted_once(
    proxied: Store, stored: Stored, proxy: FaultProxy, responses: bool
) -> None:
    stored.put_all({"a": of("c1"), "b": of("c1", "in_progress"), "c": of("c1", "suspended")})
    with proxy.losing(nth(1, to("/_bulk")), responses=responses):
        assert many.cancel_all(proxied, connector_id="c1") == counts(canceled=2, canceling=1)


def test_job_that_cannot_be_written_is_a_conflict_and_holds_nothing_up(
    proxied: Store, stored: Stored, elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.put_all({"a": of("c1"), "b": of("c1"), "c": of("c1")})
    send = proxied.sync_jobs.transition_all

    def spoil_one(changes: Any) -> Any:
        """As a document that an index made elsewhere doesn't take."""
        return [
            ApiError(400, many.missing_error("b").cause) if change.document_id == "b" else result
            for change, result in zip(changes, send(changes), strict=True)
        ]

    monkeypatch.setattr(proxied.sync_jobs, "transition_all", spoil_one)
    assert many.cancel_all(proxied, connector_id="c1") == counts(canceled=2, conflicts=1)


def test_error_that_may_pass_is_raised_when_the_others_are_done(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "PAGE", 2)
    stored.put_all({each: of("c1") for each in "abcd"})
    send = proxied.sync_jobs.transition_all

    def fail_first(changes: Any) -> Any:
        others = [change for change in changes if change.document_id != "a"]
        return [unavailable("busy")] * (len(changes) - len(others)) + send(others)

    with monkeypatch.context() as patch:
        patch.setattr(proxied.sync_jobs, "transition_all", fail_first)
        with pytest.raises(ApiError) as refused:
            many.cancel_all(proxied, connector_id="c1")
        assert (refused.value.status, refused.value.cause.reason) == (503, "busy")
    assert many.cancel_all(proxied, connector_id="c1") == counts(canceled=1)


def test_cluster_that_goes_away_is_503_and_the_request_can_be_repeated(
    proxied: Store, stored: Stored, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "PAGE", 2)
    stored.put_all({each: of("c1") for each in "abcde"})
    bulks = 0

    def after_the_first(request: Any) -> bool:
        nonlocal bulks
        bulks += "/_bulk" in request.path
        return bulks > 1

    with proxy.losing(after_the_first), pytest.raises(ApiError) as refused:
        many.cancel_all(proxied, connector_id="c1")
    assert refused.value.status == 503
    assert many.cancel_all(proxied, connector_id="c1") == counts(canceled=3)


def test_request_ends_in_time_and_can_be_repeated(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "PAGE", 2)
    monkeypatch.setattr(walks, "SECONDS", 0.0)
    stored.put_all({each: of("c1") for each in "abcde"})
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            many.cancel_all(proxied, connector_id="c1")
        assert refused.value.status == 503
        assert "can be sent again" in (refused.value.cause.reason or "")
    assert many.cancel_all(proxied, connector_id="c1") == counts(canceled=1)
