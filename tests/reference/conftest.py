"""The document of the running service, and what its examples expect to find."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import SECRETS, SYNC_JOBS
from tests.documents import Stored
from tests.reference.world import World
from tests.service import Http, Service


@pytest.fixture(scope="session")
def document(running_service: Service) -> dict[str, Any]:
    running_service.wait_until_ready()
    response = running_service.http.get("/_connector/_openapi.json")
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.fixture
def world(http: Http, elasticsearch: Elasticsearch) -> World:
    return World(http, Stored(elasticsearch, SYNC_JOBS), Stored(elasticsearch, SECRETS))
