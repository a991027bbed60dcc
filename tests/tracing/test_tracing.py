"""What a collector gets: a span for each request, the Elasticsearch client's spans below it, and no secret."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Mapping
from subprocess import run
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.endpoints import JOBS, ROOT
from tests.fault_proxy import FaultProxy, to
from tests.no_leaks import MARKER
from tests.service import REPOSITORY, Service, free_port
from tests.tracing.collector import SERVER, Collector, attributes

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}  # milliseconds between two batches


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(proxy: FaultProxy, collector: Collector) -> Iterator[Service]:
    with traced_service(proxy.url, collector.url, **SOON) as service:
        service.wait_until_ready()
        yield service


def traced_service(elasticsearch_url: str, collector_url: str, **settings: str) -> Service:
    fixed = {"TRACING": "1", "LOG_FORMAT": "json", "OTEL_EXPORTER_OTLP_ENDPOINT": collector_url}
    return Service(elasticsearch_url, **fixed | settings)


class Caller:
    """A traced caller: its requests belong to a span of its own."""

    def __init__(self) -> None:
        self.trace_id = secrets.token_hex(16)
        self.span_id = secrets.token_hex(8)
        self.headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}


def log_line(service: Service, path: str) -> Mapping[str, Any]:
    lines = [json.loads(line) for line in service.log().splitlines()]
    return next(line for line in lines if line.get("event") == "request" and line["path"] == path)


def test_request_is_a_span_of_the_callers_trace(traced: Service, collector: Collector) -> None:
    caller = Caller()
    path = f"{JOBS}/{caller.trace_id}/_claim"
    response = traced.http.put(path, json={"worker_hostname": "w"}, headers=caller.headers)
    assert response.status_code == 404
    request, below = collector.trace(caller.trace_id)
    assert request.name == f"PUT {JOBS}/{{id}}/_claim"
    assert request.parent_span_id.hex() == caller.span_id
    found = attributes(request)
    assert (found["http.request.method"], found["http.route"]) == ("PUT", f"{JOBS}/{{id}}/_claim")
    assert (found["url.path"], found["http.response.status_code"]) == (path, 404)
    assert request.status.code == Status.STATUS_CODE_UNSET
    assert "update" in [span.name for span in below]
    assert {span.parent_span_id for span in below} == {request.span_id}
    assert collector.services() == {"connector-sync-service"}
    assert log_line(traced, path)["trace_id"] == caller.trace_id


def test_requests_of_one_connection_have_a_trace_each(traced: Service, collector: Collector) -> None:
    paths = [f"{ROOT}/{secrets.token_hex(8)}" for _ in range(20)]
    for path in paths:
        traced.http.get(path)
    traces = [log_line(traced, path)["trace_id"] for path in paths]
    assert len(set(traces)) == len(paths)
    for path, trace_id in zip(paths, traces, strict=True):
        request, _ = collector.trace(trace_id)
        assert attributes(request)["url.path"] == path
        assert request.parent_span_id == b""


def test_error_of_the_service_marks_the_spans(
    traced: Service, collector: Collector, proxy: FaultProxy
) -> None:
    caller = Caller()
    with proxy.losing(to("/_doc/lost")):
        assert traced.http.get(f"{ROOT}/lost", headers=caller.headers).status_code == 503
    request, below = collector.trace(caller.trace_id)
    assert attributes(request)["http.response.status_code"] == 503
    assert request.status.code == Status.STATUS_CODE_ERROR
    assert {span.status.code for span in below if span.name == "get"} == {Status.STATUS_CODE_ERROR}
    [event] = {attributes(event)["exception.type"] for span in below for event in span.events}
    assert event.endswith("ConnectionError")


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [("GET", "/healthz/of/others", 400, "GET"), ("PATCH", ROOT, 405, "PATCH"), ("BREW", ROOT, 405, "HTTP")],
)
def test_span_of_a_request_without_a_route_is_named_for_the_method(
    traced: Service, collector: Collector, method, path, status, name
) -> None:
    caller = Caller()
    assert traced.http.request(method, path, headers=caller.headers).status_code == status
    request, _ = collector.trace(caller.trace_id)
    assert request.name == name
    assert attributes(request)["http.response.status_code"] == status


def test_spans_have_no_secrets(traced: Service, collector: Collector, proxy: FaultProxy) -> None:
    caller = Caller()
    sent = {"Authorization": f"ApiKey {MARKER}", "X-Opaque-Id": MARKER, "Cookie": f"a={MARKER}"}
    cause = {"type": "document_parsing_exception", "reason": f"Preview of field's value: '{MARKER}'"}
    refusal = json.dumps({"error": cause | {"root_cause": [cause]}, "status": 400})
    with proxy.responding(to("_update/discreet"), 400, refusal):
        response = traced.http.put(
            f"{ROOT}/discreet?pretty=true&filter_path={MARKER}",
            json={"name": MARKER, "description": MARKER},
            headers=caller.headers | sent,
        )
    assert response.status_code == 400
    request, below = collector.trace(caller.trace_id)
    assert request.name == f"PUT {ROOT}/{{id}}"
    [refused] = [span for span in below if span.name == "update"]
    assert refused.status.code == Status.STATUS_CODE_ERROR
    assert "?" not in attributes(refused)["url.full"]
    assert MARKER.encode() not in collector.received


def test_only_requests_of_the_api_have_spans(traced: Service, collector: Collector) -> None:
    """Neither probes, nor what the service asks of Elasticsearch at its start and for them."""
    for path in ("/healthz", "/readyz", "/readyz?x=y"):
        assert traced.http.get(path).status_code == 200
    caller = Caller()
    traced.http.get(f"{ROOT}?query=/healthz", headers=caller.headers)
    collector.trace(caller.trace_id)
    requests = {span.trace_id for span in collector.spans() if span.kind == SERVER}
    assert {span.trace_id for span in collector.spans()} == requests
    assert not {"/healthz", "/readyz"} & {attributes(span).get("url.path") for span in collector.spans()}


def test_last_spans_are_sent_when_the_service_stops(node_url: str) -> None:
    caller = Caller()
    with Collector() as collector:
        with traced_service(node_url, collector.url, OTEL_BSP_SCHEDULE_DELAY="600000") as service:
            service.http.get(ROOT, headers=caller.headers)
            assert not collector.spans()
        assert collector.spans(caller.trace_id)


def test_collector_that_is_away_disturbs_nothing(node_url: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with traced_service(node_url, nowhere, WORKERS="1", **SOON) as service:
        service.wait_until_ready()
        for _ in range(20):
            assert service.http.get(ROOT).status_code == 200
            service.wait_for(lambda: "opentelemetry" in service.log())
        service.stop()
        lines = [json.loads(line) for line in service.log().splitlines()]
    # A span that ends after the last ones were sent, of the indices' preparation for instance, is a line at info.
    told = [line for line in lines if "opentelemetry" in line.get("logger", "") and line["level"] != "info"]
    assert [line["level"] for line in told] == ["warning"], told
    [line] = told
    assert "Connection refused" in line["event"]
    assert "exception" not in line
    assert [line for line in lines if "Traceback" in json.dumps(line)] == []


def start(**environment: str) -> tuple[int, str]:
    """Start the service where it cannot run; its exit status and what it said."""
    ended = run(
        [sys.executable, "-m", "gunicorn"],
        cwd=REPOSITORY,
        env=environment | {"PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.fixture
def without_packages(tmp_path) -> dict[str, str]:
    """An environment in which OpenTelemetry cannot be imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'opentelemetry':\n"
        "            raise ModuleNotFoundError(f'No module named {name}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    return {"PYTHONPATH": str(tmp_path)}


def test_start_without_the_packages_ends_with_one_sentence(without_packages) -> None:
    status, said = start(TRACING="1", **without_packages)
    assert status == 1
    [line] = said.splitlines()
    assert "make run TRACING=1" in line
    assert "--build-arg TRACING=1" in line


@pytest.mark.parametrize("installed", [True, False])
def test_tracing_is_off_unless_set(without_packages, installed) -> None:
    """The Elasticsearch client imports the interface of OpenTelemetry by itself, where that is installed."""
    names = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation", "app.tracing")
    code = f"import app, sys; app.create_app(); print(*{{*{names}}} & {{*sys.modules}})"
    said = run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={} if installed else without_packages,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "\n"
