"""The service with exactly the roles that the README documents for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import DEFINITIONS, SECRETS
from app.store.pipelines import DEFAULT_PIPELINE
from tests.connectors import test_life
from tests.documents import empty
from tests.environment import has_processors
from tests.secured import Start, basic
from tests.service import Http, Service

COUNTERS = {"deleted_document_count": 0, "indexed_document_count": 2, "indexed_document_volume": 3}


@pytest.fixture
def http(guarded: Service, admin: Elasticsearch) -> Iterator[Http]:
    """An HTTP client with the superuser, for the service with the role `run`. There are no documents."""
    empty(admin)
    http = Http(guarded.url, basic("admin"))
    yield http
    http.close()


def test_role_run_is_enough_for_the_life_of_a_connector(http: Http) -> None:
    test_life.test_life_of_a_connector(http)


def test_role_run_is_enough_for_the_life_of_a_job(http: Http) -> None:
    assert http.get("/readyz").json() == {"status": "ready"}
    made = http.put("/_connector/c", json={"index_name": "search-c", "service_type": "mysql"})
    assert made.status_code == 201
    job, other = (http.post("/_connector/_sync_job", json={"id": "c"}).json()["id"] for _ in range(2))
    for step, body in {
        "_claim": {"worker_hostname": "w", "sync_cursor": {"page": 1}},
        "_check_in": None,
        "_stats": COUNTERS,
        "_error": {"error": "Out of disk"},
    }.items():
        assert http.put(f"/_connector/_sync_job/{job}/{step}", json=body).json() == {"result": "updated"}, (
            step
        )
    assert http.put(f"/_connector/_sync_job/{other}/_cancel").json() == {"result": "updated"}
    listed = http.get("/_connector/_sync_job?status=error,canceled").json()["results"]
    assert {each["id"]: each["status"] for each in listed} == {job: "error", other: "canceled"}
    walked = http.get("/_connector/_sync_job?status=error&from=9999&size=2").json()
    assert walked == {"count": 1, "results": []}
    assert http.delete(f"/_connector/_sync_job/{job}").json() == {"acknowledged": True}
    assert http.delete("/_connector/c?delete_sync_jobs=true&hard=true").json() == {"acknowledged": True}
    assert http.get("/_connector/_sync_job").json()["count"] == 0


def test_role_run_is_enough_for_secrets(http: Http) -> None:
    secret = http.post("/_connector/_secret", json={"value": "v"}).json()["id"]
    assert http.put(f"/_connector/_secret/{secret}", json={"value": "w"}).json() == {"result": "updated"}
    assert http.get(f"/_connector/_secret/{secret}").json() == {"id": secret, "value": "w"}
    assert http.delete(f"/_connector/_secret/{secret}").json() == {"deleted": True}


def test_role_run_is_enough_when_the_pipeline_is_missing(
    start_service: Start, guarded: Service, admin: Elasticsearch
) -> None:
    """The role may neither create nor read the pipeline; jobs can run nevertheless."""
    admin.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    with start_service("run") as service:
        service.wait_until_ready()
        service.wait_for(lambda: "pipeline_not_managed" in service.log())


def test_role_setup_is_enough_to_create_everything(
    start_service: Start, guarded: Service, admin: Elasticsearch
) -> None:
    """Indices with aliases, templates, and the pipeline if the cluster has its processors."""
    ignoring_404 = admin.options(ignore_status=404)
    definitions = (*DEFINITIONS, SECRETS)
    ignoring_404.indices.delete(index=[definition.name for definition in definitions])
    templates = {definition.template for definition in definitions} - {None}
    components = {name for definition in definitions for name in definition.component_templates}
    for name in templates:
        ignoring_404.indices.delete_index_template(name=name)
    for name in components:
        ignoring_404.cluster.delete_component_template(name=name)
    ignoring_404.ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    pipeline = has_processors(admin)

    with start_service("setup") as service:
        service.wait_until_ready()
        done = "pipeline_created" if pipeline else "pipeline_refused"
        service.wait_for(lambda: done in service.log())

    assert templates
    for definition in definitions:
        assert admin.indices.exists_alias(index=definition.name, name=definition.alias)
    assert all(admin.indices.exists_index_template(name=name) for name in templates)
    assert all(admin.cluster.exists_component_template(name=name) for name in components)
    assert ignoring_404.ingest.get_pipeline(id=DEFAULT_PIPELINE).meta.status == (200 if pipeline else 404)
    assert Http(guarded.url).get("/readyz").status_code == 200


def test_role_run_is_enough_to_lead(start_service: Start, set_up: None, admin: Elasticsearch) -> None:
    empty(admin)
    settings = {"MAINTENANCE_INTERVAL": "100ms", "SCHEDULER": "1", "RETENTION": "1d"}
    with start_service("run", **settings) as service:

        def last_run() -> dict[str, Any] | None:
            summary = service.http.get("/_connector/_sync_job/_summary", headers=basic("admin")).json()
            return summary["leader"] and summary["leader"]["last_run"]

        service.wait_for(last_run)
        assert last_run()["failed"] == []
        assert "maintenance_failed" not in service.log()
