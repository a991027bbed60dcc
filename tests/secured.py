"""A secured node with a user for each role, and the service with the minimal roles of the documentation."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from elasticsearch import Elasticsearch

from scripts.elasticsearch import EmbeddedNode, Security, client_major
from tests.service import SECRETS_KEY, Service

README = Path(__file__).resolve().parents[1] / "README.md"
WORKER_PAGE = README.parent / "docs" / "connect-a-worker.md"

# Elasticsearch 8.14 does not know the connector privileges; there, index privileges replace them.
KNOWS_CONNECTOR_PRIVILEGES = client_major() >= 9

# Service accounts: one may do everything here, the other may only read (in 8.14: nothing).
MIGHTY_SERVICE = "fleet-server" if KNOWS_CONNECTOR_PRIVILEGES else "enterprise-search-server"
WEAK_SERVICE = "kibana" if KNOWS_CONNECTOR_PRIVILEGES else "fleet-server"

ALL_INDICES = ".elastic-connectors* connector-sync-leases*"

Start = Callable[..., Service]


def _role(cluster: str = "", indices: str = "", names: str = ".elastic-connectors*") -> dict[str, object]:
    on_indices = [{"names": names.split(), "privileges": indices.split()}] if indices else []
    return {"cluster": cluster.split(), "indices": on_indices}


def _connector_role(cluster: str, indices: str) -> dict[str, object]:
    return _role(cluster) if KNOWS_CONNECTOR_PRIVILEGES else _role(indices=indices)


def readme_roles() -> dict[str, dict[str, object]]:
    """The roles of the service, to run and to set up, as the table in the README grants them."""
    rows = dict(
        re.findall(r"^\| (to run|to set up, once) \| (.+) \|$", README.read_text("utf-8"), re.MULTILINE)
    )
    privileges, indices = map(_quoted, rows["to run"].split(" on "))
    names = " ".join(name for name in indices if name != "SECRETS_KEYS")
    same, cluster = rows["to set up, once"].split("; in the cluster ")
    assert same.startswith("the same and ")
    assert same.endswith(" on them")
    return {
        "run": _role(indices=" ".join(privileges), names=names),
        "setup": _role(" ".join(_quoted(cluster)), " ".join([*privileges, *_quoted(same)]), names),
    }


def worker_role() -> dict[str, object]:
    """The role of a worker, as its page grants it."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", WORKER_PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    role: dict[str, object] = json.loads(block)
    if not KNOWS_CONNECTOR_PRIVILEGES:
        role["cluster"].remove("manage_connector")
    return role


def _quoted(text: str) -> list[str]:
    return re.findall("`([^`]+)`", text)


ROLES = {
    "monitor": _connector_role("monitor_connector", "read"),
    "manager": _connector_role("manage_connector", "read write"),
    "nothing": _role(),
    "secret_reader": _role("read_connector_secrets"),
    "secret_writer": _role("write_connector_secrets"),
    "worker": worker_role(),
    **readme_roles(),
    # Roles of the service that lack what it needs.
    "index_manager": _role(indices="read write maintenance manage", names=ALL_INDICES),
    "reader": _role(indices="read", names=ALL_INDICES),
    "without_indices": _role("monitor"),
}
USERS = {"admin": "superuser"} | {name: name for name in ROLES}


def password(user: str) -> str:
    return f"password-of-{user}"


def basic(user: str, secret: str | None = None) -> dict[str, str]:
    text = f"{user}:{secret or password(user)}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.fixture(scope="session")
def secured() -> Iterator[EmbeddedNode]:
    users = {user: (password(user), [role]) for user, role in USERS.items()}
    roles = "".join(f"{name}: {json.dumps(role)}\n" for name, role in ROLES.items())  # JSON is YAML, too
    with EmbeddedNode(major=client_major(), security=Security(users=users, roles=roles)) as node:
        yield node


@pytest.fixture(scope="session")
def admin(secured: EmbeddedNode) -> Iterator[Elasticsearch]:
    with Elasticsearch(secured.url, basic_auth=("admin", password("admin")), request_timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def start_service(secured: EmbeddedNode) -> Start:
    """Starts a service that uses this user of the node, by default without a proxy."""

    def start(user: str, url: str = "", **settings: str) -> Service:
        credentials = {"ELASTICSEARCH_USERNAME": user, "ELASTICSEARCH_PASSWORD": password(user)}
        if "ELASTICSEARCH_API_KEY" in settings:
            credentials = {}
        fixed = {"SECRETS_KEYS": SECRETS_KEY, "LOG_FORMAT": "json", "WORKERS": "1"}
        return Service(url or secured.url, **fixed | credentials | settings)

    return start


@pytest.fixture(scope="session")
def set_up(start_service: Start) -> None:
    """Sets the node up once, as the README describes, with a service whose role may do that."""
    with start_service("setup") as service:
        service.wait_until_ready()


@pytest.fixture(scope="session")
def guarded(start_service: Start, set_up: None) -> Iterator[Service]:
    """The service with the role `run`, beside a node that is set up."""
    with start_service("run", LOG_LEVEL="debug", WORKERS="2") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="session")
def callers(admin: Elasticsearch) -> SimpleNamespace:
    """Request headers for every kind of caller."""

    def key(name: str, role: dict[str, object] | None = None) -> dict[str, str]:
        made = admin.security.create_api_key(name=name, role_descriptors={"only": role} if role else None)
        return {"Authorization": f"ApiKey {made['encoded']}"}

    def token(service: str) -> dict[str, str]:
        made = admin.security.create_service_token(namespace="elastic", service=service, name="tests")
        return {"Authorization": f"Bearer {made['token']['value']}"}

    invalidated = key("invalidated")
    admin.security.invalidate_api_key(name="invalidated")
    return SimpleNamespace(
        none={},
        wrong=basic("admin", "wrong"),
        unknown=basic("nobody", "wrong"),
        nonsense={"Authorization": "Nonsense"},
        empty={"Authorization": ""},
        # Elasticsearch refuses two headers. Joined, as an application receives them, they are invalid credentials.
        two={"Authorization": ",".join([*basic("admin").values(), *basic("monitor").values()])},
        wrong_bearer={"Authorization": "Bearer AAEAAWVsYXN0aWM"},
        not_ascii={"Authorization": "Basic \xe9\xff"},
        restricted_key=key("restricted", _connector_role("monitor_connector", "read")),
        manager_key=key("manager", _connector_role("manage_connector", "read write")),
        acting_key=key("acting", {"run_as": ["nothing"]}),
        invalidated_key=invalidated,
        mighty_bearer=token(MIGHTY_SERVICE),
        weak_bearer=token(WEAK_SERVICE),
        **{user: basic(user) for user in USERS},
    )
