"""Checks of what the machine and its Elasticsearch provide."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from elasticsearch import Elasticsearch

# The processors of the module ingest-common that the ingest pipeline needs. The embedded Elasticsearch 8.14.1 lacks it.
PROCESSORS = frozenset({"append", "gsub", "remove", "set", "trim"})


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test because something outside this project is missing; fail it if REQUIRE_ALL is set."""
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def has_processors(client: Elasticsearch, wanted: frozenset[str] = PROCESSORS) -> bool:
    """Whether all nodes have these processors, by default those that the ingest pipeline needs, except for attachments."""
    nodes = client.nodes.info(metric="ingest")["nodes"].values()
    return all({each["type"] for each in node["ingest"]["processors"]} >= wanted for node in nodes)


def clock_set(by: timedelta) -> dict[str, str]:
    """Environment variables that set the wall clock of a process ahead, or back, with libfaketime."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        skip_or_fail("libfaketime (Debian package faketime) is not installed")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": f"{by.total_seconds():+}",
        # Only clocks of the time of day are wrong, and files keep their times: gunicorn looks at those of its own.
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, waits of Java return at once
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": str(Path(__file__).parent / "wrong_clock"),
    }
