"""A secured node with a user for each role, and the service beside it with the smallest role that can set it up."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from elasticsearch import Elasticsearch

from scripts.elasticsearch import EmbeddedNode, Security, client_major
from tests.service import Service

# Elasticsearch 8.14 does not know the connector privileges; access to the indices stands for them there.
KNOWS_CONNECTOR_PRIVILEGES = client_major() >= 9

SECRETS_KEY = base64.b64encode(b"k" * 32).decode()


def _role(cluster: str, indices: str) -> str:
    if KNOWS_CONNECTOR_PRIVILEGES:
        return f"  cluster: [{cluster}]\n"
    return f"  indices:\n    - names: ['.elastic-connectors*']\n      privileges: [{indices}]\n"


ROLES = (
    f"monitor:\n{_role('monitor_connector', 'read')}"
    f"manager:\n{_role('manage_connector', 'read, write')}"
    "nothing:\n  cluster: []\n"
    "secret_reader:\n  cluster: [read_connector_secrets]\n"
    "secret_writer:\n  cluster: [write_connector_secrets]\n"
    # The two roles of the service itself, as the README names them.
    "service_run:\n"
    "  indices:\n"
    "    - names: ['.elastic-connectors*', 'connector-secrets*']\n"
    "      privileges: [read, write, maintenance]\n"
    "service_setup:\n"
    "  cluster: [manage_index_templates, manage_ingest_pipelines, monitor]\n"
    "  indices:\n"
    "    - names: ['.elastic-connectors*', 'connector-secrets*']\n"
    "      privileges: [read, write, maintenance, manage]\n"
)
USERS = {
    "admin": "superuser",
    "monitor": "monitor",
    "manager": "manager",
    "nothing": "nothing",
    "secret_reader": "secret_reader",
    "secret_writer": "secret_writer",
    "setup": "service_setup",
    "run": "service_run",
}


def password(user: str) -> str:
    return f"password-of-{user}"


def basic(user: str, secret: str | None = None) -> dict[str, str]:
    text = f"{user}:{secret or password(user)}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.fixture(scope="session")
def secured() -> Iterator[EmbeddedNode]:
    users = {user: (password(user), [role]) for user, role in USERS.items()}
    with EmbeddedNode(major=client_major(), security=Security(users=users, roles=ROLES)) as node:
        yield node


@pytest.fixture(scope="session")
def admin(secured: EmbeddedNode) -> Iterator[Elasticsearch]:
    with Elasticsearch(secured.url, basic_auth=("admin", password("admin"))) as client:
        yield client


@pytest.fixture(scope="session")
def start_service(secured: EmbeddedNode) -> Callable[..., Service]:
    def start(user: str, **settings: str) -> Service:
        credentials = {"ELASTICSEARCH_USERNAME": user, "ELASTICSEARCH_PASSWORD": password(user)}
        return Service(secured.url, **credentials, SECRETS_KEYS=SECRETS_KEY, LOG_FORMAT="json", **settings)

    return start


@pytest.fixture(scope="session")
def guarded(start_service: Callable[..., Service]) -> Iterator[Service]:
    """The service as it sets up a secured cluster, then again with the role that only runs."""
    with start_service("setup") as first:
        first.wait_until_ready()
    with start_service("run") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="session")
def callers(admin: Elasticsearch) -> SimpleNamespace:
    """Headers of every kind of caller."""
    role = (
        {"cluster": ["monitor_connector"]}
        if KNOWS_CONNECTOR_PRIVILEGES
        else {"index": [{"names": [".elastic-connectors*"], "privileges": ["read"]}]}
    )
    restricted = admin.security.create_api_key(name="restricted", role_descriptors={"only": role})
    invalidated = admin.security.create_api_key(name="invalidated")
    admin.security.invalidate_api_key(ids=[invalidated["id"]])
    return SimpleNamespace(
        none={},
        wrong=basic("admin", "wrong"),
        unknown=basic("nobody", "wrong"),
        nonsense={"Authorization": "Nonsense"},
        restricted_key={"Authorization": f"ApiKey {restricted['encoded']}"},
        invalidated_key={"Authorization": f"ApiKey {invalidated['encoded']}"},
        **{user: basic(user) for user in USERS},
    )
