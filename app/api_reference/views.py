"""The endpoints of the API reference: the document, and a page that shows it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app

from app.api_reference.assets import ASSETS, FOLDER, PAGE
from app.wire.pages import file_response
from app.wire.rendering import json_response

blueprint = Blueprint("api_reference", __name__, url_prefix="/_connector")

_DOCUMENT = "api_reference.document"
_NAMES = ",".join(f'"{name}"' for name in ASSETS)


@blueprint.get("/_openapi.json")
def openapi() -> Response:
    """Get the OpenAPI document of this service."""
    return json_response(_document())


@blueprint.get("/_openapi")
def page() -> Response:
    """Get a page that shows the OpenAPI document."""
    return file_response(FOLDER, PAGE.name, "text/html", max_age=0)


@blueprint.get(f"/_openapi/<any({_NAMES}):asset>")
def asset(asset: str) -> Response:
    """Get a file of the page that shows the OpenAPI document."""
    return file_response(FOLDER, asset, ASSETS[asset], max_age=3600)


def _document() -> dict[str, Any]:
    """The document, made when it is first asked for: neither the start nor any other request waits for it."""
    made: dict[str, Any] | None = current_app.extensions.get(_DOCUMENT)
    if made is None:
        from app.api_reference.document import build

        rules = current_app.url_map.iter_rules()
        made = current_app.extensions[_DOCUMENT] = build(rules, current_app.view_functions)
    return made
