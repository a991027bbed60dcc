"""Checks of what the machine and its Elasticsearch provide."""

from __future__ import annotations

import os
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
