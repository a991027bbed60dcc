"""Which tests one worker runs, and in what order, where pytest runs with several (`-n 2`).

Each worker has an Elasticsearch and a service of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests that share what is slow to start, or take long; the longest first, so that all workers are busy to the end.
# All other tests are grouped by module.
GROUPS = {
    "a secured node": (
        "tests/security/",
        "tests/store/test_privileges.py",
        "tests/clients/test_credentials.py",
    ),
    "containers": ("tests/containers/",),
    "make run": ("tests/run/test_make_run.py",),
    "a mortal node": ("tests/faults/",),
    "three services": (
        "tests/races/",
        "tests/connectors/test_attaching.py",
        "tests/connectors/test_races.py",
    ),
    "clients": ("tests/clients/",),
    "commands": ("tests/run/",),
}


def group(nodeid: str) -> str:
    """The group of a test."""
    module = nodeid.partition("::")[0]
    return next((name for name, places in GROUPS.items() if module.startswith(places)), module)


class Scheduler(LoadScopeScheduling):
    """Gives the next group to the worker that is done first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    config.option.loadscopereorder = False  # it would put first what is many tests
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups in order; their tests and all others stay as they are, shuffled."""
    ranks = {name: rank for rank, name in enumerate(GROUPS)}
    items.sort(key=lambda item: ranks.get(group(item.nodeid), len(ranks)))
