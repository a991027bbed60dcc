"""The OpenAPI document, made from the endpoints that the application has."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from werkzeug.routing import Rule

from app.api_reference import (
    of_connectors,
    of_many_sync_jobs,
    of_service,
    of_sync_jobs,
    parameters,
    responses,
)
from app.api_reference.converter import Plugin
from app.api_reference.declarations import Example, Operation
from app.api_reference.errors import ERRORS, OF_ALL, OF_BODIES
from app.wire.authorization import privileges
from app.wire.endpoint import Declaration
from app.wire.uri import PAGE_PATH, PROBE_PATHS

VERSION: Final = "0.1.0"
OPERATIONS: Final[Mapping[str, Operation]] = {
    **of_sync_jobs.OPERATIONS,
    **of_many_sync_jobs.OPERATIONS,
    **of_connectors.OPERATIONS,
    **of_service.OPERATIONS,
}
"""What is said of each endpoint, by Flask's name for it."""

_INTRODUCTION = Path(__file__).with_name("introduction.md")
# By the part of the endpoint's name that names its blueprint; all others are the service's own.
_TAGS = {
    "sync_jobs": "Sync jobs",
    "many_sync_jobs": "Many sync jobs at once",
    "connectors": "Connectors",
    "secrets": "Secrets",
}
_OWN_TAG = "The service"
_JSON = "application/json"
_VENDOR_JSON = "application/vnd.elasticsearch+json"
_PLACEHOLDER = re.compile(r"<(?:[^>]*:)?(\w+)>")
_Part = Callable[[Example], Any]
_SECURITY_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic"},
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`ApiKey` and the encoded key.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, or a service account's."},
}


def build(rules: Iterable[Rule], views: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The document for the rules of a URL map; `views` are the functions behind their endpoints.

    Raises `KeyError` for an endpoint of which nothing is said.
    """
    plugin = Plugin()
    spec = APISpec(
        "Connector API",
        VERSION,
        "3.1.0",
        plugins=[plugin],
        info={"description": _INTRODUCTION.read_text("utf-8")},
        servers=[{"url": "/"}],
        tags=[{"name": name} for name in (*_TAGS.values(), _OWN_TAG)],
        security=[{}, *({name: []} for name in _SECURITY_SCHEMES)],
    )
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for name, parameter in parameters.COMMON.items():
        spec.components.parameter(name, parameter["in"], parameter)
    for name, found in ERRORS.items():
        spec.components.example(name, {"summary": found.summary, "value": found.body})
        spec.components.response(name, _error([name]))
    spec.components.schema("ErrorDetails", schema=responses.ErrorDetails)
    converter = cast("OpenAPIConverter", plugin.converter)  # APISpec has made it
    for rule in sorted((each for each in rules if not is_page(each)), key=_place):
        for method in sorted(rule.methods or ()):
            operations = {method.lower(): _operation(rule, views[rule.endpoint], converter)}
            spec.path(path_of(rule), operations=operations)
    return spec.to_dict()


def is_page(rule: Rule) -> bool:
    """Whether the rule leads to a part of the page for people."""
    return rule.rule.startswith(PAGE_PATH)


def path_of(rule: Rule) -> str:
    """The path of a rule, as OpenAPI writes it."""
    return _PLACEHOLDER.sub(r"{\1}", rule.rule)


def _place(rule: Rule) -> tuple[int, str]:
    """Where a rule stands in the document."""
    blueprint = rule.endpoint.partition(".")[0]
    return [*_TAGS, blueprint].index(blueprint), path_of(rule)


def _operation(rule: Rule, view: Callable[..., Any], converter: OpenAPIConverter) -> dict[str, Any]:
    said = OPERATIONS[rule.endpoint]
    declared: Declaration | None = getattr(view, "declaration", None)
    summary = re.split(r"\.(?:\s|$)", inspect.getdoc(view) or "", maxsplit=1)[0]
    operation = {
        "operationId": rule.endpoint.replace(".", "_").rstrip("_"),
        "tags": [_TAGS.get(rule.endpoint.partition(".")[0], _OWN_TAG)],
        "summary": summary,
        "description": _description(said, declared),
        "parameters": parameters.of(rule, said, declared, converter),
        "responses": _responses(said, [*_shared_errors(rule, declared), *said.errors]),
    }
    if said.is_extension:
        operation["x-extension"] = True
    if declared is not None and declared.body is not None:
        examples = {name: each for name, each in said.examples.items() if each.body is not None}
        operation["requestBody"] = {
            "required": not declared.body_optional,
            "content": _content(declared.body, examples, lambda each: each.body),
        }
    if action := _action(said, declared):
        operation["x-privileges"] = list(privileges(action))
    if rule.rule in PROBE_PATHS:
        operation["security"] = []
    return operation


def _description(said: Operation, declared: Declaration | None) -> str:
    extension = "Extension: Elasticsearch has no such endpoint." if said.is_extension else ""
    action = _action(said, declared)
    needed = " or ".join(f"`{name}`" for name in privileges(action)) if action else ""
    text = "\n\n".join(filter(None, [extension, said.notes, f"Privilege: {needed}." if needed else ""]))
    return re.sub(r"^(Extension|Difference|Privilege):", r"**\1**:", text, flags=re.MULTILINE)


def _action(said: Operation, declared: Declaration | None) -> str:
    return declared.action if declared is not None else said.action


def _shared_errors(rule: Rule, declared: Declaration | None) -> list[str]:
    if declared is None:
        return [] if rule.rule in PROBE_PATHS else ["no_credentials", "unavailable"]
    return [*OF_ALL, *(OF_BODIES if declared.body else ())]


def _responses(said: Operation, errors: Iterable[str]) -> dict[str, Any]:
    successes: dict[int, dict[str, Example]] = defaultdict(dict)
    for name, each in said.examples.items():
        successes[each.status][name] = each
    failures: dict[int, list[str]] = defaultdict(list)
    for name in errors:
        failures[ERRORS[name].error.status].append(name)
    return {
        **{str(status): _success(said, examples) for status, examples in sorted(successes.items())},
        **{
            str(status): _error(names) if names[1:] else names[0]
            for status, names in sorted(failures.items())
        },
    }


def _success(said: Operation, examples: Mapping[str, Example]) -> dict[str, Any]:
    def shown(example: Example) -> Any:
        return example.response

    if said.response is not None:
        description = inspect.cleandoc(said.response.__doc__ or "")
        return {"description": description, "content": _content(said.response, examples, shown)}
    content = {name: {"schema": {"type": "string"}} for name in said.media_types}
    content[said.media_types[0]]["examples"] = _values(examples, shown)
    return {"description": "The text.", "content": content}


def _error(names: Sequence[str]) -> dict[str, Any]:
    examples = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
    return {
        "description": " ".join(f"{ERRORS[name].summary}." for name in names),
        "content": {
            _JSON: {"schema": responses.Error, "examples": examples},
            _VENDOR_JSON: {"schema": responses.Error},
        },
    }


def _content(schema: Any, examples: Mapping[str, Example], value: _Part) -> dict[str, Any]:
    return {
        _JSON: {"schema": schema, "examples": _values(examples, value)},
        _VENDOR_JSON: {"schema": schema},
    }


def _values(examples: Mapping[str, Example], value: _Part) -> dict[str, Any]:
    return {name: {"summary": each.summary, "value": value(each)} for name, each in examples.items()}
