from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.make_run import Run, assert_gone, new_home


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Starts supervisors, or make processes that start one; they share a home and are killed after the test."""
    with new_home() as home:
        runs: list[Run] = []

        def start(command: list[str], **environment: str) -> Run:
            runs.append(Run(command, home, **environment))
            return runs[-1]

        yield start
        for each in runs:
            family = each.family()
            each.process.kill()
            each.end()
            assert_gone(family)
