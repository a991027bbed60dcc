"""The ingest pipeline of connectors: made where there is none, and never touched where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch, NotFoundError

from app.store.pipelines import DEFAULT_PIPELINE, Pipelines


@pytest.fixture
def ingest(elasticsearch: Elasticsearch) -> Iterator[Elasticsearch]:
    """No pipeline before the test; the service's own afterwards."""
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    yield elasticsearch
    elasticsearch.options(ignore_status=404).ingest.delete_pipeline(id=DEFAULT_PIPELINE)
    Pipelines(elasticsearch).ensure()


def through(client: Elasticsearch, document: dict) -> dict:
    answer = client.ingest.simulate(id=DEFAULT_PIPELINE, docs=[{"_source": document}])
    return dict(answer["docs"][0]["doc"]["_source"])


def test_what_it_does(ingest) -> None:
    Pipelines(ingest).ensure()
    meant_for_it = {"_reduce_whitespace": True, "_run_ml_inference": True, "_attachment_indexed_chars": 5}
    assert through(ingest, {"body": "  a \n\t b ", "title": " kept ", **meant_for_it}) == {
        "body": "a b",
        "title": " kept ",
    }
    assert through(ingest, {"body": "  a \n b ", "_reduce_whitespace": False}) == {"body": "  a \n b "}
    assert through(ingest, {"title": "no body", "_reduce_whitespace": True}) == {"title": "no body"}
    assert through(ingest, {"body": 7, "_reduce_whitespace": True})["_ingestion_errors"]


def test_it_is_made_at_the_start(running_service, elasticsearch) -> None:
    running_service.wait_until_ready()
    running_service.wait_for(
        lambda: (
            elasticsearch.options(ignore_status=404).ingest.get_pipeline(id=DEFAULT_PIPELINE).meta.status
            == 200
        )
    )


def test_one_that_exists_stays(ingest) -> None:
    ingest.ingest.put_pipeline(id=DEFAULT_PIPELINE, processors=[{"set": {"field": "mine", "value": 1}}])
    Pipelines(ingest).ensure()
    assert through(ingest, {"a": 1}) == {"a": 1, "mine": 1}


class Meta:
    status = 400


class Cluster:
    """As much of a client as is asked, with the processors and privileges of another cluster."""

    def __init__(self, processors: set[str], *, may_read: bool = True, may_write: bool = True) -> None:
        self.ingest = self
        self.processors = processors
        self.may_read = may_read
        self.may_write = may_write
        self.pipeline: list[dict] | None = None

    def get_pipeline(self, **_: object) -> None:
        if not self.may_read:
            raise AuthorizationException("security_exception", Meta, {})  # type: ignore[arg-type]
        raise NotFoundError("not_found", Meta, {})  # type: ignore[arg-type]

    def put_pipeline(self, *, body: dict, **_: object) -> None:
        if not self.may_write:
            raise AuthorizationException("security_exception", Meta, {})  # type: ignore[arg-type]
        if {kind for processor in body["processors"] for kind in processor} - self.processors:
            raise BadRequestError("parse_exception", Meta, {})  # type: ignore[arg-type]
        self.pipeline = body["processors"]


COMMON = {"set", "gsub", "trim", "remove"}


@pytest.mark.parametrize(
    ("processors", "count"), [(COMMON | {"attachment"}, 6), (COMMON, 5), ({"set"}, None)]
)
def test_what_the_cluster_has(processors, count) -> None:
    cluster = Cluster(processors)
    Pipelines(cluster).ensure()  # type: ignore[arg-type]
    assert (cluster.pipeline and len(cluster.pipeline)) == count


@pytest.mark.parametrize("privileges", [{"may_read": False}, {"may_write": False}])
def test_a_user_who_may_not(privileges) -> None:
    cluster = Cluster(COMMON, **privileges)
    Pipelines(cluster).ensure()  # type: ignore[arg-type]
    assert cluster.pipeline is None
