"""Searches as they are sent, without an Elasticsearch."""

from __future__ import annotations

from typing import Any

from app.connectors import queries as connectors
from app.sync_jobs import queries as sync_jobs
from app.sync_jobs.queries import JobFilter

NOT_DELETED = {"term": {"deleted": True}}
PAGE: Any = {"offset": 0, "size": 10, "limit": 100, "count_limit": None}


def test_list_of_jobs_without_filters_finds_all() -> None:
    body = sync_jobs.list_search(JobFilter(), **PAGE).body()
    assert body["query"] == {"bool": {"filter": [], "must_not": []}}
    assert body["sort"][0]["created_at"]["order"] == "asc"
    assert "search_after" not in body


def test_list_of_jobs_applies_all_filters_at_once() -> None:
    search = sync_jobs.list_search(
        JobFilter("", ["pending"], ["full", "incremental"]),
        order="desc",
        after=[1, "x"],
        **PAGE | {"offset": 5, "size": 0},
    )
    assert search.body()["query"]["bool"]["filter"] == [
        {"term": {"connector.id": ""}},
        {"terms": {"status": ["pending"]}},
        {"terms": {"job_type": ["full", "incremental"]}},
    ]
    assert (search.body()["from"], search.body()["size"], search.body()["search_after"]) == (5, 0, [1, "x"])


def test_list_of_connectors_leaves_deleted_ones_out_unless_asked() -> None:
    for include_deleted, expected in ((False, [NOT_DELETED]), (True, [])):
        search = connectors.list_search([], [], [], "", include_deleted=include_deleted, **PAGE)
        assert search.body()["query"] == {"bool": {"filter": [], "must_not": expected}}


def test_list_of_connectors_looks_for_the_query_anywhere() -> None:
    search = connectors.list_search(["i"], ["n"], ["s"], "a*", include_deleted=False, **PAGE)
    *terms, anywhere = search.body()["query"]["bool"]["filter"]
    assert terms == [
        {"terms": {"index_name": ["i"]}},
        {"terms": {"name": ["n"]}},
        {"terms": {"service_type": ["s"]}},
    ]
    fields = [next(iter(each["wildcard"])) for each in anywhere["bool"]["should"]]
    assert fields == ["index_name", "name", "description"]
    assert anywhere["bool"]["should"][0]["wildcard"]["index_name"]["value"] == "*a**"


def test_holders_are_connectors_that_are_not_deleted() -> None:
    query = connectors.holders_search("x").body()["query"]["bool"]
    assert query == {"filter": [{"term": {"index_name": "x"}}], "must_not": [NOT_DELETED]}
