"""Probes for whatever runs the service."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.context import store
from app.errors import unavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process is alive; nothing is said about Elasticsearch, or its outage would restart the service."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Requests can be served: Elasticsearch answers and the indices can be used. Raises `ApiError` 503 otherwise."""
    problems = store().indices.readiness()
    if problems:
        raise unavailable(" ".join(problems))
    return {"status": "ready"}
