"""`MAX_BODY_BYTES`: bodies larger than that, as sent or decompressed, are refused with 413."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import pytest

from tests.documents import Stored, a_connector, a_running_job
from tests.endpoints import ENDPOINTS, OF_JOBS, Endpoint
from tests.responses import envelope, error_body
from tests.service import Service

LIMIT = 2048
TOO_LONG = envelope(413, "too_long_http_content_exception", f"Content length exceeded [{LIMIT}] bytes.")
# The status of the job, where the endpoint wants another than `in_progress`.
START = {"sync_job/claim": "pending", "sync_job/confirm_cancel": "canceling"}
TAKERS = [
    *(each.of("j1") for each in OF_JOBS if each.body is not None and each.of_one),
    ENDPOINTS["sync_job/post"],
    ENDPOINTS["put"].of("c1"),
]


@pytest.fixture(scope="module")
def limited_service(node_url: str) -> Iterator[Service]:
    with Service(node_url, WORKERS="1", MAX_BODY_BYTES=str(LIMIT)) as service:
        service.wait_until_ready()
        yield service


@pytest.mark.parametrize("endpoint", TAKERS, ids=lambda endpoint: endpoint.action)
def test_body_beyond_the_limit_is_refused_and_not_written(
    limited_service: Service, jobs: Stored, connectors: Stored, writes: Callable[[], int], endpoint: Endpoint
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", a_running_job(START.get(endpoint.action, "in_progress")))
    before = writes()
    sent = json.dumps(endpoint.body).encode()
    largest, larger = sent.ljust(LIMIT), sent.ljust(LIMIT + 1)
    for body, encoding in ((larger, {}), (gzip.compress(larger), {"Content-Encoding": "gzip"})):
        headers = {"Content-Type": "application/json", **encoding}
        response = limited_service.http.request(endpoint.method, endpoint.path, data=body, headers=headers)
        assert error_body(response) == TOO_LONG
        pieces = iter([body[:9], body[9:]])  # without a Content-Length
        response = limited_service.http.request(endpoint.method, endpoint.path, data=pieces, headers=headers)
        assert error_body(response) == TOO_LONG
    assert writes() == before
    headers = {"Content-Type": "application/json"}
    response = limited_service.http.request(endpoint.method, endpoint.path, data=largest, headers=headers)
    assert response.status_code in (200, 201)
    assert writes() == before + 1
