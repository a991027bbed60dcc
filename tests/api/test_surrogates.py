"""Halves of surrogate pairs, as in names of files that are not UTF-8 (PEP 383): replaced in error texts, refused elsewhere."""

from __future__ import annotations

import pytest

from tests.documents import Stored, a_connector, a_running_job
from tests.endpoints import JOBS, ROOT
from tests.service import Http

JSON = {"Content-Type": "application/json"}
TEXTS = [
    (rb"caf\udce9.txt", "caf\ufffd.txt"),
    (rb"\ud83d \ud83d\ude00 \ude00", "\ufffd \U0001f600 \ufffd"),
    (rb"a\"b\\c\n\u0000\udcff", 'a"b\\c\n\0\ufffd'),
]


@pytest.mark.parametrize(("sent", "stored"), TEXTS, ids=["one", "several", "beside escapes"])
def test_decision_46_error_text_of_a_job_is_stored_with_a_replacement(
    http: Http, jobs: Stored, sent: bytes, stored: str
) -> None:
    jobs.put("j1", a_running_job())
    response = http.put(f"{JOBS}/j1/_error", data=b'{"error": "' + sent + b'"}', headers=JSON)
    assert response.json() == {"result": "updated"}
    assert (jobs.source("j1")["status"], jobs.source("j1")["error"]) == ("error", stored)


@pytest.mark.parametrize(("sent", "stored"), TEXTS, ids=["one", "several", "beside escapes"])
def test_decision_46_error_text_of_a_connector_is_stored_with_a_replacement(
    http: Http, connectors: Stored, sent: bytes, stored: str
) -> None:
    connectors.put("c1", a_connector())
    response = http.put(f"{ROOT}/c1/_error", data=b'{"error": "' + sent + b'"}', headers=JSON)
    assert response.json() == {"result": "updated"}
    assert connectors.source("c1")["error"] == stored


def test_surrogates_are_refused_in_other_bodies(http: Http, jobs: Stored) -> None:
    before = jobs.put("j1", a_running_job("pending"))
    body = rb'{"worker_hostname": "\udce9"}'
    response = http.put(f"{JOBS}/j1/_claim", data=body, headers=JSON)
    assert response.status_code == 400
    assert "Incomplete surrogate pair" in response.json()["error"]["reason"]
    assert jobs.source("j1") == before
