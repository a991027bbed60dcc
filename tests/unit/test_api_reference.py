"""The OpenAPI document is valid and complete, and says what the service's own declarations say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apispec import APISpec
from flask import Flask
from marshmallow import validate
from openapi_spec_validator import validate as validate_document
from werkzeug.routing import Rule

from app import create_app, logs
from app.api_reference.converter import Plugin
from app.api_reference.document import OPERATIONS, VERSION, build, is_page, path_of
from app.protocol import JobType
from app.wire import fields, nested_fields, parameters, time_values
from app.wire.schema import RequestBody
from scripts.endpoint_table import table

REPOSITORY = Path(__file__).resolve().parents[2]
_METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", lambda *_: None)  # other tests look at logs in their own way
        yield create_app()


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return build(app.url_map.iter_rules(), app.view_functions)


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate_document(document)


def test_document_has_every_endpoint_and_no_other(app: Flask, document: dict[str, Any]) -> None:
    api = [rule for rule in app.url_map.iter_rules() if not is_page(rule)]
    rules = [(path_of(rule), method) for rule in api for method in rule.methods or ()]
    documented = [(path, method.upper()) for path, methods in document["paths"].items() for method in methods]
    assert all(method.lower() in _METHODS for _, method in documented)
    assert sorted(documented) == sorted(rules)
    assert OPERATIONS.keys() == {rule.endpoint for rule in api}


def test_endpoint_of_which_nothing_is_said_is_an_error(app: Flask) -> None:
    rule = Rule("/new", endpoint="new", methods=["GET"])
    with pytest.raises(KeyError, match="new"):
        build([*app.url_map.iter_rules(), rule], {**app.view_functions, "new": lambda: ""})


def test_everything_is_described(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    components = document["components"]
    for operation in operations:
        assert operation["summary"]
        for parameter in operation["parameters"]:
            assert "$ref" in parameter or parameter["description"], operation["operationId"]
    for parameter in components["parameters"].values():
        assert parameter["description"]
    for name, schema in components["schemas"].items():
        for key, found in schema["properties"].items():
            assert found.get("description") or name == "StatusCounts", (name, key)


def test_every_body_and_every_response_has_an_example(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> None:
    assert operations
    for operation in operations:
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"]
        for status, response in operation["responses"].items():
            found = document["components"]["responses"].get(
                response.get("$ref", "").rpartition("/")[2], response
            )
            assert any(content.get("examples") for content in found["content"].values()), (operation, status)


def test_every_example_of_a_field_is_part_of_an_example_of_a_body(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> None:
    """So it is sent to a real service, too."""
    sent: list[tuple[str, Any]] = []

    def collect(value: Any) -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            sent.append((key, inner))
            collect(inner)

    for operation in operations:
        for example in (
            operation.get("requestBody", {})
            .get("content", {})
            .get("application/json", {})
            .get("examples", {})
            .values()
        ):
            collect(example["value"])
    shown = [
        (key, example)
        for schema in document["components"]["schemas"].values()
        for key, field in schema["properties"].items()
        for example in field.get("examples", ())
    ]
    assert shown
    assert [each for each in shown if each not in sent] == []


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION


def test_page_of_the_documentation_has_every_endpoint(document: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs" / "reference" / "api.md").read_text("utf-8")
    assert page.endswith(f"\n\n{table(document)}\n")


class _Inner(RequestBody):
    """`PUT /x`. An inner object."""

    parser_name = "an_inner_object"
    lenient = True

    flag = fields.Boolean(required=True)


class _Body(RequestBody):
    parser_name = "a_body"

    text = fields.String(required=True, allow_none=True, metadata={"example": "x"})
    long = fields.Long(validate=validate.Range(min=0))
    integer = fields.Integer(load_default=3)
    moment = fields.Timestamp(allow_none=True)
    word = fields.EnumString(("a", "b"), enum="Word", allow_none=True)
    scalar = fields.AnyJson(tokens=("VALUE_STRING", "VALUE_NULL"))
    wait = time_values.TimeValue(
        maximum=timedelta(minutes=1),
        load_default=timedelta(seconds=90),
        metadata={"description": "How long."},
    )
    words = nested_fields.EnumStringList(("a", "b"), enum="Word")
    types = nested_fields.StringList(validate=validate.ContainsOnly(list(JobType)))
    inner = nested_fields.ObjectOf(_Inner, metadata={"description": "Inside."})
    inners = nested_fields.ListOf(_Inner)
    by_name = nested_fields.MapOf(_Inner)


class _Query(parameters.QueryParameters):
    offset = parameters.Integer(data_key="from", load_default=0)
    names = parameters.CommaList(load_default=())
    text = parameters.String(load_default="")
    kinds = parameters.EnumList(("a", "b"), enum="Kind", load_default=())
    order = parameters.Enum(("asc", "desc"), load_default=None, metadata={"description": "Which way."})


def test_fields_become_json_schema() -> None:
    plugin = Plugin()
    spec = APISpec("", "", "3.1.0", plugins=[plugin])
    spec.components.schema("ABody", schema=_Body)
    schemas = spec.to_dict()["components"]["schemas"]
    reference = {"$ref": "#/components/schemas/AnInnerObject"}
    assert schemas["AnInnerObject"] == {
        "type": "object",
        "description": "An inner object.",
        "properties": {"flag": {"type": "boolean"}},
        "required": ["flag"],
    }
    assert schemas["ABody"] == {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": {"type": ["string", "null"], "examples": ["x"]},
            "long": {"type": "integer", "format": "int64", "minimum": 0},
            "integer": {"type": "integer", "format": "int32", "default": 3},
            "moment": {"type": ["string", "null"], "format": "date-time"},
            "word": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "scalar": {"type": ["string", "null"]},
            "wait": {
                "type": "string",
                "pattern": r"^\d{1,18}(nanos|micros|ms|s|m|h|d)$",
                "default": "90s",
                "description": "How long. At most `1m`.",
            },
            "words": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "types": {"type": "array", "items": {"type": "string", "enum": list(JobType)}},
            "inner": {**reference, "description": "Inside."},
            "inners": {"type": "array", "items": reference},
            "by_name": {"type": "object", "additionalProperties": reference},
        },
    }
    assert plugin.converter is not None
    found = plugin.converter.schema2parameters(_Query, location="query")
    assert {each["name"]: each["schema"] for each in found} == {
        "from": {"type": "integer", "format": "int32", "default": 0},
        "names": {"type": "array", "items": {"type": "string"}},
        "text": {"type": "string"},
        "kinds": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        "order": {"type": "string", "enum": ["asc", "desc"]},
    }
    assert [each.get("explode") for each in found] == [None, False, None, False, None]
    assert found[-1]["description"] == "Extension. Which way."
