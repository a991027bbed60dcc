"""Tables of cases as parameters of tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def named(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table as parameters; their first column is the test's name."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]
