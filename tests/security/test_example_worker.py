"""The example of a worker on a secured cluster: `manage_connector` is all that it needs of this service."""

from __future__ import annotations

from tests.endpoints import JOBS
from tests.example_worker import ExampleWorker, wait_until


def test_example_worker_sends_its_credentials(guarded, callers) -> None:
    manager = callers.manager
    connector = {"index_name": "search-example", "service_type": "numbers"}
    configuration = {"seconds": {"label": "seconds", "order": 1, "type": "str", "value": "0"}}
    path = "/_connector/example"
    assert guarded.http.put(path, headers=manager, json=connector).status_code == 201
    configured = guarded.http.put(
        f"{path}/_configuration", headers=manager, json={"configuration": configuration}
    )
    assert configured.status_code == 200
    created = guarded.http.post(JOBS, headers=manager, json={"id": "example"}).json()["id"]

    def status() -> str:
        return str(guarded.http.get(f"{JOBS}/{created}", headers=manager).json()["status"])

    for refused, environment in (
        (401, {}),
        (403, {"CONNECTORS_AUTHORIZATION": callers.monitor["Authorization"]}),
    ):
        with ExampleWorker(guarded.url, **environment) as worker:
            assert worker.wait() == 1
            assert f"No claim: {refused}" in worker.output()
    assert status() == "pending"

    with ExampleWorker(guarded.url, CONNECTORS_AUTHORIZATION=manager["Authorization"]) as worker:
        wait_until(lambda: status() == "completed", worker)

    gone = guarded.http.delete(f"{path}?delete_sync_jobs=true&hard=true", headers=manager)
    assert gone.json() == {"acknowledged": True}
