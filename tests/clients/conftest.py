"""The official clients, and a service with documents for their calls."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from scripts.elasticsearch.folders import cache_folder
from tests.clients.calls import CONNECTOR, JOB, PUT, RUNNING
from tests.clients.official_clients import JavaScriptClient, Official, PythonClient
from tests.documents import empty
from tests.environment import skip_or_fail
from tests.service import Service, free_port

JAVASCRIPT = Path(__file__).parent / "javascript"
OLDEST_NODE_JS = 20


@pytest.fixture(scope="session")
def document_lines(running_service: Service, elasticsearch: Elasticsearch) -> list[dict[str, Any]]:
    """The lines of a bulk request with the documents that the table of calls needs, as the service creates them."""
    running_service.wait_until_ready()
    empty(elasticsearch)
    http = running_service.http
    assert http.put("/_connector/made", json=PUT).status_code == 201
    lines: list[dict[str, Any]] = [
        {"index": {"_index": CONNECTORS.alias, "_id": CONNECTOR}},
        elasticsearch.get(index=CONNECTORS.alias, id="made")["_source"],
    ]
    for job_id in (JOB, RUNNING):
        made = http.post("/_connector/_sync_job", json={"id": "made"}).json()["id"]
        if job_id == RUNNING:
            claim = http.put(f"/_connector/_sync_job/{made}/_claim", json={"worker_hostname": "worker-1"})
            assert claim.status_code == 200
        job = elasticsearch.get(index=SYNC_JOBS.alias, id=made)["_source"]
        job["connector"]["id"] = CONNECTOR
        lines += [{"index": {"_index": SYNC_JOBS.alias, "_id": job_id}}, job]
    return lines


@pytest.fixture
def prepared_service(
    service: Service, elasticsearch: Elasticsearch, document_lines: list[dict[str, Any]]
) -> Service:
    """The service with the documents that the table of calls needs."""
    assert not elasticsearch.bulk(operations=document_lines)["errors"]
    return service


@pytest.fixture(scope="session")
def without_elasticsearch() -> Iterator[Service]:
    """A service whose Elasticsearch cannot be reached."""
    with Service(f"http://127.0.0.1:{free_port()}", LOG_FORMAT="json") as service:
        yield service


@pytest.fixture(params=["python", "python-async", "javascript-8", "javascript-9"])
def official(request: pytest.FixtureRequest, running_service: Service) -> Iterator[Official]:
    """Each official client in turn."""
    language, _, variant = request.param.partition("-")
    if language == "python":
        client = PythonClient(running_service.url, asynchronous=variant == "async")
        yield client
        client.close()
    else:
        yield request.getfixturevalue(f"javascript_{variant}")


@pytest.fixture(scope="session")
def javascript_folder() -> Path:
    """Where both majors of the JavaScript client are installed: the cache, outside the repository."""
    lock = (JAVASCRIPT / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock).hexdigest()[:16]
    folder = cache_folder().with_name("javascript-clients") / digest
    _check_node_js()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one pytest worker installs them, the other waits for it
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
            try:
                _install_into(unfinished)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def javascript_8(running_service: Service, javascript_folder: Path) -> Iterator[JavaScriptClient]:
    with JavaScriptClient(running_service.url, javascript_folder, "elasticsearch-8") as client:
        yield client


@pytest.fixture(scope="session")
def javascript_9(running_service: Service, javascript_folder: Path) -> Iterator[JavaScriptClient]:
    with JavaScriptClient(running_service.url, javascript_folder, "elasticsearch-9") as client:
        yield client


@pytest.fixture(params=["8", "9"])
def javascript(request: pytest.FixtureRequest) -> JavaScriptClient:
    """The JavaScript client of each major in turn."""
    client: JavaScriptClient = request.getfixturevalue(f"javascript_{request.param}")
    return client


def _check_node_js() -> None:
    if not (shutil.which("npm") and shutil.which("node")):
        skip_or_fail("no JavaScript clients: there are no `node` and `npm`")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", version)
    if not found or int(found[1]) < OLDEST_NODE_JS:
        skip_or_fail(
            f"no JavaScript clients: they need Node.js {OLDEST_NODE_JS} or newer; `node` is {version.strip() or 'broken'}"
        )


def _install_into(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(JAVASCRIPT / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    limits = ["--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(
            [*command, *limits], cwd=folder, capture_output=True, text=True, timeout=100, check=False
        )
    except subprocess.TimeoutExpired:
        skip_or_fail("no JavaScript clients: `npm ci` took over 100 seconds")
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        skip_or_fail(f"no JavaScript clients: `npm ci` failed: {' / '.join(errors[:4])}")
