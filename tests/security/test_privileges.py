"""Every endpoint with every kind of caller, on a secured cluster."""

from __future__ import annotations

import re

import pytest

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.endpoints import ALL, MANAGE, READ, SECRET_READ, SECRET_WRITE, Endpoint
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES, WEAK_SERVICE
from tests.service import Http

# Valid requests, since 403 comes after validation.
ENDPOINTS = [endpoint.of("any") for endpoint in ALL]
ALLOWED = {
    "nothing": set(),
    "monitor": {READ},
    "manager": {READ, MANAGE},
    "secret_reader": {SECRET_READ},
    "secret_writer": {SECRET_WRITE},
    "admin": {READ, MANAGE, SECRET_READ, SECRET_WRITE},
    "restricted_key": {READ},
    "manager_key": {READ, MANAGE},
    "mighty_bearer": {READ, MANAGE, SECRET_READ, SECRET_WRITE},
    "weak_bearer": {READ} if KNOWS_CONNECTOR_PRIVILEGES else set(),
}
UNAUTHENTICATED = [
    "none", "empty", "wrong", "unknown", "nonsense", "two", "not_ascii", "invalidated_key", "wrong_bearer"
]  # fmt: skip


@pytest.mark.parametrize("caller", ALLOWED)
def test_caller_may_use_exactly_the_endpoints_of_its_privileges(guarded, callers, caller) -> None:
    wrong = []
    for endpoint in ENDPOINTS:
        response = endpoint.send(guarded.http, headers=getattr(callers, caller))
        if endpoint.needs in ALLOWED[caller]:
            as_it_should_be = response.status_code < 500 and response.status_code not in (401, 403)
        else:
            action = f"action [cluster:admin/xpack/connector/{endpoint.action}] is unauthorized"
            as_it_should_be = response.status_code == 403 and action in response.text
        if not as_it_should_be:
            wrong.append((endpoint, response.status_code, response.text))
    assert not wrong


@pytest.mark.parametrize("caller", UNAUTHENTICATED)
def test_unauthenticated_caller_is_refused_before_any_other_check(guarded, callers, caller) -> None:
    requests = [
        *ENDPOINTS,
        Endpoint("", "PATCH", "/_connector/x"),
        Endpoint("", "GET", "/no/such/path"),
        Endpoint("", "GET", "/_connector/_sync_job?unknown=1"),
        Endpoint("", "PUT", "/_connector/_sync_job//_claim"),
        Endpoint("", "HEAD", "/_connector"),
    ]
    for endpoint in requests:
        response = endpoint.send(guarded.http, headers=getattr(callers, caller))
        assert response.status_code == 401, (endpoint, response.text)
        assert "Basic realm=" in response.headers["WWW-Authenticate"]
        assert response.headers["X-Elastic-Product"] == "Elasticsearch"


def test_unauthenticated_caller_is_refused_before_the_check_of_the_media_type(guarded) -> None:
    response = guarded.http.post("/_connector", data="a: 1", headers={"Content-Type": "application/yaml"})
    assert response.status_code == 401


def test_401_is_that_of_elasticsearch_with_the_path_of_the_service(guarded, secured, callers) -> None:
    for caller in UNAUTHENTICATED:
        headers = getattr(callers, caller)
        theirs = Http(secured.url).get("/_connector/x/y%2Fz?q=1", headers=headers)
        ours = guarded.http.get("/_connector/x/y%2Fz?q=1", headers=headers)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
        assert ours.headers["WWW-Authenticate"] == theirs.headers["WWW-Authenticate"]


def test_job_ends_without_privileges_for_its_connector(guarded, callers, admin) -> None:
    """The connector that its end frees is written with the service's own credentials."""
    connector = {"last_sync_status": "in_progress", "status": "connected"}
    job = {"status": "in_progress", "connector": {"id": "c1"}}
    for name, body, status in (
        ("_error", {"error": "x"}, "error"),
        ("_complete", {}, "completed"),
        ("_suspend", {}, "suspended"),
    ):
        admin.index(index=CONNECTORS.alias, id="c1", document=connector)
        admin.index(index=SYNC_JOBS.alias, id="j1", document=job)
        path = f"/_connector/_sync_job/j1/{name}"
        assert guarded.http.put(path, headers=callers.monitor, json=body).status_code == 403
        assert admin.get(index=CONNECTORS.alias, id="c1")["_source"] == connector
        response = guarded.http.put(path, headers=callers.manager_key, json=body)
        assert response.json() == {"result": "updated"}
        assert admin.get(index=CONNECTORS.alias, id="c1")["_source"]["last_sync_status"] == status


