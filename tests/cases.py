"""Tables of cases as pytest parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def named(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Turn the rows of a table into parameters; the first column becomes the test id."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]
