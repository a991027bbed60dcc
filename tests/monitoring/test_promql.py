"""Every expression of the dashboard and the alert rules is valid, means metrics that exist, and alerts fire when they should."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.environment import skip_or_fail
from tests.monitoring.expressions import FOLDER, GROUP, TARGET_LABELS, expressions, metrics, variables
from tests.service import Service

Promtool = Callable[..., str]


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    """Runs promtool, which must find no fault; returns what it says."""
    command = shutil.which("promtool")
    if command is None:
        skip_or_fail("there is no promtool here (Debian package prometheus)")

    def run(*arguments: str | Path) -> str:
        ran = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_every_expression_is_valid(promtool: Promtool, tmp_path) -> None:
    rules = [{"record": "checked", "expr": expression} for _, expression in expressions()]
    file = tmp_path / "expressions.yaml"
    file.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))  # JSON is YAML, too
    assert f"{len(rules)} rules found" in promtool("check", "rules", "--lint=none", file)


def test_alert_rules_are_valid(promtool: Promtool) -> None:
    assert f"{len(GROUP['rules'])} rules found" in promtool("check", "rules", FOLDER / "alerts.yaml")


def test_alerts_fire_when_they_should(promtool: Promtool) -> None:
    promtool("test", "rules", FOLDER / "alerts_test.yaml")


def test_every_metric_and_label_exists(service: Service, node_url: str, put_jobs) -> None:
    """What expressions name stands in a real scrape. In Prometheus, a wrong name looks like a zero."""
    put_jobs(1)
    put_jobs(1, "in_progress", "another", last_seen="2024-01-01T00:00:00Z")
    exist: dict[str, set[str]] = {"up": set()}
    with Service(node_url, WORKERS="1") as fresh:  # the other may remember that there were no jobs
        fresh.http.put("/_connector/_sync_job/another-0/_check_in")
        scraped = fresh.http.get("/metrics")
    for family in text_string_to_metric_families(scraped.text):
        for sample in family.samples:
            exist.setdefault(sample.name, set()).update(sample.labels)
    wrong = [
        (owner, name, labels)
        for owner, expression in [*expressions(), *variables()]
        for name, labels in metrics(expression).items()
        if name not in exist or not labels <= exist[name] | TARGET_LABELS
    ]
    assert wrong == []
