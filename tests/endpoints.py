"""Every endpoint of the service, with a valid request for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import requests

from tests.service import Http

ROOT = "/_connector"
JOBS = f"{ROOT}/_sync_job"
SECRETS_PATH = f"{ROOT}/_secret"

READ, MANAGE, SECRET_READ, SECRET_WRITE = "read", "manage", "secret read", "secret write"

COUNTERS = {"deleted_document_count": 10, "indexed_document_count": 20, "indexed_document_volume": 30}
REPORT = {"indexed_document_count": 20, "metadata": {"a": 1}}
PIPELINE = {
    "name": "p",
    "extract_binary_content": True,
    "reduce_whitespace": False,
    "run_ml_inference": False,
}
SCHEDULE = {"enabled": True, "interval": "0 0 1 * * ?"}
VALID = {"errors": [], "state": "valid"}


@dataclass(frozen=True)
class Endpoint:
    """An endpoint. `{id}` in its path is a placeholder for a connector, job or secret id, which `of` fills in."""

    action: str
    """The name of the action in Elasticsearch, after `cluster:admin/xpack/connector/`."""

    method: str
    path: str
    body: Any = None
    """A valid body; None if it takes no body."""

    needs: str = MANAGE
    """The privilege that it requires."""

    body_optional: bool = False
    """Whether it also takes requests without a body."""

    @property
    def of_one(self) -> bool:
        """Whether the path has the id of a connector, job or secret."""
        return "{id}" in self.path

    @property
    def writes(self) -> bool:
        return self.needs in (MANAGE, SECRET_WRITE)

    @property
    def end(self) -> str:
        """The end of the path after the id, for example `_filtering/_validation`."""
        return self.path.partition("{id}/")[2]

    def of(self, document_id: str) -> Endpoint:
        return replace(self, path=self.path.replace("{id}", document_id))

    def send(self, http: Http, suffix: str = "", **options: Any) -> requests.Response:
        if self.body is not None:
            options.setdefault("json", self.body)
        return http.request(self.method, self.path + suffix, **options)


OF_JOBS = [
    Endpoint("sync_job/post", "POST", JOBS, {"id": "c1"}),
    Endpoint("sync_job/list", "GET", JOBS, needs=READ),
    Endpoint("sync_job/get", "GET", f"{JOBS}/{{id}}", needs=READ),
    Endpoint("sync_job/delete", "DELETE", f"{JOBS}/{{id}}"),
    Endpoint("sync_job/cancel", "PUT", f"{JOBS}/{{id}}/_cancel"),
    Endpoint("sync_job/check_in", "PUT", f"{JOBS}/{{id}}/_check_in"),
    Endpoint("sync_job/claim", "PUT", f"{JOBS}/{{id}}/_claim", {"worker_hostname": "w"}),
    Endpoint("sync_job/update_error", "PUT", f"{JOBS}/{{id}}/_error", {"error": "it broke"}),
    Endpoint("sync_job/update_stats", "PUT", f"{JOBS}/{{id}}/_stats", COUNTERS),
    Endpoint("sync_job/claim_next", "POST", f"{JOBS}/_claim", {"worker_hostname": "w"}),
    Endpoint("sync_job/complete", "PUT", f"{JOBS}/{{id}}/_complete", REPORT, body_optional=True),
    Endpoint("sync_job/suspend", "PUT", f"{JOBS}/{{id}}/_suspend", REPORT, body_optional=True),
    Endpoint("sync_job/confirm_cancel", "PUT", f"{JOBS}/{{id}}/_confirm_cancel", REPORT, body_optional=True),
    Endpoint("sync_job/check_in_many", "POST", f"{JOBS}/_check_in", {"worker_hostname": "w", "ids": ["j1"]}),
    Endpoint("sync_job/cancel_many", "POST", f"{JOBS}/_cancel", {"connector_id": "c1"}),
    Endpoint("sync_job/rescue", "POST", f"{JOBS}/_rescue", {"idle_for": "1m"}, body_optional=True),
    Endpoint(
        "sync_job/prune", "POST", f"{JOBS}/_prune", {"keep_last": 0, "dry_run": False}, body_optional=True
    ),
    Endpoint("sync_job/summary", "GET", f"{JOBS}/_summary", needs=READ),
]


def _update(action: str, name: str, body: Any = None) -> Endpoint:
    return Endpoint(action, "PUT", f"{ROOT}/{{id}}/{name}", body)


OF_CONNECTORS = [
    Endpoint("post", "POST", ROOT, {"name": "n"}, body_optional=True),
    Endpoint("put", "PUT", ROOT, {"name": "n"}, body_optional=True),
    Endpoint("list", "GET", ROOT, needs=READ),
    Endpoint("put", "PUT", f"{ROOT}/{{id}}", {"name": "n"}, body_optional=True),
    Endpoint("get", "GET", f"{ROOT}/{{id}}", needs=READ),
    Endpoint("delete", "DELETE", f"{ROOT}/{{id}}"),
    _update("update_last_seen", "_check_in"),
    _update("update_api_key_id", "_api_key_id", {"api_key_id": "k"}),
    _update("update_configuration", "_configuration", {"configuration": {}}),
    _update("update_error", "_error", {"error": "x"}),
    _update("update_features", "_features", {"features": {}}),
    _update("update_filtering", "_filtering", {"rules": []}),
    _update("update_filtering/draft_validation", "_filtering/_validation", {"validation": VALID}),
    _update("update_filtering/activate", "_filtering/_activate"),
    _update("update_index_name", "_index_name", {"index_name": "search-x"}),
    _update("update_last_sync_stats", "_last_sync", {}),
    _update("update_name", "_name", {"name": "x"}),
    _update("update_native", "_native", {"is_native": True}),
    _update("update_pipeline", "_pipeline", {"pipeline": PIPELINE}),
    _update("update_scheduling", "_scheduling", {"scheduling": {"full": SCHEDULE}}),
    _update("update_service_type", "_service_type", {"service_type": "x"}),
    _update("update_status", "_status", {"status": "error"}),
]
OF_SECRETS = [
    Endpoint("secret/post", "POST", SECRETS_PATH, {"value": "v"}, needs=SECRET_WRITE),
    Endpoint("secret/get", "GET", f"{SECRETS_PATH}/{{id}}", needs=SECRET_READ),
    Endpoint("secret/put", "PUT", f"{SECRETS_PATH}/{{id}}", {"value": "v"}, needs=SECRET_WRITE),
    Endpoint("secret/delete", "DELETE", f"{SECRETS_PATH}/{{id}}", needs=SECRET_WRITE),
]
ALL = [*OF_JOBS, *OF_CONNECTORS, *OF_SECRETS]
# By action; `put` is the endpoint with an id in the path.
ENDPOINTS = {endpoint.action: endpoint for endpoint in ALL}
