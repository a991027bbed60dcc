"""The probes, with a real node."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from elasticsearch import Elasticsearch
from flask import Flask
from flask.testing import FlaskClient

from app import health
from app.errors import ApiError
from app.store.index_definitions import SYNC_JOBS
from app.store.indices import Indices

AWAY = "http://user:hidden@127.0.0.1:9"


def _client(elasticsearch: Elasticsearch) -> FlaskClient:
    app = Flask(__name__)
    app.testing = True
    app.extensions["store"] = SimpleNamespace(indices=Indices(elasticsearch))
    app.register_blueprint(health.blueprint)
    return app.test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_healthz_does_not_use_elasticsearch(method: str) -> None:
    response = _client(Elasticsearch(AWAY)).open("/healthz", method=method)

    assert response.status_code == 200
    if method == "GET":
        assert response.json == {"status": "ok"}


def test_readyz_creates_a_deleted_index_again(elasticsearch: Elasticsearch) -> None:
    Indices(elasticsearch).ensure()
    elasticsearch.indices.delete(index=SYNC_JOBS.name)

    response = _client(elasticsearch).get("/readyz")

    assert response.status_code == 200
    assert response.json == {"status": "ready"}
    assert elasticsearch.indices.exists_alias(name=SYNC_JOBS.alias)


def test_readyz_names_the_problem_and_says_how_to_fix_it(elasticsearch: Elasticsearch) -> None:
    Indices(elasticsearch).ensure()
    elasticsearch.indices.close(index=SYNC_JOBS.name)
    try:
        with pytest.raises(ApiError) as raised:
            _client(elasticsearch).get("/readyz")
    finally:
        elasticsearch.indices.open(index=SYNC_JOBS.name)

    assert raised.value.status == 503
    assert raised.value.cause.reason == (
        f"The index behind [{SYNC_JOBS.alias}] is closed: open it (POST /{SYNC_JOBS.alias}/_open)."
    )


def test_readyz_shows_neither_address_nor_credentials() -> None:
    with pytest.raises(ApiError) as raised:
        _client(Elasticsearch(AWAY, max_retries=0)).get("/readyz")

    assert raised.value.status == 503
    assert raised.value.cause.reason == "Elasticsearch cannot be reached. The request can be sent again."
