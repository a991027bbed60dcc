"""Decisions that tests cite exist in docs/decisions.md."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_cited_decision_exists() -> None:
    text = (REPOSITORY / "docs" / "decisions.md").read_text("utf-8")
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    cited = {
        int(number)
        for file in (REPOSITORY / "tests").rglob("*.py")
        for number in re.findall(r"decision[_ ](\d+)", file.read_text("utf-8"), re.IGNORECASE)
    }
    assert cited
    assert cited <= set(numbers)
