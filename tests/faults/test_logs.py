"""What operators find in the logs on a bad day: one id through both, and no secrets."""

from __future__ import annotations

import json

from elasticsearch import Elasticsearch

from app.store.index_definitions import SYNC_JOBS
from tests.service import Service


def lines(service: Service, request_id: str) -> list[dict]:
    entries = [json.loads(line) for line in service.log().splitlines()]
    return [entry for entry in entries if entry.get("request_id") == request_id]


def test_one_id_from_the_request_to_elasticsearchs_own_log(mortal, survivor) -> None:
    with Elasticsearch(mortal.url) as client:
        threshold = {"index.search.slowlog.threshold.query.trace": "0ms"}
        client.indices.put_settings(index=SYNC_JOBS.alias, settings=threshold)
    answer = survivor.http.get("/_connector/_sync_job", headers={"X-Opaque-Id": "id-of-the-caller"})
    assert answer.headers["X-Opaque-Id"] == "id-of-the-caller"
    slow_log = next((mortal.folder / "logs").glob("*_index_search_slowlog.json"))
    survivor.wait_for(lambda: '"elasticsearch.slowlog.id":"id-of-the-caller"' in slow_log.read_text("utf-8"))
    [line] = lines(survivor, "id-of-the-caller")
    assert (line["event"], line["method"], line["path"], line["status"]) == (
        "request",
        "GET",
        "/_connector/_sync_job",
        200,
    )


def test_a_request_without_an_id_gets_one_that_is_not_echoed(survivor) -> None:
    answer = survivor.http.get("/_connector/_sync_job/none-of-this-id")
    assert "X-Opaque-Id" not in answer.headers
    paths = [json.loads(line) for line in survivor.log().splitlines()]
    [line] = [entry for entry in paths if entry.get("path", "").endswith("none-of-this-id")]
    assert len(line["request_id"]) == 16


def test_an_id_cannot_forge_a_log_line(survivor) -> None:
    forged = 'x", "event": "forged'
    survivor.http.get("/_connector/_sync_job/forging", headers={"X-Opaque-Id": forged})
    assert all(json.loads(line)["event"] != "forged" for line in survivor.log().splitlines())
    assert not lines(survivor, forged)


def test_no_secret_is_logged_when_elasticsearch_refuses_a_document(survivor) -> None:
    survivor.http.put("/_connector/c", json={"name": "c", "index_name": "search-c", "service_type": "mysql"})
    job = survivor.http.post("/_connector/_sync_job", json={"id": "c"}).json()["id"]
    claim = {"worker_hostname": "w", "sync_cursor": {"": "the-secret-cursor"}}
    answer = survivor.http.put(f"/_connector/_sync_job/{job}/_claim", json=claim)
    assert answer.status_code == 400
    assert "the-secret-cursor" not in answer.text
    assert "the-secret-cursor" not in survivor.log()
