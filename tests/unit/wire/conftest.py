"""A small application that uses `app.wire`, with one endpoint for each kind of input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import wire
from app.errors import ApiError, Cause
from app.store.callers import UNRESTRICTED, Caller, Credentials
from app.wire import fields, parameters
from app.wire.endpoint import endpoint
from app.wire.rendering import json_response
from app.wire.schema import RequestBody

LIMIT = 4096


class Listing(parameters.QueryParameters):
    offset = parameters.Integer(data_key="from", load_default=0)
    size = parameters.Integer(load_default=100)
    deep = parameters.Boolean(load_default=False)
    names = parameters.CommaList(load_default=())
    kind = parameters.Enum(("full", "incremental"), enum="Kind", load_default=None)
    states = parameters.EnumList(("on", "off"), enum="State", empty_is_none=False, load_default=())
    kinds = parameters.EnumList(("full", "incremental"), enum="Kind", load_default=())
    order = parameters.Enum(("asc", "desc"), load_default="asc")
    text = parameters.String(load_default=None)

    def check(self, values: dict[str, Any]) -> None:
        if values["offset"] < 0:
            raise ApiError(400, Cause("illegal_argument_exception", "Parameter [from] cannot be < 0"))


class Named(RequestBody):
    parser_name = "named"
    name = fields.String()


def _validate_id(thing_id: str) -> list[str]:
    return [] if thing_id else ["id missing"]


class NoSecurity:
    """Every caller may do everything."""

    def caller(self, credentials: Credentials, needed: frozenset[str]) -> Caller:
        return UNRESTRICTED

    def last_known(self, credentials: Credentials) -> Caller:
        return UNRESTRICTED

    def subject(self, credentials: Credentials) -> str:
        raise AssertionError("nobody is refused")


@pytest.fixture
def app() -> Flask:
    app = Flask("wire", static_folder=None)
    wire.install(app, max_body_bytes=LIMIT, security=NoSecurity())
    _add_things(app)
    _add_oddities(app)
    return app


def _add_things(app: Flask) -> None:
    @app.get("/things")
    @endpoint(action="get", query=Listing)
    def list_(query: dict[str, Any]) -> Response:
        return json_response({"query": query})

    @app.post("/things")
    @endpoint(action="get", body=Named, query=Listing)
    def create(query: dict[str, Any], body: dict[str, Any]) -> Response:
        return json_response(body, 201)

    @app.get("/things/<segment:thing_id>")
    @endpoint(action="get")
    def get(thing_id: str) -> Response:
        return json_response({"id": thing_id, "empty": {}, "list": [1, {"a": None}], "none": []})

    @app.delete("/things/<segment:thing_id>")
    @endpoint(action="get")
    def delete(thing_id: str) -> Response:
        return json_response({"acknowledged": True})

    @app.put("/things/<segment:thing_id>")
    @endpoint(action="get", body=Named, body_optional=True)
    def put(thing_id: str, body: dict[str, Any]) -> Response:
        return json_response({"id": thing_id, "body": body})

    @app.put("/things/<segment:thing_id>/_name")
    @endpoint(action="get", body=Named, validate_path=_validate_id)
    def rename(thing_id: str, body: dict[str, Any]) -> Response:
        return json_response({"id": thing_id, "body": body})

    @app.put("/things/<segment:thing_id>/_check")
    @endpoint(action="get", validate_path=_validate_id)
    def check(thing_id: str) -> Response:
        return json_response({"id": thing_id})


def _add_oddities(app: Flask) -> None:
    @app.put("/connectors/<connector:thing_id>")
    @endpoint(action="get")
    def put_connector(thing_id: str) -> Response:
        return json_response({"id": thing_id})

    @app.post("/connectors/_secret")
    @endpoint(action="get")
    def post_secret() -> Response:
        return json_response({})

    @app.get("/broken")
    def broken() -> Response:
        raise RuntimeError("the password is 1234")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def send(client: FlaskClient) -> Callable[..., TestResponse]:
    """Send a request whose target reaches the application unchanged."""

    def send(method: str, target: str, **options: Any) -> TestResponse:
        environ = {"RAW_URI": target, "REQUEST_URI": target, **options.pop("environ_overrides", {})}
        return client.open("/", method=method, environ_overrides=environ, **options)

    return send
