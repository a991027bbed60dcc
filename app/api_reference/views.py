"""The endpoints of the API reference: the document, and a page that shows it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, send_from_directory

from app.api_reference.assets import ASSETS, FOLDER, PAGE
from app.wire.rendering import json_response

blueprint = Blueprint("api_reference", __name__, url_prefix="/_connector")

_DOCUMENT = "api_reference.document"
_HEADERS = {
    # Everything comes from this service.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NAMES = ",".join(f'"{name}"' for name in ASSETS)


@blueprint.get("/_openapi.json")
def openapi() -> Response:
    """Get the OpenAPI document of this service."""
    return json_response(_document())


@blueprint.get("/_openapi")
def page() -> Response:
    """Get a page that shows the OpenAPI document."""
    return _file(PAGE.name, "text/html", max_age=0)


@blueprint.get(f"/_openapi/<any({_NAMES}):asset>")
def asset(asset: str) -> Response:
    """Get a file of the page that shows the OpenAPI document."""
    return _file(asset, ASSETS[asset], max_age=3600)


def _file(name: str, media_type: str, *, max_age: int) -> Response:
    response = send_from_directory(FOLDER, name, mimetype=media_type, max_age=max_age)
    response.headers.update(_HEADERS)
    # It was sent to somebody with credentials.
    response.cache_control.public, response.cache_control.private = False, True
    return response


def _document() -> dict[str, Any]:
    """The document, made when it is first asked for: neither the start nor any other request waits for it."""
    made: dict[str, Any] | None = current_app.extensions.get(_DOCUMENT)
    if made is None:
        from app.api_reference.document import build

        rules = current_app.url_map.iter_rules()
        made = current_app.extensions[_DOCUMENT] = build(rules, current_app.view_functions)
    return made
