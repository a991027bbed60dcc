"""What the machine and its Elasticsearch have, or lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest
from elasticsearch import Elasticsearch

# What the ingest pipeline needs of the module ingest-common. The embedded Elasticsearch 8.14.1 comes without it.
PROCESSORS = {"append", "gsub", "remove", "set", "trim"}


def skip_or_fail(what: str) -> NoReturn:
    """Skip the test for want of something outside this project; fail it where REQUIRE_ALL says that all must be there."""
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def has_processors(client: Elasticsearch) -> bool:
    """Whether the nodes have what the ingest pipeline needs, attachments left out."""
    nodes = client.nodes.info(metric="ingest")["nodes"].values()
    return all({each["type"] for each in node["ingest"]["processors"]} >= PROCESSORS for node in nodes)
