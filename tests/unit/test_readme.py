"""The README, and the page about workers, match the code."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from dataclasses import fields
from pathlib import Path

from app.settings import Settings
from scripts import run
from scripts.elasticsearch.distribution import NEWEST_FIRST
from scripts.elasticsearch.java import Java
from scripts.state_chart import mermaid

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")


def test_state_chart_matches_the_table_of_transitions() -> None:
    assert f"```mermaid\n{mermaid()}\n```" in README


def test_every_setting_is_listed() -> None:
    for setting in fields(Settings):
        assert f"`{setting.name.upper()}`" in README, setting.name


def test_first_requests_are_those_that_make_run_prints() -> None:
    printed = run._FIRST_REQUESTS.format(url="http://127.0.0.1:9280").strip().splitlines()[2:]
    shown = (
        README.partition("`make run` prints a first request to try:\n\n")[2].partition("\n\n")[0].splitlines()
    )
    assert [line.strip() for line in printed] == [line.strip() for line in shown]


def test_configuration_of_a_worker_is_the_one_that_make_run_prints() -> None:
    page = (REPOSITORY / "docs" / "connect-a-worker.md").read_text("utf-8")
    printed = run._WORKER_CONFIGURATION.format(url="http://127.0.0.1:9281").split("\n\n")[1]
    assert f"```yaml\n{textwrap.dedent(printed)}```" in page


def test_no_placeholder_is_left() -> None:
    """Words in capitals with underscores are placeholders, unless they are in backquotes or code."""
    text = re.sub(r"```.*?```|`[^`]*`|^    .*?$", "", README, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"\b[A-Z]+_[A-Z_]+\b|\bTODO\b|\bTBD\b|\bFIXME\b|\?\?\?", text) == []


def versions() -> dict[str, list[str]]:
    """The table "Tested with": versions for 9.x and 8.x by product."""
    section = re.findall(r"^## Tested with\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)[0]
    rows = [line.strip()[1:-1].split("|") for line in section.splitlines() if line.startswith("|")]
    (_, *heads), _, *cells = [[cell.strip(" `") for cell in row] for row in rows]
    assert heads == ["9.x", "8.x"]
    return {name: rest for name, *rest in cells}


def test_tested_versions_are_those_of_the_tests() -> None:
    table = versions()
    requirements = [(REPOSITORY / "requirements" / f"dev-{major}.txt").read_text() for major in (9, 8)]
    lock = json.loads((REPOSITORY / "tests/clients/javascript/package-lock.json").read_text())["packages"]
    assert table["Elasticsearch"] == [each.version for each in NEWEST_FIRST]
    assert table["elasticsearch-py"] == [
        re.findall(r"^elasticsearch==(\S+)", each, re.M)[0] for each in requirements
    ]
    assert table["@elastic/elasticsearch"] == [
        lock[f"node_modules/elasticsearch-{major}"]["version"] for major in (9, 8)
    ]


def test_tested_versions_meet_the_requirements() -> None:
    table = versions()
    for distribution, java in zip(NEWEST_FIRST, table["Java"], strict=True):
        assert distribution.runs_on(Java(Path(), int(java)))
    oldest = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["requires-python"]
    template = (REPOSITORY / "gateway" / "nginx.conf.template").read_text()
    for name, least in (("Python", oldest), ("nginx", re.findall(r"nginx ([\d.]+) or newer", template)[0])):
        for version in table[name]:
            assert numbers(version) >= numbers(least)
    assert len(table["Docker"]) == 2


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
