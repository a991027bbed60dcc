"""Scripts in Elasticsearch: compiled once for all values, never without a verdict, no 409 for version conflicts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
from elasticsearch import Elasticsearch
from structlog.testing import capture_logs

from app import create_app, logs
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.store import Store, documents, retries
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from app.store.scripts import Script, UnexpectedVerdict
from app.sync_jobs import updates
from tests.service import Http

JOBS = "/_connector/_sync_job"


def compilations(client: Elasticsearch) -> int:
    nodes = client.nodes.stats(metric="script")["nodes"].values()
    return sum(node["script"]["compilations"] for node in nodes)


def call_every_endpoint(http: Http, value: int) -> None:
    """Call each endpoint that has a script, with values that are new in each call."""
    text, cursor = f"value-{value}", {f"key-{value}": [value, {"a": value / 7}]}
    rule = {
        "id": text,
        "field": "_",
        "order": 0,
        "policy": "include",
        "rule": "regex",
        "value": text,
        **dict.fromkeys(["created_at", "updated_at"], f"2024-01-01T00:00:{value:02d}Z"),
    }
    connector = f"/_connector/{text}"
    calls = [
        ("PUT", connector, {"index_name": text, "service_type": "s"}),
        ("PUT", connector, {"name": text}),
        ("PUT", f"{connector}/_name", {"name": text, "description": text * 2}),
        ("PUT", f"{connector}/_check_in", None),
        ("PUT", f"{connector}/_service_type", {"service_type": text}),
        ("PUT", f"{connector}/_configuration", {"configuration": {text: {"label": text, "value": value}}}),
        ("PUT", f"{connector}/_configuration", {"values": {text: value + 1}}),
        ("PUT", f"{connector}/_filtering", {"rules": [rule]}),
        ("PUT", f"{connector}/_filtering/_validation", {"validation": {"state": "valid", "errors": []}}),
        ("PUT", f"{connector}/_filtering/_activate", None),
        ("PUT", f"{connector}/_index_name", {"index_name": f"{text}-x"}),
        ("PUT", f"{connector}/_last_sync", {"sync_cursor": cursor, "last_indexed_document_count": value}),
        ("PUT", f"{connector}/_native", {"is_native": False}),
        ("PUT", f"{connector}/_error", {"error": text}),
        ("PUT", f"{connector}/_status", {"status": "connected"}),
        ("GET", f"/_connector?query={text}", None),
        ("POST", f"{JOBS}?if_active=refuse", {"id": text}),
        ("GET", f"{JOBS}?connector_id={text}", None),
    ]
    for method, path, body in calls:
        key = {"Idempotency-Key": text} if method == "POST" else {}
        response = http.request(method, path, headers=key, **({"json": body} if body else {}))
        assert response.status_code < 300, (path, response.text)
    [job] = response.json()["results"]
    counters = dict.fromkeys(
        ["deleted_document_count", "indexed_document_count", "indexed_document_volume"], value
    )
    for path, sent in (
        ("_claim", {"worker_hostname": text, "sync_cursor": cursor}),
        ("_check_in", None),
        ("_stats", counters | {"metadata": cursor}),
        ("_cancel", None),
        ("_error", {"error": text}),
    ):
        response = http.put(f"{JOBS}/{job['id']}/{path}", **({"json": sent} if sent else {}))
        assert response.status_code == 200, (path, response.text)
    assert http.delete(f"{JOBS}/{job['id']}").status_code == 200
    call_every_endpoint_for_many_jobs(http, value)
    assert http.delete(f"{connector}?delete_sync_jobs=true").status_code == 200


def call_every_endpoint_for_many_jobs(http: Http, value: int) -> None:
    """Each of them finds a job to change."""
    text = f"value-{value}"
    job = http.post(JOBS, json={"id": text}).json()["id"]
    assert http.put(f"{JOBS}/{job}/_claim", json={"worker_hostname": text}).status_code == 200
    beaten = http.post(f"{JOBS}/_check_in", json={"worker_hostname": text, "ids": [job]})
    assert beaten.json()["items"][0]["result"] == "updated"
    canceled = http.post(f"{JOBS}/_cancel", json={"connector_id": text, "statuses": ["in_progress"]})
    assert canceled.json()["canceling"] == 1
    rescued = http.post(f"{JOBS}/_rescue", json={"idle_for": f"{value}nanos", "limit": value + 1})
    assert [each["id"] for each in rescued.json()["rescued"]] == [job]
    body = {"finished_for": f"{value}nanos", "keep_last": 0, "dry_run": False}
    assert http.post(f"{JOBS}/_prune", json=body).json() == {"deleted": 1}


def test_values_are_parameters_and_cause_no_compilation(http: Http, elasticsearch: Elasticsearch) -> None:
    call_every_endpoint(http, 0)
    before = compilations(elasticsearch)
    for value in range(1, 6):
        call_every_endpoint(http, value)
    assert compilations(elasticsearch) == before


@pytest.mark.parametrize(
    "source", ["ctx.op = 'none'", "ctx.op = 'noop'", "ctx.op = 'udpate'; ctx._source.a = 2"]
)
def test_script_that_leaves_the_document_unchanged_without_a_verdict_is_an_error(
    store: Store, elasticsearch: Elasticsearch, source: str
) -> None:
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"a": 1})
    with pytest.raises(UnexpectedVerdict, match=r"script \[bad\] left the document alone without a verdict"):
        store.sync_jobs.transition("j1", Script("tests", "bad", source), {})
    assert elasticsearch.get(index=SYNC_JOBS.alias, id="j1")["_source"] == {"a": 1}


@pytest.mark.parametrize("verdict", ["refuzed", "held"], ids=["unknown", "not expected"])
def test_verdict_that_the_operation_does_not_expect_is_an_internal_error(
    store: Store,
    elasticsearch: Elasticsearch,
    node_url: str,
    monkeypatch: pytest.MonkeyPatch,
    verdict: str,
) -> None:
    """Never a success. The log names the script, the response says nothing."""
    monkeypatch.setenv("ELASTICSEARCH_URL", node_url)
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # other tests look at logs in their own way
    changed = replace(updates.CLAIM, source=updates.CLAIM.source.replace("'refused'", f"'{verdict}'"))
    monkeypatch.setattr(updates, "CLAIM", changed)
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"status": "completed"})
    with capture_logs() as logged:
        response = create_app().test_client().put(f"{JOBS}/j1/_claim", json={"worker_hostname": "w"})
    assert response.status_code == 500
    assert response.json["error"]["reason"] == "The request failed because of an internal error."
    [defect] = [str(entry["exc_info"]) for entry in logged if "exc_info" in entry]
    assert "script [claim]" in defect
    assert elasticsearch.get(index=SYNC_JOBS.alias, id="j1")["_source"] == {"status": "completed"}


@pytest.mark.parametrize(
    "source", ["Integer.parseInt(ctx._source.a)", "int x = ;"], ids=["fails", "does not compile"]
)
def test_script_that_fails_is_503(
    store: Store, elasticsearch: Elasticsearch, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    """Not a 4xx, on which workers fail their job. Neither the response nor the log quotes the document."""
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"a": "hunter2"})
    with pytest.raises(ApiError) as raised:
        store.sync_jobs.transition("j1", Script("tests", "bad", source), {})
    assert raised.value.status == 503
    assert raised.value.cause.caused_by is None
    logged = "".join(capsys.readouterr())
    assert "hunter2" not in f"{raised.value}{logged}"
    assert "script_failed" in logged
    assert elasticsearch.get(index=SYNC_JOBS.alias, id="j1")["_source"] == {"a": "hunter2"}


def test_decision_4_request_with_lasting_conflicts_is_503(
    store: Store, elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a timeout of 0 while others write the same document all the time: 503, never 409."""
    monkeypatch.setattr(retries, "CONFLICT_TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(documents, "RETRY_ON_CONFLICT", 0)
    elasticsearch.index(index=SYNC_JOBS.alias, id="j1", document={"status": "in_progress"})
    over = Event()

    def hammer(number: int) -> None:
        while not over.is_set():
            elasticsearch.index(
                index=SYNC_JOBS.alias, id="j1", document={"status": "in_progress", "n": number}
            )

    refusals: list[ApiError] = []
    with ThreadPoolExecutor(4) as threads:
        hammers = [threads.submit(hammer, number) for number in range(4)]
        try:
            for _ in range(1000):
                try:
                    assert updates.check_in(store, "j1", compatibility=DOCUMENTED) == "updated"
                except ApiError as refusal:
                    refusals.append(refusal)
                if len(refusals) == 3:
                    break
        finally:
            over.set()
        for each in hammers:
            each.result()
    assert [refusal.status for refusal in refusals] == [503] * 3
    assert "Too many updates of the same document at once" in (refusals[0].cause.reason or "")


@pytest.fixture(autouse=True)
def no_documents(elasticsearch: Elasticsearch, store: Store) -> None:
    store.indices.ensure()
    for definition in (CONNECTORS, SYNC_JOBS):
        elasticsearch.delete_by_query(
            index=definition.alias, query={"match_all": {}}, refresh=True, conflicts="proceed"
        )
