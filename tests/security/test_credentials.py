"""Credentials of callers and of the service itself."""

from __future__ import annotations

import json

from tests.secured import readme_roles
from tests.service import Http, Service

CONFIGURATION = {
    "host": {"label": "Host", "sensitive": False, "value": "db.example"},
    "password": {"label": "Password", "sensitive": True, "value": "the-secret"},
    "unset": {"label": "Unset", "sensitive": True, "value": None},
}


def test_sensitive_values_are_masked_for_callers_who_may_only_read(guarded, callers, admin) -> None:
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
            response = http.get(path, headers=getattr(callers, caller))
            configuration = read(response.json())["configuration"]
            assert configuration["password"]["value"] == seen, (path, caller)
            assert configuration["host"]["value"] == "db.example"
            assert configuration["unset"]["value"] is None
    assert admin.get(index=".elastic-connectors", id="masked")["_source"]["configuration"]["password"][
        "value"
    ] == ("the-secret")


def test_credentials_are_neither_logged_nor_in_responses(guarded, callers) -> None:
    """At log level debug, the log has a line for each of these requests."""
    responses = []
    for number, caller in enumerate(vars(callers).values()):
        for path in ("/_connector/_sync_job", "/_connector/x/y/z", "/_connector/_secret/x"):
            marked = {**caller, "X-Opaque-Id": f"caller-{number}"}
            responses.append(guarded.http.get(path, headers=marked))
    log = guarded.log()
    for number in range(len(vars(callers))):
        lines = [json.loads(line) for line in log.splitlines() if f'"caller-{number}"' in line]
        assert sum(line["event"] == "request" for line in lines) == 3
    output = log + "".join(f"{response.text}{response.headers}" for response in responses)
    secrets = {value.split()[-1] for headers in vars(callers).values() for value in headers.values() if value}
    assert {secret for secret in secrets if secret != "Nonsense" and secret in output} == set()
    assert "password-of-" not in output


def test_service_that_elasticsearch_refuses_is_503_and_never_401(secured, callers) -> None:
    credentials = {"ELASTICSEARCH_USERNAME": "run", "ELASTICSEARCH_PASSWORD": "not-the-password"}
    with Service(secured.url, WORKERS="1", **credentials) as service:
        response = service.http.get("/_connector/_sync_job", headers=callers.admin)
        assert response.status_code == 503
        assert "credentials" in response.json()["error"]["reason"]
        assert "not-the-password" not in response.text + service.log()


KEYED = {"index_name": "search-keyed", "service_type": "mysql"}


def test_service_can_use_an_api_key(set_up, start_service, callers, admin) -> None:
    """An API key with the role `run` is enough; when it is invalidated, callers get 503."""
    made = admin.security.create_api_key(name="service", role_descriptors={"run": readme_roles()["run"]})
    with start_service("run", ELASTICSEARCH_API_KEY=made["encoded"]) as service:
        service.wait_until_ready()
        http = Http(service.url, callers.manager)
        assert http.put("/_connector/keyed", json=KEYED).status_code in (200, 201)
        made_job = http.post("/_connector/_sync_job", json={"id": "keyed"})
        assert made_job.status_code == 201, made_job.text
        job = made_job.json()["id"]
        for step, body in {
            "_claim": {"worker_hostname": "w"},
            "_check_in": None,
            "_error": {"error": "e"},
        }.items():
            assert http.put(f"/_connector/_sync_job/{job}/{step}", json=body).json() == {"result": "updated"}
        assert http.get(f"/_connector/_sync_job/{job}").json()["status"] == "error"
        assert http.delete(f"/_connector/_sync_job/{job}").status_code == 200

        admin.security.invalidate_api_key(ids=[made["id"]])
        for path in ("/_connector/_sync_job", "/_connector/keyed", "/readyz"):
            response = http.get(path)
            assert response.status_code == 503
            assert "refuses the service's own credentials" in response.json()["error"]["reason"]
        assert made["encoded"] not in service.log()
        http.close()
