"""What the README shows is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.state_chart import mermaid

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")


def test_the_chart_is_drawn_from_the_table() -> None:
    assert f"```mermaid\n{mermaid()}\n```" in README


def test_every_setting_is_listed() -> None:
    source = (REPOSITORY / "app" / "settings.py").read_text("utf-8")
    for variable in re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source):
        assert f"`{variable}`" in README, variable
