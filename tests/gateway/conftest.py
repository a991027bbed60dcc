"""The gateway: real nginx in front of recording servers, and in front of the service and Elasticsearch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from scripts.gateway import Gateway
from tests.documents import ALIASES, empty
from tests.environment import skip_or_fail
from tests.gateway.recorder import Recorder
from tests.service import Http, Service, free_port


@pytest.fixture(scope="session")
def nginx() -> str:
    """The path of nginx."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        skip_or_fail("there is no nginx here (Debian package nginx-light)")
    return found


@pytest.fixture(scope="session")
def recorders() -> Iterator[tuple[Recorder, Recorder]]:
    with Recorder("elasticsearch") as elasticsearch, Recorder("connectors") as connectors:
        yield elasticsearch, connectors


@pytest.fixture(scope="session")
def gateway_port(nginx: str, recorders: tuple[Recorder, Recorder]) -> Iterator[int]:
    """The port of a gateway in front of the two recorders."""
    elasticsearch, connectors = recorders
    port = free_port()
    with Gateway("127.0.0.1", port, connectors.url, elasticsearch.url):
        yield port


@pytest.fixture
def both_recorders(recorders: tuple[Recorder, Recorder]) -> tuple[Recorder, Recorder]:
    """Both recorders, without any recorded requests."""
    for recorder in recorders:
        recorder.forget()
    return recorders


@pytest.fixture
def elasticsearch_recorder(both_recorders: tuple[Recorder, Recorder]) -> Recorder:
    """The recorder in the place of Elasticsearch."""
    return both_recorders[0]


@pytest.fixture
def service_recorder(both_recorders: tuple[Recorder, Recorder]) -> Recorder:
    """The recorder in the place of the service."""
    return both_recorders[1]


@pytest.fixture(scope="session")
def gateway_url(nginx: str, running_service: Service, node_url: str) -> Iterator[str]:
    """The URL of a gateway in front of the running service and its Elasticsearch."""
    port = free_port()
    with Gateway("127.0.0.1", port, running_service.url, node_url):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gateway_http(gateway_url: str, running_service: Service, elasticsearch: Elasticsearch) -> Iterator[Http]:
    """An HTTP client of that gateway. There are no documents, not even ones that searches do not see yet."""
    running_service.wait_until_ready()
    empty(elasticsearch)
    elasticsearch.indices.refresh(index=ALIASES)
    http = Http(gateway_url)
    yield http
    http.close()
