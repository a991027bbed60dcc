"""Idempotency keys belong to one user: nobody meets the keys of others."""

from __future__ import annotations

import pytest

from app.store.index_definitions import CONNECTORS, LEASES, SYNC_JOBS
from tests.documents import ID, a_connector
from tests.endpoints import JOBS
from tests.secured import basic

KEY = {"Idempotency-Key": "the key"}


@pytest.fixture(autouse=True)
def connector(guarded, admin) -> None:
    admin.index(index=CONNECTORS.alias, id=ID, document=a_connector())
    for index in (LEASES.alias, SYNC_JOBS.alias):
        admin.indices.refresh(index=index)
        admin.delete_by_query(index=index, query={"match_all": {}}, refresh=True)


@pytest.fixture
def create(guarded):
    """Create a job with the key, as a caller; returns its id."""

    def post(headers: dict[str, str]) -> str:
        response = guarded.http.post(JOBS, json={"id": ID}, headers=headers | KEY)
        assert response.status_code == 201, response.text
        return response.json()["id"]

    return post


def test_each_user_has_keys_of_their_own(create, callers) -> None:
    """Fails where the key is looked for without its caller."""
    made = [create(caller) for caller in (callers.admin, callers.manager, callers.mighty_bearer)]
    assert len(set(made)) == 3
    assert [create(caller) for caller in (callers.admin, callers.manager, callers.mighty_bearer)] == made


def test_user_acted_as_is_the_caller(create, callers) -> None:
    made = create(callers.manager)
    assert create(callers.admin | {"es-security-runas-user": "manager"}) == made
    assert create(callers.admin) != made


def test_owner_of_an_api_key_is_the_caller(create, callers) -> None:
    assert create(callers.manager_key) == create(callers.admin)


def test_no_name_and_no_credentials_are_stored(create, callers, admin) -> None:
    create(callers.manager)
    admin.indices.refresh(index=LEASES.alias)
    found = str(admin.search(index=LEASES.alias)["hits"]["hits"])
    assert "idempotency:" in found
    for text in ("manager", basic("manager")["Authorization"].split()[1], "the key"):
        assert text not in found


def test_key_of_a_caller_who_may_not_create_jobs_is_not_taken(guarded, callers, admin) -> None:
    assert guarded.http.post(JOBS, json={"id": ID}, headers=callers.monitor | KEY).status_code == 403
    admin.indices.refresh(index=LEASES.alias)
    assert admin.count(index=LEASES.alias)["count"] == 0
    invalid = {"Idempotency-Key": ""}
    assert guarded.http.post(JOBS, json={"id": ID}, headers=callers.monitor | invalid).status_code == 400
