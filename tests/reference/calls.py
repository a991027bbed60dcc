"""The requests of the API reference, taken from the document alone, as its readers would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import requests
from jsonschema import Draft202012Validator

from app.api_reference.document import OPERATIONS
from app.api_reference.example_values import JOB_ID
from tests.service import Http

JSON = "application/json"

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_OWN_ID = re.compile(r"[A-Za-z0-9_-]{20}")
_TOKENS = ("search_after", "claim_token")


@dataclass(frozen=True)
class Call:
    """A request of the document, and the response that is documented for it."""

    endpoint: str
    method: str
    path: str
    path_values: dict[str, str]
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 0
    media_type: str = ""
    response: Any = None

    def send(self, http: Http, **options: Any) -> requests.Response:
        values = {name: quote(value, safe="") for name, value in self.path_values.items()}
        query = urlencode({name: _text(value) for name, value in self.query.items()})
        if self.body is not None:
            options.setdefault("json", self.body)
        options["headers"] = {**self.headers, **options.get("headers", {})}
        target = self.path.format(**values) + (f"?{query}" if query else "")
        return http.request(self.method, target, **options)

    def of_job(self, job_id: str) -> Call:
        """The same about another job than the example's."""
        return replace(
            self, path_values=_exchanged(self.path_values, job_id), body=_exchanged(self.body, job_id)
        )


def operation_id(endpoint: str) -> str:
    return endpoint.replace(".", "_").rstrip("_")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def call(document: dict[str, Any], endpoint: str, example: str) -> Call:
    """An example of an endpoint, put together from all places of the document that have a part of it."""
    wanted = operation_id(endpoint)
    path, method, operation = next(each for each in operations(document) if each[2]["operationId"] == wanted)
    parameters = [_resolved(document, each) for each in operation["parameters"]]
    sent = {
        kind: {
            each["name"]: each["examples"][example]["value"]
            for each in parameters
            if each["in"] == kind and example in each.get("examples", {})
        }
        for kind in ("query", "header")
    }
    body = operation.get("requestBody", {"content": {JSON: {"examples": {}}}})["content"][JSON]["examples"]
    ((status, media_type, response),) = [
        (int(status), media_type, content["examples"][example]["value"])
        for status, documented in operation["responses"].items()
        if int(status) < 400
        for media_type, content in _resolved(document, documented)["content"].items()
        if example in content.get("examples", {})
    ]
    return Call(
        endpoint,
        method,
        path,
        {each["name"]: each["example"] for each in parameters if each["in"] == "path"},
        sent["query"],
        sent["header"],
        body[example]["value"] if example in body else None,
        status,
        media_type,
        response,
    )


def first_call(document: dict[str, Any], endpoint: str) -> Call:
    return call(document, endpoint, next(iter(OPERATIONS[endpoint].examples)))


def violations(document: dict[str, Any], found: Call, response: requests.Response) -> list[str]:
    """What is wrong with a JSON response, by the schema that is documented for its status and its type."""
    operation = document["paths"][found.path][found.method.lower()]
    documented = _resolved(document, operation["responses"][str(response.status_code)])
    schema = documented["content"][response.headers["Content-Type"].partition(";")[0]]["schema"]
    # References lead to the document's components.
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(response.json())]


def comparable(value: Any) -> Any:
    """The value with placeholders for what is different each time: times, ids and tokens."""
    if isinstance(value, dict):
        return {key: f"<{key}>" if key in _TOKENS else comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return "<time>" if _TIMESTAMP.fullmatch(value) else "<id>" if _OWN_ID.fullmatch(value) else value


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _exchanged(value: Any, job_id: str) -> Any:
    if isinstance(value, dict):
        return {key: _exchanged(inner, job_id) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exchanged(inner, job_id) for inner in value]
    return job_id if value == JOB_ID else value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
