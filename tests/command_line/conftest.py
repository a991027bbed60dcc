from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line.program import Program
from tests.documents import ID
from tests.endpoints import JOBS
from tests.gateway.conftest import gateway_url, nginx  # noqa: F401
from tests.service import Http, Service


@pytest.fixture
def program(tmp_path: Path, service: Service) -> Program:
    """The program, with the service's address. There are no documents."""
    return Program(tmp_path, url=service.url)


@pytest.fixture
def new_job(http: Http) -> Callable[..., str]:
    """Makes the connector c1, or another, and a pending job for it; returns the job's id."""

    def make(connector_id: str = ID, **fields: str) -> str:
        if http.get(f"/_connector/{connector_id}").status_code == 404:
            connector = {
                "index_name": f"search-{connector_id}",
                "service_type": "mysql",
                "name": f"The connector {connector_id}",
            }
            assert http.put(f"/_connector/{connector_id}", json=connector).status_code == 201
        made = http.post(JOBS, json={"id": connector_id, **fields})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    return make
