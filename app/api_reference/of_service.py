"""Secrets, the probes and the reference itself in the API reference."""

from __future__ import annotations

from typing import Final

from app.api_reference.assets import ASSETS, FOLDER, PAGE
from app.api_reference.declarations import Example, Operation
from app.api_reference.example_values import SECRET_ID
from app.api_reference.responses import Deleted, Id, OpenApi, Secret, SecretResult, Status

_VALUE: Final = {"value": "hunter2"}
_NO_KEY: Final = ("no_secrets_key",)
_ENCRYPTED: Final = "Difference: secrets are stored encrypted; without `SECRETS_KEYS` the response is 501."

_ANY_CALLER: Final = "Privilege: none, only valid credentials."

OPERATIONS: Final = {
    "secrets.create": Operation(
        Id, {"stored": Example("A secret", {"id": "DOP_Mz2KAhPuoFVrWq3L"}, body=_VALUE)}, _ENCRYPTED, _NO_KEY
    ),
    "secrets.put": Operation(
        SecretResult,
        {
            "created": Example("A new secret", {"result": "created"}, 201, body=_VALUE),
            "updated": Example("Another value", {"result": "updated"}, body={"value": "hunter3"}),
        },
        _ENCRYPTED,
        _NO_KEY,
    ),
    "secrets.get": Operation(
        Secret,
        {"found": Example("A secret in clear", {"id": SECRET_ID, **_VALUE})},
        _ENCRYPTED,
        (*_NO_KEY, "no_secret", "foreign_secret"),
    ),
    "secrets.delete": Operation(
        Deleted,
        {"deleted": Example("A secret that exists", {"deleted": True})},
        _ENCRYPTED,
        (*_NO_KEY, "no_secret"),
    ),
    "health.healthz": Operation(
        Status,
        {"alive": Example("The process is alive", {"status": "ok"})},
        "Nothing is said about Elasticsearch.",
        is_extension=True,
    ),
    "health.readyz": Operation(
        Status,
        {"ready": Example("Requests can be served", {"status": "ready"})},
        "When they cannot, the response says how to fix it.",
        ("unavailable",),
        is_extension=True,
    ),
    "metrics.metrics": Operation(
        None,
        {"metrics": Example("The first line", "# HELP connector_")},
        "In Prometheus's text format, or as OpenMetrics where `Accept` asks for it. With `METRICS_PUBLIC=1` nobody needs "
        "credentials.",
        ("no_privilege",),
        is_extension=True,
        action="metrics",
        media_types=("text/plain", "application/openmetrics-text"),
    ),
    "api_reference.openapi": Operation(
        OpenApi,
        {"document": Example("Its version", {"openapi": "3.1.0"}, query={"filter_path": ["openapi"]})},
        _ANY_CALLER,
        is_extension=True,
    ),
    "api_reference.page": Operation(
        None,
        {"page": Example("The page", PAGE.read_text("utf-8"))},
        _ANY_CALLER,
        is_extension=True,
        media_types=("text/html",),
    ),
    "api_reference.asset": Operation(
        None,
        {"notice": Example("Whose the page's program is", FOLDER.joinpath("NOTICE").read_text("utf-8"))},
        _ANY_CALLER,
        ("unknown_path",),
        is_extension=True,
        media_types=tuple(dict.fromkeys(ASSETS.values())),
    ),
}
