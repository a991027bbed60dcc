"""docs/reference/metrics.md describes each metric, its labels and their values."""

from __future__ import annotations

import re
from pathlib import Path

from app.metrics.definitions import REGISTRY
from app.store import client
from app.store.scripts import Verdict
from tests.metrics.scraping import scrape
from tests.service import Http

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md").read_text("utf-8")
DESCRIBED = {
    name: set(re.findall("`(.*?)`", labels))
    for name, labels in re.findall(r"^\| `(connector_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
}


def test_every_metric_is_described_with_its_labels(http: Http) -> None:
    http.get("/nowhere")
    scrape(http)
    shown: dict[str, set[str]] = {}
    for name, labels in scrape(http).values:
        metric = re.sub(r"(?<=_seconds|_updates)_(bucket|count|sum)$", "", name)
        shown.setdefault(metric, set()).update({label for label, _ in labels} - {"le"})
    absent_without_jobs = {name for name in DESCRIBED if "absent where there is none" in _line(name)}
    assert len(absent_without_jobs) == 2
    assert {name: labels for name, labels in DESCRIBED.items() if name not in absent_without_jobs} == shown
    own = {family.name for family in REGISTRY.collect()}
    assert own == {name.removesuffix("_total") for name in list(DESCRIBED)[: len(own)]}


def test_every_operation_is_described() -> None:
    described = set(re.findall("`(.*?)`", _line("operation")))
    assert described - {"operation"} == {name.lstrip("_") for name in client._OPERATIONS} | {
        "get",
        "delete",
        "other",
    }


def test_described_verdicts_exist() -> None:
    described = set(re.findall("`(.*?)`", _line("verdict")))
    assert described - {"verdict"} <= set(Verdict)


def _line(subject: str) -> str:
    (found,) = re.findall(rf"^(?:\||-) `{subject}`.*(?:\n  .*)*", PAGE, re.MULTILINE)
    return found
