"""The manifest in docs/kubernetes.md matches the service."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml
from flask import Flask

from app import health, settings
from tests.service import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "kubernetes.md").read_text("utf-8")
MANIFEST = {
    each["kind"]: each
    for each in yaml.safe_load_all(re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)[0])
}
DEPLOYMENT = MANIFEST["Deployment"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
[CONTAINER] = POD["containers"]


def test_every_variable_is_a_valid_setting(monkeypatch, tmp_path) -> None:
    known = {setting.name.upper() for setting in fields(settings.Settings)}
    named = [variable["name"] for variable in CONTAINER["env"]]
    assert set(named) <= known
    assert len(named) == len(set(named))
    authority = tmp_path / "ca.crt"
    authority.write_text("")
    for variable in CONTAINER["env"]:
        if "value" in variable:
            value = variable["value"]
            assert isinstance(value, str)  # Kubernetes accepts no numbers here
            monkeypatch.setenv(variable["name"], value.replace("/ca/ca.crt", str(authority)))
    assert settings.load().port == CONTAINER["ports"][0]["containerPort"]


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_every_probe_uses_an_existing_endpoint_and_port(probe) -> None:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(health.blueprint)
    http_get = CONTAINER[probe]["httpGet"]
    assert http_get["path"] in {rule.rule for rule in app.url_map.iter_rules()}
    assert http_get["path"] == ("/readyz" if probe == "readinessProbe" else "/healthz")
    assert http_get["port"] in [port["name"] for port in CONTAINER["ports"]]


def test_probe_timeout_is_longer_than_the_timeout_of_the_service(monkeypatch) -> None:
    monkeypatch.delenv("ELASTICSEARCH_TIMEOUT", raising=False)
    assert CONTAINER["readinessProbe"]["timeoutSeconds"] > settings.load().elasticsearch_timeout


def test_two_replicas_have_resources_and_one_is_always_available() -> None:
    assert DEPLOYMENT["replicas"] == 2
    assert DEPLOYMENT["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert MANIFEST["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    resources = CONTAINER["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_termination_grace_period_covers_running_requests() -> None:
    configuration = (REPOSITORY / "gunicorn.conf.py").read_text("utf-8")
    graceful = int(re.findall(r"^graceful_timeout = (\d+)", configuration, re.MULTILINE)[0])
    pause = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > graceful + pause


def test_names_and_labels_match() -> None:
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    selectors: list[dict[str, Any]] = [
        DEPLOYMENT["selector"]["matchLabels"],
        MANIFEST["Service"]["spec"]["selector"],
        MANIFEST["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert selectors == [labels] * 4
    mounts = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert mounts == {volume["name"] for volume in POD["volumes"]}
    [port] = MANIFEST["Service"]["spec"]["ports"]
    assert port["targetPort"] in [each["name"] for each in CONTAINER["ports"]]


def test_every_secret_is_created_by_the_documented_commands() -> None:
    made = {
        name: set(re.findall(r"--from-(?:literal|file)=([\w.-]+)", options))
        for name, options in re.findall(r"kubectl create secret generic (\S+) (.*)", DOCUMENT)
    }
    for variable in CONTAINER["env"]:
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["secretKeyRef"]
            assert reference["key"] in made[reference["name"]]
    [volume] = [volume for volume in POD["volumes"] if "secret" in volume]
    assert made[volume["secret"]["secretName"]] == {"ca.crt"}
