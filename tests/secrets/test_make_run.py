"""`make run` gives its own Elasticsearch a key, and a named cluster none."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import settings
from tests.make_run import READY, SUPERVISOR, Run, new_home
from tests.secrets.test_endpoints import SECRETS_PATH
from tests.service import Http


@pytest.fixture
def home() -> Iterator[Path]:
    with new_home() as home:
        yield home


def test_its_own_elasticsearch_gets_a_key_that_is_kept(home, monkeypatch):
    run = Run(SUPERVISOR, home, SECRETS_KEYS="")
    try:
        run.wait_for(READY)
        http = Http(f"http://127.0.0.1:{run.port}")
        assert http.put(f"{SECRETS_PATH}/a", json={"value": "v"}).status_code == 201
        assert http.get(f"{SECRETS_PATH}/a").json()["value"] == "v"
        http.close()
    finally:
        run.process.terminate()
        run.end(60)
    [file] = home.rglob("secrets.key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run.said.count(f"Secrets are encrypted with the key in {file}\n") == 1
    assert file.read_text() not in run.said
    monkeypatch.setenv("SECRETS_KEYS", file.read_text())
    assert len(settings.load().secrets_keys) == 1


def test_a_named_cluster_gets_none(home, node_url):
    run = Run(SUPERVISOR, home, SECRETS_KEYS="", ELASTICSEARCH_URL=node_url)
    try:
        run.wait_for(READY)
        http = Http(f"http://127.0.0.1:{run.port}")
        assert http.get(f"{SECRETS_PATH}/a").status_code == 501
        http.close()
    finally:
        run.process.terminate()
        run.end(60)
    assert "Secrets" not in run.said
    assert not list(home.rglob("*.key"))
