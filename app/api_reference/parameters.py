"""The parameters and headers of the API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apispec.ext.marshmallow.openapi import OpenAPIConverter
from werkzeug.routing import Rule

from app.api_reference.assets import ASSETS
from app.api_reference.declarations import Operation
from app.api_reference.example_values import CONNECTOR_ID, JOB_ID, SECRET_ID
from app.wire import idempotency_key
from app.wire.endpoint import Declaration

_FLAG: Final = {"type": "boolean"}
_TEXT: Final = {"type": "string"}


def _query(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"in": "query", "description": description, "schema": schema}


COMMON: Final = {
    "pretty": _query("Whether the JSON of the response is indented.", _FLAG),
    "human": _query("Changes nothing here.", _FLAG),
    "filter_path": {
        **_query(
            "The parts of a success that are shown; `*` and `**` stand for names, `-` in front leaves a part out.",
            {"type": "array", "items": _TEXT},
        ),
        "style": "form",
        "explode": False,
    },
    "format": _query("The format of the response.", {**_TEXT, "enum": ["json"]}),
    "error_trace": _query("Changes nothing here.", _FLAG),
    "X-Opaque-Id": {
        "in": "header",
        "description": "An id of the caller's own, which the response, the log and Elasticsearch get.",
        "schema": _TEXT,
    },
}
"""What every endpoint of the API takes, by name."""

_ID: Final = {**_TEXT, "minLength": 1, "maxLength": 512}
_OF_PATHS: Final = {
    "connector_id": ("The connector.", _ID, CONNECTOR_ID),
    "connector_sync_job_id": ("The sync job.", _ID, JOB_ID),
    "secret_id": ("The secret.", _ID, SECRET_ID),
    "asset": ("The file.", {**_TEXT, "enum": list(ASSETS)}, "NOTICE"),
}
_IDEMPOTENCY_KEY: Final = {
    "name": idempotency_key.HEADER,
    "in": "header",
    "description": "Extension. With the same key the same request creates one job, for 24 hours.",
    "schema": {**_TEXT, "pattern": f"^{idempotency_key.PATTERN}$"},
}


def of(rule: Rule, said: Operation, declared: Declaration | None, converter: OpenAPIConverter) -> list[Any]:
    """The parameters of an endpoint, and the names of the common ones that it takes."""
    found: list[Any] = [_of_path(name) for name in sorted(rule.arguments)]
    if declared is not None and declared.query is not None:
        found += converter.schema2parameters(declared.query, location="query")
    if declared is not None and declared.takes_idempotency_key:
        found.append(dict(_IDEMPOTENCY_KEY))
    for parameter in found:
        parameter.update(_examples(parameter["name"], said))
    for name, parameter in COMMON.items():
        if examples := _examples(name, said):
            found.append({"name": name, **parameter, **examples})
        elif declared is not None:
            found.append(name)
    return found


def _of_path(name: str) -> dict[str, Any]:
    description, schema, example = _OF_PATHS[name]
    shown = {"description": description, "schema": schema, "example": example}
    return {"name": name, "in": "path", "required": True, **shown}


def _examples(name: str, said: Operation) -> dict[str, Any]:
    """The values of a parameter in the examples that send it, by their names."""
    values = {each: {**found.query, **found.headers} for each, found in said.examples.items()}
    sent = {each: {"value": found[name]} for each, found in values.items() if name in found}
    return {"examples": sent} if sent else {}
