"""OpenTelemetry: one span for each request, and the Elasticsearch client's own spans below it.

Imported only with `TRACING=1`, since its packages need not be installed. The standard `OTEL_…` variables say where spans go.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status

from app.logs import TRACE_ID
from app.wire.request_log import readable_rule

_SERVICE_NAME = "connector-sync-service"
_NOT_TRACED = r"^https?://[^/]*/(healthz|readyz|metrics)([?]|$)"
# How long a process that ends waits for a collector to take its last spans.
_FLUSH_SECONDS = 3
_WARNING_SECONDS = 60

# Attributes that may hold a secret: whole ones, and those of which only the part before the query is sent.
_DROPPED = ("url.query", "db.query.text", "db.statement", "http.request.header.", "http.response.header.")
_URLS = ("url.full", "http.url", "http.target")


def install(app: Flask) -> None:
    """Trace the requests of the app, and what the process asks Elasticsearch for them.

    Call it once in each process, after the fork, and before any other hook of the app: what those do belongs to the request.
    """
    # The stable names of attributes, which the Elasticsearch client uses too.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": _SERVICE_NAME}))
    provider = TracerProvider(resource=resource)  # it flushes when the process ends
    provider.add_span_processor(_Batches(_Exporter()))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor.instrument_app(  # type: ignore[no-untyped-call]
        app, request_hook=_note_trace_id, excluded_urls=_NOT_TRACED, enable_commenter=False
    )
    warnings = _Throttle()
    for handler in logging.getLogger().handlers:
        handler.addFilter(warnings)


def _note_trace_id(span: trace.Span, environ: dict[str, Any]) -> None:
    context = span.get_span_context()
    if context.is_valid:  # it is not with OTEL_SDK_DISABLED
        environ[TRACE_ID] = trace.format_trace_id(context.trace_id)


class _Batches(BatchSpanProcessor):
    """Sends spans in the background. The end of the process does not wait for long."""

    def shutdown(self) -> None:
        """Send what is left, and give up soon: the parent's waits for up to 30 seconds."""
        self._batch_processor.shutdown(timeout_millis=_FLUSH_SECONDS * 1000)


class _Exporter(OTLPSpanExporter):
    """Sends the spans of requests, without what may hold a secret. What is asked of Elasticsearch in between has no span."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, and say whether a collector took it."""
        of_requests = [_safe(span) for span in spans if span.parent or span.kind is SpanKind.SERVER]
        return super().export(of_requests) if of_requests else SpanExportResult.SUCCESS


def _safe(span: ReadableSpan) -> ReadableSpan:
    """The span as it may leave the process: no query strings, and of errors the kind only, since texts may quote documents."""
    attributes = {
        key: str(value).partition("?")[0] if key in _URLS else value
        for key, value in (span.attributes or {}).items()
        if not key.startswith(_DROPPED)
    }
    name = span.name
    if span.kind is SpanKind.SERVER:
        name = name.split(" ")[0]  # the method; an unknown path would be a name of its own
        if "http.route" in attributes:
            attributes["http.route"] = readable_rule(str(attributes["http.route"]))
            name += f" {attributes['http.route']}"
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=[_safe_event(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _safe_event(event: Event) -> Event:
    kept = {key: value for key, value in (event.attributes or {}).items() if key == "exception.type"}
    return Event(event.name, kept, event.timestamp)


class _Throttle(logging.Filter):
    """Lets one line of each of OpenTelemetry's loggers through each minute: without a collector there would be several a batch."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        if not record.name.startswith("opentelemetry."):
            return True
        now = time.monotonic()
        if now < self._next.get(record.name, 0):
            return False
        self._next[record.name] = now + _WARNING_SECONDS
        return True