def test_validation_comes_before_403(guarded, callers) -> None:
    headers = callers.nothing
    bad_body = guarded.http.put("/_connector/_sync_job/x/_claim", headers=headers, json={})
    unknown_parameter = guarded.http.get("/_connector/_sync_job?unknown=1", headers=headers)
    no_id = guarded.http.put("/_connector/_sync_job//_claim", headers=headers, json={"worker_hostname": "w"})
    bad_index = guarded.http.get("/_connector?index_name=_a", headers=headers)
    responses = (bad_body, unknown_parameter, no_id, bad_index)
    assert [response.status_code for response in responses] == [400] * 4


def granted_by(kind: str) -> str:
    """The end of the 403 message, for a cluster with or without the connector privileges."""
    if KNOWS_CONNECTOR_PRIVILEGES:
        monitor = "monitor_connector," if kind == READ else ""
        return f", this action is granted by the cluster privileges [{monitor}manage_connector,manage,all]"
    privilege = "read" if kind == READ else "write"
    return f" on indices [.elastic-connectors*], this action is granted by the index privileges [{privilege},all]"


LIST, CANCEL = "GET /_connector/_sync_job", "PUT /_connector/_sync_job/x/_cancel"
AS_NOTHING = {"es-security-runas-user": "nothing"}
REFUSED = [
    (LIST, "nothing", {}, "for user [nothing] with effective roles [nothing]", READ),
    (CANCEL, "monitor", {}, "for user [monitor] with effective roles [monitor]", MANAGE),
    (LIST, "admin", AS_NOTHING, "for user [admin] run as [nothing] with effective roles [nothing]", READ),
    (CANCEL, "restricted_key", {}, "for API key id [ID] of user [admin]", MANAGE),
    (LIST, "acting_key", AS_NOTHING, "for API key id [ID] of user [admin] run as [nothing] with effective roles [nothing]", READ),
    (CANCEL, "weak_bearer", {}, f"for service account [elastic/{WEAK_SERVICE}]", MANAGE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "caller", "more", "who", "kind"), REFUSED, ids=[f"{row[1]}{len(row[2])}" for row in REFUSED]
)
def test_403_is_that_of_elasticsearch(guarded, callers, call, caller, more, who, kind) -> None:
    method, path = call.split()
    response = guarded.http.request(method, path, headers=getattr(callers, caller) | more)
    action = {LIST: "sync_job/list", CANCEL: "sync_job/cancel"}[call]
    assert (response.status_code, response.json()["error"]["type"]) == (403, "security_exception")
    assert re.sub(r"key id \[[^]]+\]", "key id [ID]", response.json()["error"]["reason"]) == (
        f"action [cluster:admin/xpack/connector/{action}] is unauthorized {who}{granted_by(kind)}"
    )


def test_403_for_secrets_names_the_privilege_on_any_cluster(guarded, callers) -> None:
    response = guarded.http.get("/_connector/_secret/x", headers=callers.manager)
    assert response.json()["error"]["reason"] == (
        "action [cluster:admin/xpack/connector/secret/get] is unauthorized for user [manager] with effective roles "
        "[manager], this action is granted by the cluster privileges [read_connector_secrets,manage,all]"
    )


def test_caller_who_may_not_run_as_another_user_is_refused(guarded, callers) -> None:
    response = guarded.http.get("/_connector/_sync_job", headers=callers.manager | AS_NOTHING)
    assert (response.status_code, response.json()["error"]["reason"]) == (
        403,
        (
            "action [cluster:admin/xpack/connector/sync_job/list] is unauthorized for user [manager] with effective "
            "roles [manager], because user [manager] is unauthorized to run as [nothing]"
        ),
    )


def test_run_as_uses_the_privileges_of_the_other_user(guarded, callers) -> None:
    as_monitor = {**callers.admin, "es-security-runas-user": "monitor"}
    assert guarded.http.get("/_connector/_sync_job", headers=as_monitor).status_code == 200
    assert guarded.http.put("/_connector/made", headers=as_monitor).status_code == 403


def test_probes_need_no_credentials(guarded) -> None:
    assert guarded.http.get("/healthz").json() == {"status": "ok"}
    assert guarded.http.get("/readyz").json() == {"status": "ready"}
