"""Official clients with credentials, and a service with a secured cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from tests.clients import test_life
from tests.clients.official_clients import JavaScriptClient, Official, PythonClient
from tests.clients.test_life import Worker
from tests.documents import empty
from tests.secured import password
from tests.service import Service

Connect = Callable[..., Official]


@pytest.fixture(params=["python", "python-async", "javascript-8", "javascript-9"])
def connect(request: pytest.FixtureRequest, guarded: Service) -> Iterator[Connect]:
    """Each official client in turn, with the credentials of a caller as options of the client."""
    language, _, variant = request.param.partition("-")
    with ExitStack() as stack:

        def with_credentials(headers: dict[str, str], user: str = "") -> Official:
            kind, _, secret = headers.get("Authorization", "").partition(" ")
            client: Official
            if language == "python":
                options: dict[str, Any] = {"Basic": {"basic_auth": (user, password(user))}}.get(kind) or {
                    {"ApiKey": "api_key", "Bearer": "bearer_auth"}[kind]: secret
                }
                client = PythonClient(guarded.url, asynchronous=variant == "async", **options)
            else:
                auth = {
                    "Basic": {"username": user, "password": password(user)},
                    "ApiKey": {"apiKey": secret},
                    "Bearer": {"bearer": secret},
                }[kind]
                folder = request.getfixturevalue("javascript_folder")
                client = JavaScriptClient(guarded.url, folder, f"elasticsearch-{variant}", auth=auth)
            return stack.enter_context(closing(client))

        yield with_credentials


@pytest.mark.parametrize("caller", ["manager", "manager_key", "mighty_bearer"])
def test_life_of_a_job(connect: Connect, callers: SimpleNamespace, admin: Elasticsearch, caller: str) -> None:
    empty(admin)
    test_life.test_life_of_a_job(Worker(connect(getattr(callers, caller), caller)))


def test_refused_caller_gets_the_exception_of_the_client(connect: Connect, callers: SimpleNamespace) -> None:
    for caller in ("monitor", "restricted_key", "weak_bearer"):
        worker = Worker(connect(getattr(callers, caller), caller))
        refusal = worker.refusal("sync_job_cancel", connector_sync_job_id="x")
        assert (refusal.status, refusal.message.splitlines()[0]) == (403, "security_exception")
        assert "action [cluster:admin/xpack/connector/sync_job/cancel] is unauthorized for" in str(
            refusal.body
        )
    for caller in ("unknown", "invalidated_key", "wrong_bearer"):
        worker = Worker(connect(getattr(callers, caller), "nobody"))
        refusal = worker.refusal("sync_job_list")
        assert (refusal.status, refusal.message.splitlines()[0]) == (401, "security_exception")
