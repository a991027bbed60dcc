"""What becomes of credentials: remembered for a moment, forgotten when in doubt, never shown."""

from __future__ import annotations

import time

import pytest

from app.store.pipelines import DEFAULT_PIPELINE
from scripts.elasticsearch import EmbeddedNode, Security, client_major
from tests.conftest import has_processors
from tests.security.conftest import basic, password
from tests.service import Service

CONFIGURATION = {
    "host": {"label": "Host", "sensitive": False, "value": "db.example"},
    "password": {"label": "Password", "sensitive": True, "value": "the-secret"},
    "unset": {"label": "Unset", "sensitive": True, "value": None},
}


def test_sensitive_values_are_masked_for_those_who_may_only_read(guarded, callers, admin) -> None:
    http, manager = guarded.http, callers.manager
    http.put(
        "/_connector/masked", headers=manager, json={"index_name": "search-masked", "service_type": "mysql"}
    )
    configured = http.put(
        "/_connector/masked/_configuration", headers=manager, json={"configuration": CONFIGURATION}
    )
    assert configured.status_code == 200, configured.text
    job = http.post("/_connector/_sync_job", headers=manager, json={"id": "masked"}).json()["id"]
    for path, read in {
        "/_connector/masked": lambda body: body,
        "/_connector?connector_name=": lambda body: next(c for c in body["results"] if c["id"] == "masked"),
        f"/_connector/_sync_job/{job}": lambda body: body["connector"],
        "/_connector/_sync_job?connector_id=masked": lambda body: body["results"][0]["connector"],
    }.items():
        path = path.removesuffix("?connector_name=")
        for caller, seen in {"manager": "the-secret", "admin": "the-secret", "monitor": "********"}.items():
            answer = http.get(path, headers=getattr(callers, caller))
            configuration = read(answer.json())["configuration"]
            assert configuration["password"]["value"] == seen, (path, caller)
            assert configuration["host"]["value"] == "db.example"
            assert configuration["unset"]["value"] is None
    assert admin.get(index=".elastic-connectors", id="masked")["_source"]["configuration"]["password"][
        "value"
    ] == ("the-secret")


def test_no_credential_is_ever_logged(guarded, callers) -> None:
    for caller in vars(callers).values():
        guarded.http.get("/_connector/_sync_job", headers=caller)
        guarded.http.get("/_connector/x/y/z", headers=caller)
    log = guarded.log()
    for headers in vars(callers).values():
        for value in headers.values():
            assert value.split()[-1] not in log
    assert "password-of-" not in log


def test_good_news_is_remembered_no_longer_than_the_setting(start_service, admin) -> None:
    with (
        start_service("run", AUTHORIZATION_CACHE_SECONDS="3") as short,
        start_service("run", AUTHORIZATION_CACHE_SECONDS="0") as none,
    ):
        key = admin.security.create_api_key(name="short-lived")
        headers = {"Authorization": f"ApiKey {key['encoded']}"}
        for service in (short, none):
            service.wait_until_ready()
            assert service.http.get("/_connector/_sync_job", headers=headers).status_code == 200
        admin.security.invalidate_api_key(ids=[key["id"]])
        assert none.http.get("/_connector/_sync_job", headers=headers).status_code == 401
        time.sleep(3.1)
        assert short.http.get("/_connector/_sync_job", headers=headers).status_code == 401


def test_bad_news_is_never_remembered(start_service, admin) -> None:
    with start_service("run", AUTHORIZATION_CACHE_SECONDS="3600") as service:
        service.wait_until_ready()
        headers = {**basic("admin"), "es-security-runas-user": "nobody-yet"}
        refused = service.http.get("/_connector/_sync_job", headers=headers)
        assert refused.status_code in (401, 403)
        admin.security.put_user(username="nobody-yet", password=password("nobody-yet"), roles=["superuser"])
        assert service.http.get("/_connector/_sync_job", headers=headers).status_code == 200


@pytest.mark.timeout(240)
def test_a_cluster_that_becomes_secured_closes_the_door(tmp_path_factory) -> None:
    """Nobody restarts the service: what counts is what the node says after the interruption."""
    users = {"run": (password("run"), ["superuser"])}
    with EmbeddedNode(major=client_major()) as node:
        credentials = {"ELASTICSEARCH_USERNAME": "run", "ELASTICSEARCH_PASSWORD": password("run")}
        with Service(node.url, ELASTICSEARCH_TIMEOUT="2", **credentials) as service:
            service.wait_until_ready()
            assert service.http.get("/_connector/_sync_job").status_code == 200
            node.stop()
            answer = service.http.get("/_connector/_sync_job")
            assert (answer.status_code, answer.json()["error"]["type"]) == (503, "status_exception")
            node._security = Security(users=users)
            node.start()
            service.wait_until_ready()
            assert service.http.get("/_connector/_sync_job").status_code == 401
            assert service.http.get("/_connector/_sync_job", headers=basic("run")).status_code == 200


def test_a_service_that_elasticsearch_refuses_is_503_and_never_401(secured, callers) -> None:
    credentials = {"ELASTICSEARCH_USERNAME": "run", "ELASTICSEARCH_PASSWORD": "not-the-password"}
    with Service(secured.url, **credentials) as service:
        answer = service.http.get("/_connector/_sync_job", headers=callers.admin)
        assert answer.status_code == 503
        assert "credentials" in answer.json()["error"]["reason"]
        assert "not-the-password" not in answer.text + service.log()


def test_the_role_that_only_runs_is_enough_when_the_pipeline_is_gone(start_service, guarded, admin) -> None:
    """It may not make the pipeline, nor look whether there is one; that keeps nobody from running jobs."""
    admin.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    with start_service("run") as service:
        service.wait_until_ready()
        service.wait_for(lambda: "pipeline_not_managed" in service.log())
    with start_service("setup") as service:
        if not has_processors(admin):
            service.wait_for(lambda: "pipeline_refused" in service.log())
            return
        service.wait_for(
            lambda: (
                admin.options(ignore_status=404).ingest.get_pipeline(id=DEFAULT_PIPELINE).meta.status == 200
            )
        )
