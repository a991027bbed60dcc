"""The one Elasticsearch client of a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

import structlog
from elastic_transport import (
    ConnectionTimeout,
    HttpHeaders,
    JsonSerializer,
    Transport,
    TransportApiResponse,
    TransportError,
)
from elasticsearch import Elasticsearch

from app import json_codec, logs
from app.errors import unavailable
from app.metrics import definitions as metrics
from app.settings import Settings
from app.store import incompatibility

log = structlog.get_logger(__name__)

# A proxy that does not reach Elasticsearch, or a node that is still starting.
_AWAY = frozenset({502, 503, 504})
# Operations that metrics tell apart, as paths name them.
_OPERATIONS = frozenset(
    {
        "_bulk",
        "_create",
        "_delete_by_query",
        "_has_privileges",
        "_mget",
        "_pit",
        "_refresh",
        "_search",
        "_update",
    }
)


class ExactJsonSerializer(JsonSerializer):
    """JSON for the client: fast, and integers of any size come back as they were stored."""

    def json_dumps(self, data: Any) -> bytes:
        """The JSON text of a request."""
        return json_codec.dumps(data)

    def json_loads(self, data: bytes) -> Any:
        """The value of a response."""
        return json_codec.loads(data)


class TracedTransport(Transport):
    """Sends the id of the request under way as `X-Opaque-Id`, so that Elasticsearch's own logs name it.

    `generation` is another object after each interruption, whoever met it: what Elasticsearch said in an earlier one may no
    longer hold, since another cluster may answer now.

    A cluster that the installed client cannot speak to is an `ApiError` 503 that says so, logged once.
    """

    generation = object()
    _lock = Lock()
    _logged = ""

    def perform_request(  # type: ignore[override]
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TransportApiResponse:
        """As the parent's, with the header. Raises `ApiError` for a cluster of a major that the client cannot speak to."""
        sent = HttpHeaders(headers or {})
        if request_id := logs.request_id.get():
            sent["x-opaque-id"] = safe_header_value(request_id)
        began, status = time.monotonic(), "unreachable"
        try:
            response = super().perform_request(method, target, headers=sent, **options)
            status = str(response.meta.status)
        except TransportError as error:
            self.generation = object()
            if isinstance(error, ConnectionTimeout):
                status = "timeout"
            raise
        finally:
            operation = _operation(method, target)
            metrics.ELASTICSEARCH_REQUESTS.labels(operation, status).inc()
            metrics.ELASTICSEARCH_SECONDS.labels(operation).observe(time.monotonic() - began)
        if response.meta.status in _AWAY:
            self.generation = object()
        if major := incompatibility.refused_major(response):
            raise unavailable(self._explain(major, sent, options.get("request_timeout")))
        return response

    def _explain(self, major: str, headers: HttpHeaders, timeout: Any) -> str:
        plain = headers.copy()
        plain["accept"] = "application/json"
        plain.pop("content-type", None)
        try:
            response = super().perform_request("GET", "/", headers=plain, request_timeout=timeout)
        except TransportError:
            response = None
        reason = incompatibility.explain(major, response)
        with self._lock:
            if reason != self._logged:
                self._logged = reason
                log.error("elasticsearch_incompatible", reason=reason)
        return reason


def _operation(method: str, target: str) -> str:
    """What a request does, as Elasticsearch's own names of its APIs say it; `other` for what is not done all the time."""
    for segment in target.partition("?")[0].split("/"):
        if segment == "_doc":
            return "get" if method == "GET" else "delete"
        if segment in _OPERATIONS:
            return segment.lstrip("_")
    return "other"


def safe_header_value(value: str) -> str:
    """A caller's header value, safe to hand to urllib3, for which one text is an instruction and not a value.

    The trailing blank makes it another text, and is no part of the value on the wire.
    """
    return f"{value} "


def connect(settings: Settings) -> Elasticsearch:
    """A client with a connection for each thread. Create it after the fork: one a process, shared by its threads.

    It never repeats a request by itself: what may be sent twice is decided in `app.store.retries`.
    """
    security: dict[str, Any] = {"api_key": settings.elasticsearch_api_key}
    if settings.elasticsearch_username:
        security = {"basic_auth": (settings.elasticsearch_username, settings.elasticsearch_password)}
    certificates = {
        "ca_certs": settings.elasticsearch_ca_certs,
        "client_cert": settings.elasticsearch_client_cert,
        "client_key": settings.elasticsearch_client_key,
        "ssl_assert_fingerprint": settings.elasticsearch_cert_fingerprint,
    }
    security |= {option: value for option, value in certificates.items() if value}
    return Elasticsearch(
        list(settings.elasticsearch_url),
        transport_class=TracedTransport,
        **security,
        request_timeout=settings.elasticsearch_timeout,
        connections_per_node=settings.threads,
        max_retries=0,
        serializers={
            "application/json": ExactJsonSerializer(),
            "application/vnd.elasticsearch+json": ExactJsonSerializer(),
        },
    )
