"""docs/guarantees.md names tests that exist."""

from __future__ import annotations

import re

from tests.service import REPOSITORY

TEXT = (REPOSITORY / "docs" / "guarantees.md").read_text()
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("| ")][1:]


def test_each_guarantee_is_shown_by_tests_that_exist() -> None:
    assert ROWS
    for guarantee, _, shown_by in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)`", shown_by)
        assert named, guarantee
        assert [each for each in named if not (REPOSITORY / each).is_file()] == []


def test_each_soak_suite_shows_a_guarantee() -> None:
    suites = {f"tests/soak/{each.name}" for each in (REPOSITORY / "tests" / "soak").glob("test_*.py")}
    assert {each for each in suites if f"`{each}`" not in TEXT} == set()
