"""Stand-in until the real one is merged."""

from __future__ import annotations

from datetime import datetime


def next_time(expression: str, after: datetime) -> datetime | None:
    raise NotImplementedError
