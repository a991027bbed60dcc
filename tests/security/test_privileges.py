"""Every endpoint against every kind of caller, on a cluster that decides."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.connectors.views import blueprint as connectors
from app.secrets.views import blueprint as secrets
from app.sync_jobs.views import blueprint as sync_jobs
from app.wire import routing
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES, WEAK_SERVICE
from tests.service import Http

READ, MANAGE, SECRET_READ, SECRET_WRITE = "read", "manage", "secret read", "secret write"
COUNTERS = {"deleted_document_count": 0, "indexed_document_count": 0, "indexed_document_volume": 0}
FILTERING_STATE = {"state": "valid", "errors": []}
PIPELINE = {"name": "p", "extract_binary_content": True, "reduce_whitespace": True, "run_ml_inference": True}
SCHEDULE = {"full": {"enabled": False, "interval": "0 0 0 * * ?"}}

# Requests that have nothing wrong with them but, perhaps, who sends them: 403 comes after validation.
ENDPOINTS = [
    ("POST", "/_connector/_sync_job", {"id": "none"}, MANAGE),
    ("GET", "/_connector/_sync_job", None, READ),
    ("GET", "/_connector/_sync_job/none", None, READ),
    ("DELETE", "/_connector/_sync_job/none", None, MANAGE),
    ("PUT", "/_connector/_sync_job/none/_cancel", None, MANAGE),
    ("PUT", "/_connector/_sync_job/none/_check_in", None, MANAGE),
    ("PUT", "/_connector/_sync_job/none/_claim", {"worker_hostname": "w"}, MANAGE),
    ("PUT", "/_connector/_sync_job/none/_error", {"error": "e"}, MANAGE),
    ("PUT", "/_connector/_sync_job/none/_stats", COUNTERS, MANAGE),
    ("POST", "/_connector", {}, MANAGE),
    ("PUT", "/_connector", {}, MANAGE),
    ("GET", "/_connector", None, READ),
    ("PUT", "/_connector/made", {}, MANAGE),
    ("GET", "/_connector/none", None, READ),
    ("DELETE", "/_connector/none", None, MANAGE),
    ("PUT", "/_connector/none/_check_in", None, MANAGE),
    ("PUT", "/_connector/none/_api_key_id", {"api_key_id": "k"}, MANAGE),
    ("PUT", "/_connector/none/_configuration", {"configuration": {}}, MANAGE),
    ("PUT", "/_connector/none/_error", {"error": None}, MANAGE),
    ("PUT", "/_connector/none/_features", {"features": {}}, MANAGE),
    ("PUT", "/_connector/none/_filtering", {"rules": []}, MANAGE),
    ("PUT", "/_connector/none/_filtering/_validation", {"validation": FILTERING_STATE}, MANAGE),
    ("PUT", "/_connector/none/_filtering/_activate", None, MANAGE),
    ("PUT", "/_connector/none/_index_name", {"index_name": None}, MANAGE),
    ("PUT", "/_connector/none/_last_sync", {}, MANAGE),
    ("PUT", "/_connector/none/_name", {"name": "n"}, MANAGE),
    ("PUT", "/_connector/none/_native", {"is_native": False}, MANAGE),
    ("PUT", "/_connector/none/_pipeline", {"pipeline": PIPELINE}, MANAGE),
    ("PUT", "/_connector/none/_scheduling", {"scheduling": SCHEDULE}, MANAGE),
    ("PUT", "/_connector/none/_service_type", {"service_type": "s"}, MANAGE),
    ("PUT", "/_connector/none/_status", {"status": "error"}, MANAGE),
    ("POST", "/_connector/_secret", {"value": "v"}, SECRET_WRITE),
    ("GET", "/_connector/_secret/none", None, SECRET_READ),
    ("PUT", "/_connector/_secret/none2", {"value": "v"}, SECRET_WRITE),
    ("DELETE", "/_connector/_secret/none", None, SECRET_WRITE),
]
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
STRANGERS = [
    "none", "empty", "wrong", "unknown", "nonsense", "two", "not_ascii", "invalidated_key", "wrong_bearer"
]  # fmt: skip


def test_no_endpoint_is_left_out() -> None:
    app = Flask(__name__, static_folder=None)
    routing.install(app)
    for blueprint in (sync_jobs, connectors, secrets):
        app.register_blueprint(blueprint)
    routes = {
        (method, re.sub("<[^>]+>", "*", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }
    names = r"/(none2?|made)(?=/|$)"
    assert routes == {(method, re.sub(names, "/*", path)) for method, path, _, _ in ENDPOINTS}


@pytest.mark.parametrize("caller", ALLOWED)
def test_what_a_caller_may(guarded, callers, caller) -> None:
    wrong = []
    for method, path, body, kind in ENDPOINTS:
        answer = guarded.http.request(method, path, headers=getattr(callers, caller), json=body)
        refused = answer.status_code == 403
        if refused != (kind not in ALLOWED[caller]) or answer.status_code == 401 or answer.status_code >= 500:
            wrong.append((method, path, answer.status_code, answer.text))
    assert not wrong


@pytest.mark.parametrize("caller", STRANGERS)
def test_strangers_are_turned_away_first_of_all(guarded, callers, caller) -> None:
    requests = [
        *ENDPOINTS,
        ("PATCH", "/_connector/x", None, None),
        ("GET", "/no/such/path", None, None),
        ("GET", "/_connector/_sync_job?unknown=1", None, None),
        ("PUT", "/_connector/_sync_job//_claim", None, None),
        ("HEAD", "/_connector", None, None),
    ]
    for method, path, body, _ in requests:
        answer = guarded.http.request(method, path, headers=getattr(callers, caller), json=body)
        assert answer.status_code == 401, (method, path, answer.text)
        assert "Basic realm=" in answer.headers["WWW-Authenticate"]
        assert answer.headers["X-Elastic-Product"] == "Elasticsearch"


def test_a_media_type_that_is_not_read_is_no_news_to_a_stranger(guarded) -> None:
    answer = guarded.http.post("/_connector", data="a: 1", headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 401


def test_the_words_of_401_are_elasticsearchs_for_our_address(guarded, secured, callers) -> None:
    for caller in STRANGERS:
        headers = getattr(callers, caller)
        theirs = Http(secured.url).get("/_connector/x/y%2Fz?q=1", headers=headers)
        ours = guarded.http.get("/_connector/x/y%2Fz?q=1", headers=headers)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
        assert ours.headers["WWW-Authenticate"] == theirs.headers["WWW-Authenticate"]


def test_validation_comes_before_403(guarded, callers) -> None:
    headers = callers.nothing
    bad_body = guarded.http.put("/_connector/_sync_job/x/_claim", headers=headers, json={})
    unknown_parameter = guarded.http.get("/_connector/_sync_job?unknown=1", headers=headers)
    no_id = guarded.http.put("/_connector/_sync_job//_claim", headers=headers, json={"worker_hostname": "w"})
    bad_index = guarded.http.get("/_connector?index_name=_a", headers=headers)
    answers = (bad_body, unknown_parameter, no_id, bad_index)
    assert [answer.status_code for answer in answers] == [400] * 4


def granted_by(kind: str) -> str:
    """What grants it, in the words of a cluster that knows the connector privileges, or of one that does not."""
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
def test_the_words_of_403(guarded, callers, call, caller, more, who, kind) -> None:
    method, path = call.split()
    answer = guarded.http.request(method, path, headers=getattr(callers, caller) | more)
    action = {LIST: "sync_job/list", CANCEL: "sync_job/cancel"}[call]
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "security_exception")
    assert re.sub(r"key id \[[^]]+\]", "key id [ID]", answer.json()["error"]["reason"]) == (
        f"action [cluster:admin/xpack/connector/{action}] is unauthorized {who}{granted_by(kind)}"
    )


def test_the_words_of_403_for_secrets_name_the_privilege_on_any_cluster(guarded, callers) -> None:
    answer = guarded.http.get("/_connector/_secret/x", headers=callers.manager)
    assert answer.json()["error"]["reason"] == (
        "action [cluster:admin/xpack/connector/secret/get] is unauthorized for user [manager] with effective roles "
        "[manager], this action is granted by the cluster privileges [read_connector_secrets,manage,all]"
    )


def test_who_may_not_act_as_another_is_told_so(guarded, callers) -> None:
    answer = guarded.http.get("/_connector/_sync_job", headers=callers.manager | AS_NOTHING)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (
        403,
        (
            "action [cluster:admin/xpack/connector/sync_job/list] is unauthorized for user [manager] with effective "
            "roles [manager], because user [manager] is unauthorized to run as [nothing]"
        ),
    )


def test_acting_as_another_user_takes_that_users_privileges(guarded, callers) -> None:
    as_monitor = {**callers.admin, "es-security-runas-user": "monitor"}
    assert guarded.http.get("/_connector/_sync_job", headers=as_monitor).status_code == 200
    assert guarded.http.put("/_connector/made", headers=as_monitor).status_code == 403


def test_probes_need_no_credentials_and_tell_nothing(guarded) -> None:
    assert guarded.http.get("/healthz").json() == {"status": "ok"}
    assert guarded.http.get("/readyz").json() == {"status": "ready"}
