"""Which tests run in the same pytest worker, and in what order, when there are several (`-n 2`).

Each worker has an Elasticsearch and a service of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests that share something slow to start, or that take long; the longest first, so that all workers stay busy.
# All other tests are grouped by module.
GROUPS = {
    "a secured node": (
        "tests/security/",
        "tests/gateway/test_worker_role.py",
        "tests/store/test_privileges.py",
        "tests/clients/test_credentials.py",
        "tests/reference/test_callers.py",
        "tests/command_line/test_credentials.py",
        "tests/ui/test_callers.py",
    ),
    "containers": ("tests/containers/",),
    "make run": ("tests/run/test_make_run.py",),
    "crashes": ("tests/soak/test_crashes.py",),
    "faults": ("tests/soak/test_faults.py",),
    "failover": ("tests/soak/test_failover.py",),
    "clocks": ("tests/soak/",),
    "a node that is killed": ("tests/faults/",),
    "three services": (
        "tests/races/",
        "tests/properties/",
        "tests/connectors/test_attaching.py",
        "tests/connectors/test_races.py",
    ),
    "command line": ("tests/command_line/",),
    "examples": ("tests/examples/",),
    "clients": ("tests/clients/",),
    "commands": ("tests/run/",),
}


def group(nodeid: str) -> str:
    """The group of a test."""
    module = nodeid.partition("::")[0]
    return next((name for name, places in GROUPS.items() if module.startswith(places)), module)


class Scheduler(LoadScopeScheduling):
    """Gives the next group to the worker that finishes first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    config.option.loadscopereorder = False  # it would start with the largest groups
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by group; inside a group, tests keep their random order."""
    ranks = {name: rank for rank, name in enumerate(GROUPS)}
    items.sort(key=lambda item: ranks.get(group(item.nodeid), len(ranks)))
