"""The documented life cycle of a connector, from creation to deletion, with a job in between."""

from __future__ import annotations

from tests.endpoints import ROOT


def test_life_of_a_connector(http) -> None:
    def put(path: str, body: object = None) -> str:
        response = http.put(f"{ROOT}{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    made = http.post(ROOT, json={"name": "Orders", "description": "All orders"})
    connector = f"/{made.json()['id']}"
    assert put(f"{connector}/_service_type", {"service_type": "mysql"}) == "updated"
    assert http.get(ROOT + connector).json()["status"] == "created"
    item = {"label": "Host", "type": "str", "required": True, "order": 1}
    secret = {"label": "Password", "type": "str", "sensitive": True, "order": 2}
    assert put(f"{connector}/_configuration", {"configuration": {"host": item, "password": secret}})
    assert put(f"{connector}/_configuration", {"values": {"host": "db", "password": "x"}}) == "updated"
    assert put(f"{connector}/_index_name", {"index_name": "search-orders"}) == "updated"
    schedule = {"full": {"enabled": True, "interval": "0 0 3 * * ?"}}
    assert put(f"{connector}/_scheduling", {"scheduling": schedule}) == "updated"
    assert put(f"{connector}/_features", {"features": {"sync_rules": {"basic": {"enabled": True}}}})
    pipeline = {
        "name": "search-default-ingestion",
        "extract_binary_content": True,
        "reduce_whitespace": True,
        "run_ml_inference": False,
    }
    assert put(f"{connector}/_pipeline", {"pipeline": pipeline}) == "updated"

    rule = {
        "id": "r",
        "field": "state",
        "order": 0,
        "policy": "exclude",
        "rule": "equals",
        "value": "draft",
    }
    assert put(f"{connector}/_filtering", {"rules": [rule]}) == "updated"
    assert http.put(f"{ROOT}{connector}/_filtering/_activate").status_code == 400
    verdict = {"validation": {"state": "valid", "errors": []}}
    assert put(f"{connector}/_filtering/_validation", verdict) == "updated"
    assert put(f"{connector}/_filtering/_activate") == "updated"

    assert put(f"{connector}/_check_in") == "updated"
    assert put(f"{connector}/_status", {"status": "connected"}) == "updated"
    job_body = {"id": connector[1:], "job_type": "full", "trigger_method": "on_demand"}
    job = f"/_sync_job/{http.post(f'{ROOT}/_sync_job', json=job_body).json()['id']}"
    snapshot = http.get(ROOT + job).json()["connector"]
    assert snapshot["index_name"] == "search-orders"
    assert snapshot["configuration"]["host"]["value"] == "db"
    assert snapshot["filtering"]["rules"][0]["id"] == "r"
    assert snapshot["pipeline"] == pipeline
    assert put(f"{job}/_claim", {"worker_hostname": "w"}) == "updated"
    counters = {"deleted_document_count": 0, "indexed_document_count": 9, "indexed_document_volume": 1}
    assert put(f"{job}/_stats", counters) == "updated"
    done = {
        "last_sync_status": "completed",
        "last_synced": "2024-01-01T00:00:00Z",
        "last_indexed_document_count": 9,
        "last_sync_error": None,
    }
    assert put(f"{connector}/_last_sync", done) == "updated"

    listed = http.get(f"{ROOT}?index_name=search-orders").json()
    assert listed["count"] == 1
    assert listed["results"][0]["last_sync_status"] == "completed"
    assert listed["results"][0]["status"] == "connected"
    assert http.delete(f"{ROOT}{connector}?delete_sync_jobs=true").status_code == 200
    assert http.get(ROOT + connector).status_code == 404
    assert http.get(f"{ROOT}/_sync_job").json()["count"] == 0
    assert http.post(ROOT, json={"index_name": "search-orders"}).status_code == 201
