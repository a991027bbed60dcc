"""The ingest pipeline of connectors: created if there is none, never changed if there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch
from structlog.testing import capture_logs

from app.store.pipelines import DEFAULT_PIPELINE, OPTIONAL_PROCESSOR
from tests.documents import ensure_pipeline
from tests.environment import has_processors
from tests.fault_proxy import FaultProxy, Request, to
from tests.service import Service


@pytest.fixture
def ingest(elasticsearch: Elasticsearch) -> Iterator[Elasticsearch]:
    """Remove the pipeline before the test; create that of the service afterwards."""
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    yield elasticsearch
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    ensure_pipeline(elasticsearch)


def processed(client: Elasticsearch, document: dict) -> dict:
    response = client.ingest.simulate(id=DEFAULT_PIPELINE, docs=[{"_source": document}])
    return dict(response["docs"][0]["doc"]["_source"])


def reads_files(client: Elasticsearch) -> bool:
    return has_processors(client, frozenset({OPTIONAL_PROCESSOR}))


def exists(client: Elasticsearch) -> bool:
    return client.options(ignore_status=404).ingest.get_pipeline(id=DEFAULT_PIPELINE).meta.status == 200


def test_pipeline_processes_documents(ingest) -> None:
    """A node without the attachment processor gets the version without it."""
    if not has_processors(ingest):
        pytest.skip("this Elasticsearch has no processors")
    ensure_pipeline(ingest)
    meant_for_it = {"_reduce_whitespace": True, "_run_ml_inference": True, "_attachment_indexed_chars": 5}
    assert processed(ingest, {"body": "  a \n\t b ", "title": " kept ", **meant_for_it}) == {
        "body": "a b",
        "title": " kept ",
    }
    assert processed(ingest, {"body": "  a \n b ", "_reduce_whitespace": False}) == {"body": "  a \n b "}
    assert processed(ingest, {"title": "no body", "_reduce_whitespace": True}) == {"title": "no body"}
    assert processed(ingest, {"body": 7, "_reduce_whitespace": True})["_ingestion_errors"]


def test_document_whose_file_is_not_read_says_so(ingest) -> None:
    """Only documents that ask for the text: the processor would read no others."""
    if not has_processors(ingest):
        pytest.skip("this Elasticsearch has no processors")
    if reads_files(ingest):
        pytest.skip("this Elasticsearch reads files")
    ensure_pipeline(ingest)
    file = {"_attachment": "aGVsbG8=", "_extract_binary_content": True}
    failure = (
        "Processor [attachment] in pipeline [search-default-ingestion] failed: the cluster does not have it"
    )
    assert processed(ingest, {"title": "a", **file}) == {"title": "a", "_ingestion_errors": [failure]}
    earlier = {"_ingestion_errors": ["earlier"], **file}
    assert processed(ingest, earlier) == {"_ingestion_errors": ["earlier", failure]}
    assert processed(ingest, {"title": "a", "_extract_binary_content": True}) == {"title": "a"}
    assert processed(ingest, {"title": "a", **file, "_extract_binary_content": False}) == {"title": "a"}


def test_missing_processor_is_a_warning_at_each_start_where_the_pipeline_is_ours(ingest) -> None:
    if not has_processors(ingest):
        pytest.skip("this Elasticsearch has no processors")
    logged = [levels_of_the_warning(ingest) for _ in ("puts it", "finds it")]
    ingest.ingest.put_pipeline(id=DEFAULT_PIPELINE, description="mine", processors=[])
    logged.append(levels_of_the_warning(ingest))
    assert logged == ([[], [], []] if reads_files(ingest) else [["warning"], ["warning"], []])


def levels_of_the_warning(client: Elasticsearch) -> list[str]:
    with capture_logs() as lines:
        ensure_pipeline(client)
    return [line["log_level"] for line in lines if line["event"] == "attachments_not_extracted"]


def test_pipeline_is_created_when_the_service_starts(ingest, node_url) -> None:
    """If the node lacks the processors, there is no pipeline, but the service is ready."""
    complete = has_processors(ingest)
    warning = "attachments_not_extracted" if complete else "pipeline_refused"
    with Service(node_url, WORKERS="1") as service:
        service.wait_until_ready()
        service.wait_for(lambda: exists(ingest) == complete)
        if not reads_files(ingest):
            service.wait_for(lambda: warning in service.log())
        service.stop()
        assert service.log().count(warning) == (not reads_files(ingest))
        assert exists(ingest) == complete


def test_processes_that_start_at_once_create_it_once_and_warn_once(ingest, node_url) -> None:
    """All of them look before one of them can have put it. The next start finds it, and warns again."""
    processes, requests = 4, []

    def is_first_look(request: Request) -> bool:
        if not to("/_ingest/pipeline")(request):
            return False
        requests.append(request.method)
        return request.method == "GET" and requests.count("GET") <= processes

    complete, reads = has_processors(ingest), reads_files(ingest)
    settings = {"WORKERS": str(processes), "LOG_FORMAT": "json", "ELASTICSEARCH_TIMEOUT": "60"}
    with FaultProxy(node_url) as proxy, proxy.gathering(processes, is_first_look, seconds=50):
        for created, more in ((complete, 2 * processes + 1), (False, processes)):
            enough = len(requests) + more
            with Service(proxy.url, **settings) as service:
                service.wait_for(lambda enough=enough: len(requests) >= enough)
                if not reads:
                    service.wait_for(lambda: '"level": "warning"' in service.log())
                service.stop()
                lines = [json.loads(line) for line in service.log().splitlines()]
            assert [line["event"] for line in lines].count("pipeline_created") == created
            about_it = [line for line in lines if line["level"] == "warning" and "pipeline" in line]
            assert len(about_it) == (not reads)


def test_existing_pipeline_is_kept(ingest) -> None:
    ingest.ingest.put_pipeline(id=DEFAULT_PIPELINE, description="mine", processors=[])
    ensure_pipeline(ingest)
    assert ingest.ingest.get_pipeline(id=DEFAULT_PIPELINE)[DEFAULT_PIPELINE]["description"] == "mine"
