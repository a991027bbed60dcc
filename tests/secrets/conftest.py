"""A service with a key for secrets, and access to the same secrets with other keys and as stored documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.secrets import operations
from app.secrets.operations import Vault
from app.store import Store
from app.store.index_definitions import SECRETS
from tests.service import Http, Service


@pytest.fixture
def service(running_service: Service, elasticsearch: Elasticsearch) -> Service:
    """The running service, ready, without secrets."""
    running_service.wait_until_ready()
    elasticsearch.indices.refresh(index=SECRETS.alias)
    elasticsearch.delete_by_query(index=SECRETS.alias, query={"match_all": {}}, refresh=True)
    return running_service


@pytest.fixture
def http(service: Service) -> Http:
    return service.http


@pytest.fixture(scope="session")
def open_vault(node_url: str) -> Callable[..., Vault]:
    """Open a vault with these keys."""

    def open_it(*keys: str) -> Vault:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("ELASTICSEARCH_URL", node_url)
            environment.setenv("SECRETS_KEYS", ",".join(keys))
            loaded = settings.load()
        return operations.open_vault(Store(loaded), loaded.secrets_keys)

    return open_it


@pytest.fixture
def stored_secret(elasticsearch: Elasticsearch) -> Callable[[str], dict[str, Any]]:
    return lambda secret_id: dict(elasticsearch.get(index=SECRETS.alias, id=secret_id)["_source"])


@pytest.fixture(scope="session")
def keyless(node_url: str) -> Iterator[Service]:
    """A service without a key."""
    with Service(node_url, SECRETS_KEYS="", WORKERS="1") as service:
        yield service
