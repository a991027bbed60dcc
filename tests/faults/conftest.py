"""A node that tests kill, stop and restart, and a service with this node that keeps running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.elasticsearch import EmbeddedNode
from tests.service import Service


@pytest.fixture(scope="session")
def killable_node() -> Iterator[EmbeddedNode]:
    """A node for these tests only. It keeps its address and data across restarts and accepts requests of up to 1 MiB."""
    with EmbeddedNode(settings={"http.max_content_length": "1mb"}) as node:
        yield node


@pytest.fixture(scope="session")
def surviving_service(killable_node: EmbeddedNode) -> Iterator[Service]:
    """A service that keeps running while its node is down; it waits two seconds for a response."""
    with Service(killable_node.url, ELASTICSEARCH_TIMEOUT="2", LOG_FORMAT="json") as service:
        service.wait_until_ready()
        yield service
