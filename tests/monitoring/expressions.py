"""The files of `monitoring/`, and the PromQL expressions in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.service import REPOSITORY

FOLDER = REPOSITORY / "monitoring"
DASHBOARD_FILE = FOLDER / "grafana-dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(DASHBOARD_FILE.read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
[GROUP] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]

# Prometheus adds these to all that it scrapes.
TARGET_LABELS = {"job", "instance"}

_SELECTOR = re.compile(r"\b(connector_\w+|up\b)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression, with the name of what it belongs to. Variables of Grafana are replaced as Grafana does."""
    for rule in GROUP["rules"]:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            shown = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], re.sub(r"\$\w+", ".*", shown)


def variables() -> Iterator[tuple[str, str]]:
    """The variables that ask Prometheus for their values, with what they ask."""
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def metrics(expression: str) -> dict[str, set[str]]:
    """The metrics of an expression, each with all labels that the expression asks of it or groups by."""
    grouped = {label for labels in _GROUPING.findall(expression) for label in labels.split(", ")}
    found: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(expression):
        found.setdefault(name, set(grouped)).update(_MATCHER.findall(matchers))
    return found
