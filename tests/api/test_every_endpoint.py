"""Behaviour of every sync job endpoint: missing jobs and indices, unknown parameters and unexpected bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.documents import Stored, a_job
from tests.endpoints import JOBS, OF_JOBS, Endpoint
from tests.responses import envelope, error_body, illegal, not_found
from tests.service import Http

ENDPOINTS = [endpoint.of("j1") for endpoint in OF_JOBS]


def each(endpoints: Iterable[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", list(endpoints), ids=lambda endpoint: endpoint.action)


EVERY = each(ENDPOINTS)
OF_A_JOB = each(endpoint.of("j1") for endpoint in OF_JOBS if endpoint.of_one)
NEEDS_BODY = each(
    endpoint for endpoint in ENDPOINTS if endpoint.body is not None and not endpoint.body_optional
)
TAKES_NO_BODY = each(endpoint.of("j1") for endpoint in OF_JOBS if endpoint.body_optional and endpoint.of_one)
WITHOUT_BODY = each(endpoint for endpoint in ENDPOINTS if endpoint.body is None)
NOT_FOUND_MESSAGE = not_found("connector sync job [j1] not found")


@OF_A_JOB
def test_decision_15_missing_job_is_not_found(http: Http, endpoint: Endpoint) -> None:
    """Heartbeats get an error message, all other endpoints respond with the bare id."""
    assert error_body(endpoint.send(http)) == (
        NOT_FOUND_MESSAGE
        if endpoint.action in ("sync_job/check_in", "sync_job/update_stats")
        else not_found("j1")
    )


@OF_A_JOB
def test_decision_15_missing_index_means_job_not_found(
    http: Http, elasticsearch: Elasticsearch, endpoint: Endpoint
) -> None:
    """No index is created, neither the right one nor one with the name of the alias."""
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert error_body(endpoint.send(http)) == NOT_FOUND_MESSAGE
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.name])


@pytest.mark.parametrize(
    "query", ["", "?status=pending&connector_id=c1&job_type=full", "?order=desc&from=3", "?search_after="]
)
def test_list_without_an_index_is_empty(http: Http, elasticsearch: Elasticsearch, query: str) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    response = http.get(JOBS + query)
    assert (response.status_code, response.json()) == (200, {"count": 0, "results": []})
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.name])


@pytest.mark.parametrize("name", ["refresh", "timeout", "if_seq_no", "hard", "include_deleted", "last_seen"])
@EVERY
def test_unknown_parameter_is_refused_and_nothing_is_written(
    http: Http, jobs: Stored, writes: Callable[[], int], endpoint: Endpoint, name: str
) -> None:
    """They are refused even if there is no such job."""
    refusal = illegal(f"request [{endpoint.path}] contains unrecognized parameter: [{name}]")
    assert error_body(endpoint.send(http, f"?{name}=true")) == refusal
    jobs.put("j1", a_job())
    before = writes()
    assert error_body(endpoint.send(http, f"?{name}=true")) == refusal
    assert writes() == before


@pytest.mark.parametrize("body", [{}, {"a": 1}, []], ids=str)
@WITHOUT_BODY
def test_unexpected_body_is_refused_and_nothing_is_written(
    http: Http, jobs: Stored, writes: Callable[[], int], endpoint: Endpoint, body: Any
) -> None:
    jobs.put("j1", a_job())
    before = writes()
    assert error_body(endpoint.send(http, json=body)) == illegal(
        f"request [{endpoint.method} {endpoint.path}] does not support having a body"
    )
    assert writes() == before


@NEEDS_BODY
def test_missing_body_is_refused_and_nothing_is_written(
    http: Http, jobs: Stored, writes: Callable[[], int], endpoint: Endpoint
) -> None:
    jobs.put("j1", a_job())
    before = writes()
    response = http.request(endpoint.method, endpoint.path)
    assert error_body(response) == envelope(400, "parse_exception", "request body is required")
    assert writes() == before


@TAKES_NO_BODY
def test_optional_body_may_be_missing_or_empty(http: Http, jobs: Stored, endpoint: Endpoint) -> None:
    status = "canceling" if endpoint.action == "sync_job/confirm_cancel" else "in_progress"
    for options in ({}, {"json": {}}):
        jobs.put("j1", a_job(status))
        response = http.request(endpoint.method, endpoint.path, **options)
        assert (response.status_code, response.json()) == (200, {"result": "updated"})
