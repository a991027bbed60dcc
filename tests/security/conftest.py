from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.elasticsearch import EmbeddedNode
from tests.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def proxy(secured: EmbeddedNode) -> Iterator[FaultProxy]:
    """A proxy in front of the secured node."""
    with FaultProxy(secured.url) as proxy:
        yield proxy
