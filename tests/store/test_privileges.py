"""Setting up the indices on a secured node, with users of different privileges."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from elasticsearch import AuthorizationException, Elasticsearch

from app.store.index_definitions import CONNECTORS, DEFINITIONS, SYNC_JOBS
from app.store.indices import Indices
from scripts.elasticsearch import EmbeddedNode
from tests.secured import password

As = Callable[[str], Elasticsearch]


@pytest.fixture
def as_user(secured: EmbeddedNode, admin: Elasticsearch) -> Iterator[As]:
    """Clients by user name, on a node without the indices and their templates."""
    clients: list[Elasticsearch] = []

    def connect(user: str) -> Elasticsearch:
        clients.append(Elasticsearch(secured.url, basic_auth=(user, password(user)), request_timeout=30))
        return clients[-1]

    admin.indices.delete(index=[definition.name for definition in DEFINITIONS], ignore_unavailable=True)
    for definition in (CONNECTORS, SYNC_JOBS):
        admin.options(ignore_status=404).indices.delete_index_template(name=definition.template)
    yield connect
    Indices(admin).ensure()  # other tests need them
    for client in clients:
        client.close()


@pytest.mark.parametrize("user", ["setup", "index_manager"])
def test_user_with_manage_creates_the_indices(as_user: As, user: str) -> None:
    indices = Indices(as_user(user))

    indices.ensure()

    assert indices.check() == []
    made = as_user("admin").indices.exists_index_template(name=SYNC_JOBS.template)
    assert bool(made) == (user == "setup")


@pytest.mark.parametrize("user", ["run", "reader"])
def test_user_without_manage_uses_existing_indices(as_user: As, user: str) -> None:
    Indices(as_user("setup")).ensure()

    Indices(as_user(user)).ensure()

    assert Indices(as_user(user)).readiness() == []


@pytest.mark.parametrize("user", ["run", "reader"])
def test_missing_index_and_privilege_are_reported_without_manage(as_user: As, user: str) -> None:
    indices = Indices(as_user(user))

    with pytest.raises(AuthorizationException, match="security_exception"):
        indices.ensure()

    problems = indices.readiness()
    for problem, definition in zip(problems, DEFINITIONS, strict=True):
        assert f"no index behind the alias [{definition.alias}]" in problem
        assert f"if its Elasticsearch user has the privilege [manage] on [{definition.alias}*]" in problem


def test_unusable_index_is_reported_without_manage(as_user: As) -> None:
    Indices(as_user("setup")).ensure()
    as_user("admin").indices.delete_alias(index=SYNC_JOBS.name, name=SYNC_JOBS.alias)

    assert len(Indices(as_user("run")).readiness()) == 1


def test_refused_credentials_are_reported_without_read(as_user: As) -> None:
    Indices(as_user("setup")).ensure()

    [problem] = Indices(as_user("without_indices")).readiness()

    assert "refuses the service's own credentials" in problem
