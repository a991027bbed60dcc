"""The life of a connector and of a job: as documented with each official client, and in both modes with elasticsearch-py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.compatibility import MODES
from app.store.index_definitions import SYNC_JOBS
from scripts.elasticsearch import client_major
from tests.clients.calls import FEATURES, FIELD, LAST_RULE, PIPELINE, SCHEDULING, TIMESTAMP, VALID, Having
from tests.clients.official_clients import ClientError, Official, PythonClient
from tests.service import Service

UPDATED, ACKNOWLEDGED = {"result": "updated"}, {"acknowledged": True}
FIELDS = {"host": {"label": "Host", "type": "str", "value": "a.example"}}
COUNTERS = {"deleted_document_count": 1, "indexed_document_count": 20, "indexed_document_volume": 3}
CURSOR = {"after": {"id": 7}}


class Worker:
    """The calls of a worker and its operator, with one client."""

    def __init__(self, client: Official) -> None:
        self.client = client

    def do(self, method: str, **arguments: Any) -> Any:
        return self.client.call(method, **arguments).body

    def change(self, method: str, **arguments: Any) -> None:
        assert self.do(method, **arguments) == UPDATED

    def refusal(self, method: str, **arguments: Any) -> ClientError:
        with pytest.raises(ClientError) as raised:
            self.client.call(method, **arguments)
        assert raised.value.exception == self.client.exceptions[raised.value.status]
        return raised.value

    def new_connector(self, connector_id: str = "shop", **other: Any) -> str:
        fields = {"name": "Shop", "index_name": f"search-{connector_id}", "service_type": "mysql", **other}
        made = self.do("put", connector_id=connector_id, **fields)
        assert made == {"id": connector_id, "result": "created"}
        return connector_id

    def new_job(self, connector_id: str, **other: Any) -> str:
        return str(self.do("sync_job_post", id=connector_id, **other)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.do("sync_job_get", connector_sync_job_id=job_id))

    def waiting(self) -> list[str]:
        jobs = self.do("sync_job_list", status="pending", job_type=["full", "incremental"])
        return [job["id"] for job in jobs["results"]]


@pytest.fixture
def worker(official: Official, service: Service) -> Worker:
    return Worker(official)


def test_life_of_a_connector(worker: Worker) -> None:
    shop = worker.new_connector()
    assert worker.do("get", connector_id=shop)["status"] == "created"

    # It is configured, its worker checks in and connects.
    worker.change("update_status", connector_id=shop, status="needs_configuration")
    worker.change("update_configuration", connector_id=shop, configuration=FIELDS)
    worker.change("update_configuration", connector_id=shop, values={"host": "b.example"})
    worker.change("check_in", connector_id=shop)
    worker.change("update_status", connector_id=shop, status="connected")
    connector = worker.do("get", connector_id=shop)
    assert connector["status"] == "connected"
    assert connector["configuration"]["host"]["value"] == "b.example"
    assert connector["last_seen"]

    # A rule is drafted, validated and activated; a second activation changes nothing.
    rule = {"id": "r", "field": "f", "order": 0, "policy": "exclude", "rule": "equals", "value": "v"}
    worker.change("update_filtering", connector_id=shop, rules=[rule])
    early = worker.refusal("update_active_filtering", connector_id=shop)
    assert (early.status, early.message.splitlines()[0]) == (400, "status_exception")
    verdict = {"errors": [], "state": "valid"}
    worker.change("update_filtering_validation", connector_id=shop, validation=verdict)
    worker.change("update_active_filtering", connector_id=shop)
    assert worker.do("update_active_filtering", connector_id=shop) == {"result": "noop"}
    active = worker.do("get", connector_id=shop)["filtering"][0]["active"]
    assert [each["id"] for each in active["rules"]] == ["r", "DEFAULT"]

    # It fails, and recovers.
    worker.change("update_error", connector_id=shop, error="No such host")
    assert worker.do("get", connector_id=shop)["status"] == "error"
    worker.change("update_status", connector_id=shop, status="connected")

    # It is renamed and found again.
    worker.change("update_name", connector_id=shop, name="Corner shop")
    found = worker.do("list", connector_name="Corner shop")
    assert (found["count"], found["results"][0]["id"]) == (1, shop)

    # It is removed, with its jobs.
    job = worker.new_job(shop)
    assert worker.do("delete", connector_id=shop, delete_sync_jobs=True) == ACKNOWLEDGED
    assert worker.refusal("get", connector_id=shop).status == 404
    assert worker.refusal("sync_job_get", connector_sync_job_id=job).status == 404
    assert worker.do("list") == {"count": 0, "results": []}


def test_life_of_a_job(worker: Worker) -> None:
    shop = worker.new_connector()
    worker.change("update_configuration", connector_id=shop, configuration=FIELDS)
    first = worker.new_job(shop, job_type="full", trigger_method="on_demand")
    second = worker.new_job(shop, job_type="incremental", trigger_method="scheduled")
    worker.new_job(shop, job_type="access_control")
    assert worker.waiting() == [first, second]
    new = worker.job(first)
    assert new["connector"]["configuration"]["host"]["value"] == "a.example"
    assert (new["status"], new["trigger_method"], new["total_document_count"]) == ("pending", "on_demand", 0)

    # One worker claims it.
    worker.change(
        "sync_job_claim", connector_sync_job_id=first, worker_hostname="worker-1", sync_cursor=CURSOR
    )
    lost = worker.refusal("sync_job_claim", connector_sync_job_id=first, worker_hostname="worker-2")
    assert (lost.status, lost.message.splitlines()[0]) == (409, "status_exception")
    claimed = worker.job(first)["claimed_at"]
    assert f"Sync job [{first}] was claimed by [worker-1] at [{claimed}]." in lost.body["error"]["reason"]
    assert worker.waiting() == [second]

    # The worker sends heartbeats.
    worker.change("sync_job_check_in", connector_sync_job_id=first)
    worker.change(
        "sync_job_update_stats",
        connector_sync_job_id=first,
        **COUNTERS,
        total_document_count=19,
        metadata={"pages": 2},
    )
    running = worker.job(first)
    assert running.items() >= {**COUNTERS, "total_document_count": 19, "metadata": {"pages": 2}}.items()
    assert (running["status"], running["worker_hostname"]) == ("in_progress", "worker-1")
    assert running["connector"]["sync_cursor"] == CURSOR
    assert running["last_seen"] > claimed

    # The job fails, which is final.
    worker.change("sync_job_error", connector_sync_job_id=first, error="Out of disk")
    failed = worker.job(first)
    assert (failed["status"], failed["error"]) == ("error", "Out of disk")
    assert failed["completed_at"] == failed["last_seen"]
    again = worker.refusal("sync_job_error", connector_sync_job_id=first, error="Once more")
    assert (again.status, again.message.splitlines()[0]) == (400, "status_exception")

    # The result is stored in the connector.
    worker.change(
        "last_sync",
        connector_id=shop,
        last_sync_status="error",
        last_sync_error="Out of disk",
        last_seen=claimed,
    )
    assert worker.do("get", connector_id=shop)["last_sync_error"] == "Out of disk"

    assert worker.do("sync_job_delete", connector_sync_job_id=first) == ACKNOWLEDGED
    gone = worker.refusal("sync_job_delete", connector_sync_job_id=first)
    assert (gone.status, gone.message.splitlines()[0]) == (404, "resource_not_found_exception")


def test_job_can_be_canceled(worker: Worker) -> None:
    shop = worker.new_connector()
    waiting, running = worker.new_job(shop), worker.new_job(shop)
    worker.change("sync_job_cancel", connector_sync_job_id=waiting)
    canceled = worker.job(waiting)
    assert canceled["status"] == "canceled"
    assert canceled["canceled_at"] == canceled["completed_at"] == canceled["cancelation_requested_at"]

    worker.change("sync_job_claim", connector_sync_job_id=running, worker_hostname="worker-1")
    worker.change("sync_job_cancel", connector_sync_job_id=running)
    assert worker.job(running)["status"] == "canceling"
    again = worker.refusal("sync_job_cancel", connector_sync_job_id=running)
    assert (again.status, again.message.splitlines()[0]) == (400, "status_exception")
    assert "from [canceling] to [canceling]" in again.body["error"]["reason"]


@pytest.mark.parametrize("status", ["completed", "canceled", "error"])
def test_finished_job_refuses_heartbeats_and_claims(
    worker: Worker, elasticsearch: Elasticsearch, status: str
) -> None:
    """Workers write `completed` directly into Elasticsearch."""
    job = worker.new_job(worker.new_connector())
    worker.change("sync_job_claim", connector_sync_job_id=job, worker_hostname="worker-1")
    elasticsearch.update(index=SYNC_JOBS.alias, id=job, doc={"status": status, "error": None})
    finished = f"Sync job [{job}] is finished with status [{status}] and takes no more heartbeats or stats."
    for method, arguments in (("sync_job_check_in", {}), ("sync_job_update_stats", COUNTERS)):
        refusal = worker.refusal(method, connector_sync_job_id=job, **arguments)
        assert (refusal.status, refusal.message.splitlines()[0]) == (409, "status_exception")
        assert refusal.body["error"]["reason"] == finished
    claim = worker.refusal("sync_job_claim", connector_sync_job_id=job, worker_hostname="worker-1")
    assert (claim.status, claim.message.splitlines()[0]) == (409, "status_exception")


@pytest.mark.parametrize("odd", ["j 1/x", "a%2Fb", "é€𝄞", "a+b?c#d", "_claims", 'q"uo&te\\'])
def test_unusual_ids_work(worker: Worker, elasticsearch: Elasticsearch, odd: str) -> None:
    assert worker.do("put", connector_id=odd, index_name="search-odd", service_type="mysql")["id"] == odd
    worker.change("check_in", connector_id=odd)
    made = worker.new_job(odd)
    job = elasticsearch.get(index=SYNC_JOBS.alias, id=made)["_source"]
    elasticsearch.index(index=SYNC_JOBS.alias, id=odd, document=job)
    worker.change("sync_job_claim", connector_sync_job_id=odd, worker_hostname=odd)
    assert worker.job(odd).items() >= {"id": odd, "status": "in_progress", "worker_hostname": odd}.items()
    assert worker.do("sync_job_list", connector_id=odd)["count"] == 2
    assert worker.do("sync_job_delete", connector_sync_job_id=odd) == ACKNOWLEDGED
    assert worker.do("delete", connector_id=odd) == ACKNOWLEDGED


@pytest.fixture(scope="module")
def compatible_service(node_url: str) -> Iterator[Service]:
    with Service(node_url, WORKERS="1", COMPATIBILITY="elasticsearch") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def either(mode: str, service: Service, compatible_service: Service) -> Iterator[Worker]:
    """A worker of a service in each mode in turn, over the same documents."""
    services = {"documented": service, "elasticsearch": compatible_service}
    client = PythonClient(services[mode].url, asynchronous=False)
    yield Worker(client)
    client.close()


def test_connectors_are_made_listed_and_removed_in_both_modes(either: Worker) -> None:
    assert either.do("put", connector_id="shop", index_name="search-shop")["result"] == "created"
    either.change("check_in", connector_id="shop")
    assert either.do("list")["count"] == 1
    other = either.do("post")["id"]
    assert either.do("get", connector_id=other)["id"] == other
    hard = {"hard": True} if client_major() >= 9 else {}
    assert either.do("delete", connector_id="shop", **hard) == ACKNOWLEDGED
    assert [connector["id"] for connector in either.do("list")["results"]] == [other]


def test_every_part_of_a_connector_is_changed_in_both_modes(either: Worker) -> None:
    def changed(connector_id: str, method: str, **fields: Any) -> None:
        either.change(method, connector_id=connector_id, **fields)
        assert either.do("get", connector_id=connector_id) == Having(fields)

    shop = either.new_connector(language="fr", is_native=False)
    changed(shop, "update_name", name="Corner shop")

    snippet = {
        "value": [{"tables": ["orders", "customers"], "query": "SELECT id FROM shop.orders"}],
        "created_at": TIMESTAMP,
        "updated_at": TIMESTAMP,
    }
    drafted = {"advanced_snippet": snippet, "rules": [LAST_RULE | {"order": 0}]}
    either.change("update_filtering", connector_id=shop, **drafted)
    either.change("update_filtering_validation", connector_id=shop, validation=VALID)
    either.change("update_active_filtering", connector_id=shop)
    [filtering] = either.do("get", connector_id=shop)["filtering"]
    assert filtering["draft"] == Having(drafted)
    assert filtering["active"] == Having(drafted)

    changed(shop, "update_error", error="No route to host")
    least = {"type": "greater_than", "constraint": 1}
    port = FIELD | {"display": "numeric", "value": 5432, "validations": [least]}
    changed(shop, "update_configuration", configuration={"port": port, "host": FIELD})
    changed(shop, "update_index_name", index_name="search-corner-shop")
    native = either.new_connector("native", index_name="content-native", is_native=False)
    changed(native, "update_native", is_native=True)
    changed(shop, "update_pipeline", pipeline=PIPELINE)
    changed(shop, "update_scheduling", scheduling=SCHEDULING)
    changed(shop, "update_status", status="needs_configuration")
    changed(shop, "update_service_type", service_type="postgresql")
    changed(shop, "update_api_key_id", api_key_id="key-1")

    # Its id can be used again.
    assert either.do("delete", connector_id=shop) == ACKNOWLEDGED
    either.do("put", connector_id=shop, index_name="search-shop", service_type="mysql")
    changed(shop, "update_features", features=FEATURES)


def test_job_is_canceled_before_a_worker_reports_and_claims_it_in_both_modes(
    either: Worker, mode: str
) -> None:
    job = either.new_job(either.new_connector(), job_type="access_control", trigger_method="scheduled")
    created = either.job(job)
    assert created["connector"]["id"] == "shop"

    either.change("sync_job_check_in", connector_sync_job_id=job)
    waiting = either.job(job)
    assert (waiting["status"], waiting["last_seen"] > created["last_seen"]) == ("pending", True)
    either.change("sync_job_cancel", connector_sync_job_id=job)
    canceled = either.job(job)
    assert canceled["status"] == "canceled"

    stats = COUNTERS | {"last_seen": "2023-04-05T06:07:08.123456Z", "metadata": {"pages": 2}}
    claim = {"worker_hostname": "worker-1", "sync_cursor": CURSOR}
    if mode == "documented":  # a job that has ended stays as it is
        for method, arguments in (("sync_job_update_stats", stats), ("sync_job_claim", claim)):
            assert either.refusal(method, connector_sync_job_id=job, **arguments).status == 409
        assert either.job(job) == canceled
    else:
        either.change("sync_job_update_stats", connector_sync_job_id=job, **stats)
        assert either.job(job) == canceled | stats
        either.change("sync_job_claim", connector_sync_job_id=job, **claim)
        running = either.job(job)
        assert (running["status"], running["worker_hostname"]) == ("in_progress", "worker-1")
        assert running["connector"]["sync_cursor"] == CURSOR
        assert running.items() >= COUNTERS.items()
        assert not running.keys() & {"canceled_at", "cancelation_requested_at", "completed_at"}
    assert [each["id"] for each in either.do("sync_job_list")["results"]] == [job]
    assert either.do("sync_job_delete", connector_sync_job_id=job) == ACKNOWLEDGED

    unclaimed = either.new_job("shop", job_type="full", trigger_method="on_demand")
    early = either.refusal("sync_job_error", connector_sync_job_id=unclaimed, error="Out of disk")
    assert early.status == 400
    assert either.do("delete", connector_id="shop", delete_sync_jobs=True) == ACKNOWLEDGED
    assert either.do("sync_job_list", connector_id="shop") == {"count": 0, "results": []}
