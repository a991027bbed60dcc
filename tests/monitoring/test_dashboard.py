"""The dashboard can be imported anywhere, and explains itself."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from tests.monitoring.expressions import DASHBOARD, DASHBOARD_FILE, GROUP, PANELS

PLACES = [panel["gridPos"] for panel in DASHBOARD["panels"]]


def test_file_is_formatted() -> None:
    assert DASHBOARD_FILE.read_text("utf-8") == json.dumps(DASHBOARD, indent=2, ensure_ascii=False) + "\n"


def test_dashboard_belongs_to_no_instance_of_grafana() -> None:
    assert not DASHBOARD.keys() & {"id", "version", "gnetId"}
    source = {"type": "prometheus", "uid": "${datasource}"}
    queries = [each for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    assert [each["datasource"] for each in [*PANELS, *queries]] == [source] * (len(PANELS) + len(queries))
    named = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", DASHBOARD_FILE.read_text("utf-8")))
    assert used - {"__all", "__rate_interval"} == named


def test_panels_are_side_by_side() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(place["x"] + place["w"] <= 24 for place in PLACES)
    assert not [pair for pair in combinations(PLACES, 2) if overlap(*pair)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 40
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    for target in panel["targets"]:
        grouped = {
            label for labels in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in labels.split(", ")
        }
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) == grouped - {"le"}


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["alert"])
def test_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["for"]
    assert rule["annotations"].keys() == {"summary", "description"}
