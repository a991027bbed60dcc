"""Connectors, jobs and secrets that the examples of the API reference are about, made by requests as far as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.api_reference.example_values import CONNECTOR_ID, ITEM, JOB_ID, SECRET_ID, WORKER
from tests.documents import Stored
from tests.endpoints import JOBS, ROOT, SECRETS_PATH
from tests.service import Http

_CONNECTOR = f"{ROOT}/{CONNECTOR_ID}"
_LONG_AGO = "2024-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class World:
    """What the running service holds."""

    http: Http
    jobs: Stored
    secrets: Stored

    def sent(self, method: str, path: str, body: Any = None) -> Any:
        response = self.http.request(method, path, **({} if body is None else {"json": body}))
        assert response.status_code < 300, response.text
        return response.json()

    def connector(self, index_name: str | None = "search-customers") -> None:
        fields = {"name": "Customers", "index_name": index_name, "service_type": "postgresql"}
        self.sent("PUT", _CONNECTOR, fields)
        self.sent("PUT", f"{_CONNECTOR}/_configuration", {"configuration": {"host": ITEM}})

    def job(self, *steps: str) -> str:
        """A pending job, or what these steps made of it; its id."""
        self.connector()
        job_id = str(self.sent("POST", JOBS, {"id": CONNECTOR_ID})["id"])
        for step in steps:
            self.sent("PUT", f"{JOBS}/{job_id}/{step}", WORKER if step == "_claim" else None)
        return job_id

    def old_job(self, **fields: Any) -> str:
        """A job that was claimed long ago."""
        job_id = self.job("_claim")
        self.jobs.update(job_id, {"last_seen": _LONG_AGO, **fields})
        return job_id

    def edited(self, *states: str) -> None:
        """A connector whose draft was edited and then got these validations."""
        self.connector()
        snippet = {"advanced_snippet": {"value": {"tables": []}}}
        self.sent("PUT", f"{_CONNECTOR}/_filtering", snippet)
        for state in states:
            body = {"validation": {"errors": [], "state": state}}
            self.sent("PUT", f"{_CONNECTOR}/_filtering/_validation", body)

    def no_secret(self) -> None:
        self.http.delete(f"{SECRETS_PATH}/{SECRET_ID}")

    def secret(self) -> None:
        self.sent("PUT", f"{SECRETS_PATH}/{SECRET_ID}", {"value": "hunter2"})

    def prepare(self, endpoint: str, example: str) -> str:
        """Make what an example needs; the id of the job that stands for the example's."""
        blueprint = endpoint.partition(".")[0]
        usual = {"connectors": World.connector, "secrets": World.secret, "sync_jobs": _running}
        found = _STATES.get(f"{endpoint} {example}") or _STATES.get(endpoint) or usual.get(blueprint)
        return (found and found(self)) or JOB_ID


State = Callable[[World], str | None]


def _nothing(_: World) -> None:
    pass


def _pending(world: World) -> str:
    return world.job()


def _running(world: World) -> str:
    return world.job("_claim")


def _canceling(world: World) -> str:
    return world.job("_claim", "_cancel")


def _pruned(world: World) -> str:
    return world.old_job(status="completed", completed_at=_LONG_AGO)


def _valid_draft(world: World) -> None:
    world.edited("valid")


def _without_index(world: World) -> None:
    world.connector(index_name=None)


_STATES: dict[str, State] = {
    "sync_jobs.create": World.connector,
    "sync_jobs.create active": _pending,
    "sync_jobs.cancel": _pending,
    "sync_jobs.claim": _pending,
    "sync_jobs.claim_next": _pending,
    "sync_jobs.confirm_cancel": _canceling,
    "many_sync_jobs.check_in": _canceling,
    "many_sync_jobs.cancel": _pending,
    "many_sync_jobs.end_abandoned": World.old_job,
    "many_sync_jobs.prune": _pruned,
    "many_sync_jobs.show_summary": _running,
    "connectors.create": _nothing,
    "connectors.put_without_id": _nothing,
    "connectors.put created": _nothing,
    "connectors.validate_filtering": World.edited,
    "connectors.activate_filtering": _valid_draft,
    "connectors.native": _without_index,
    "secrets.put created": World.no_secret,
}
"""What an endpoint, or one of its examples, needs beyond what is usual for its kind."""
