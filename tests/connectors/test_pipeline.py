"""The ingest pipeline of connectors: created if there is none, never changed if there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from app.store.pipelines import DEFAULT_PIPELINE, Pipelines
from tests.environment import has_processors
from tests.service import Service


@pytest.fixture
def ingest(elasticsearch: Elasticsearch) -> Iterator[Elasticsearch]:
    """Remove the pipeline before the test; create that of the service afterwards."""
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    yield elasticsearch
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    Pipelines(elasticsearch).ensure()


def processed(client: Elasticsearch, document: dict) -> dict:
    response = client.ingest.simulate(id=DEFAULT_PIPELINE, docs=[{"_source": document}])
    return dict(response["docs"][0]["doc"]["_source"])


def exists(client: Elasticsearch) -> bool:
    return client.options(ignore_status=404).ingest.get_pipeline(id=DEFAULT_PIPELINE).meta.status == 200


def test_pipeline_processes_documents(ingest) -> None:
    """A node without the attachment processor gets the version without it."""
    if not has_processors(ingest):
        pytest.skip("this Elasticsearch has no processors")
    Pipelines(ingest).ensure()
    meant_for_it = {"_reduce_whitespace": True, "_run_ml_inference": True, "_attachment_indexed_chars": 5}
    assert processed(ingest, {"body": "  a \n\t b ", "title": " kept ", **meant_for_it}) == {
        "body": "a b",
        "title": " kept ",
    }
    assert processed(ingest, {"body": "  a \n b ", "_reduce_whitespace": False}) == {"body": "  a \n b "}
    assert processed(ingest, {"title": "no body", "_reduce_whitespace": True}) == {"title": "no body"}
    assert processed(ingest, {"body": 7, "_reduce_whitespace": True})["_ingestion_errors"]


def test_pipeline_is_created_when_the_service_starts(ingest, node_url) -> None:
    """If the node lacks the processors, there is no pipeline, but the service is ready."""
    complete = has_processors(ingest)
    with Service(node_url, WORKERS="1") as service:
        service.wait_until_ready()
        service.wait_for(lambda: exists(ingest) if complete else "pipeline_refused" in service.log())
        assert exists(ingest) == complete


def test_existing_pipeline_is_kept(ingest) -> None:
    ingest.ingest.put_pipeline(id=DEFAULT_PIPELINE, description="mine", processors=[])
    Pipelines(ingest).ensure()
    assert ingest.ingest.get_pipeline(id=DEFAULT_PIPELINE)[DEFAULT_PIPELINE]["description"] == "mine"
