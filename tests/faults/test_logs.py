"""Logs for operators: one request id in the logs of service and Elasticsearch, and no secrets."""

from __future__ import annotations

import json

from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.service import Service


def lines(service: Service, request_id: str) -> list[dict]:
    entries = [json.loads(line) for line in service.log().splitlines()]
    return [entry for entry in entries if entry.get("request_id") == request_id]


def test_request_id_is_in_the_log_of_elasticsearch(killable_node, surviving_service) -> None:
    with Elasticsearch(killable_node.url) as client:
        threshold = {"index.search.slowlog.threshold.query.trace": "0ms"}
        client.indices.put_settings(index=SYNC_JOBS.alias, settings=threshold)
    response = surviving_service.http.get(
        "/_connector/_sync_job", headers={"X-Opaque-Id": "id-of-the-caller"}
    )
    assert response.headers["X-Opaque-Id"] == "id-of-the-caller"
    slow_log = next((killable_node.folder / "logs").glob("*_index_search_slowlog.json"))
    surviving_service.wait_for(
        lambda: '"elasticsearch.slowlog.id":"id-of-the-caller"' in slow_log.read_text("utf-8")
    )
    [line] = lines(surviving_service, "id-of-the-caller")
    assert (line["event"], line["method"], line["path"], line["status"]) == (
        "request",
        "GET",
        "/_connector/_sync_job",
        200,
    )


def test_request_without_an_id_gets_one_that_is_not_echoed(surviving_service) -> None:
    response = surviving_service.http.get("/_connector/_sync_job/none-of-this-id")
    assert "X-Opaque-Id" not in response.headers
    paths = [json.loads(line) for line in surviving_service.log().splitlines()]
    [line] = [entry for entry in paths if entry.get("path", "").endswith("none-of-this-id")]
    assert len(line["request_id"]) == 16


def test_opaque_id_cannot_forge_a_log_line(surviving_service) -> None:
    forged = 'x", "event": "forged'
    surviving_service.http.get("/_connector/_sync_job/forging", headers={"X-Opaque-Id": forged})
    assert all(json.loads(line)["event"] != "forged" for line in surviving_service.log().splitlines())
    assert not lines(surviving_service, forged)


def test_secret_in_a_document_that_elasticsearch_refuses_is_not_logged(surviving_service) -> None:
    surviving_service.http.put(
        "/_connector/c", json={"name": "c", "index_name": "search-c", "service_type": "mysql"}
    )
    job = surviving_service.http.post("/_connector/_sync_job", json={"id": "c"}).json()["id"]
    claim = {"worker_hostname": "w", "sync_cursor": {"": "the-secret-cursor"}}
    response = surviving_service.http.put(f"/_connector/_sync_job/{job}/_claim", json=claim)
    assert response.status_code == 400
    assert "the-secret-cursor" not in response.text
    assert "the-secret-cursor" not in surviving_service.log()
