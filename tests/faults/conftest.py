"""A node that may be killed, stopped and restarted, with a service beside it that never is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.elasticsearch import EmbeddedNode
from tests.service import Service


@pytest.fixture(scope="session")
def killable_node() -> Iterator[EmbeddedNode]:
    """A node of these tests' own, which keeps its address and its data when it is started again; it takes 1 MiB a request."""
    with EmbeddedNode(settings={"http.max_content_length": "1mb"}) as node:
        yield node


@pytest.fixture(scope="session")
def surviving_service(killable_node: EmbeddedNode) -> Iterator[Service]:
    """A service that stays up whatever becomes of its node; it waits two seconds for an answer."""
    with Service(killable_node.url, ELASTICSEARCH_TIMEOUT="2", LOG_FORMAT="json") as service:
        service.wait_until_ready()
        yield service
