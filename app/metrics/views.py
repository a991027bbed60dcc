"""The endpoint that Prometheus scrapes."""

from __future__ import annotations

import os
from contextlib import suppress

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app.context import settings
from app.metrics.definitions import REGISTRY
from app.metrics.stored import StoredJobs
from app.store import Store
from app.wire import authorization
from app.wire.uri import METRICS_PATH

blueprint = Blueprint("metrics", __name__)


def install(app: Flask, store: Store) -> None:
    """Add the endpoint to the app."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(StoredJobs(store))
    app.extensions["metrics"] = registry
    app.register_blueprint(blueprint)


@blueprint.get(METRICS_PATH)
def metrics() -> Response:
    """The metrics of all processes of this service, in Prometheus's text format or as OpenMetrics."""
    if not settings().metrics_public:
        authorization.require("metrics")
    encode, content_type = choose_encoder("")
    with suppress(TypeError):  # it compares a version that is no number
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(current_app.extensions["metrics"]), content_type=content_type)
