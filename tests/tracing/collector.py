"""A collector of spans, as far as a client of it can tell: OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Condition
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.http_server import LoopbackServer

SERVER = Span.SPAN_KIND_SERVER


class Collector(LoopbackServer):
    """A context manager; inside the block, it keeps what is sent to `url`."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._arrived = Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with collector._arrived:
                    collector._bodies.append(body)
                    collector._arrived.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    @property
    def received(self) -> bytes:
        """Everything so far, as it was sent."""
        return b"".join(self._bodies)

    def spans(self, trace_id: str = "") -> list[Span]:
        """The spans so far: all of them, or those of one trace."""
        return [
            span
            for body in self._bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex().startswith(trace_id)
        ]

    def services(self) -> set[str]:
        """The names of the services that sent spans."""
        return {
            attributes(resource.resource)["service.name"]
            for body in self._bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        }

    def trace(self, trace_id: str) -> tuple[Span, list[Span]]:
        """The span of the one request of a trace, once it has arrived, and the spans below it, which end before."""
        spans = self._wait(
            lambda: self.spans(trace_id), lambda found: any(each.kind == SERVER for each in found)
        )
        [request] = [each for each in spans if each.kind == SERVER]
        return request, [each for each in spans if each.kind != SERVER]

    def _wait(self, look: Callable[[], list[Span]], enough: Callable[[list[Span]], bool]) -> list[Span]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: enough(look()), 60)
        return look()


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span, an event or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}
