"""A stored document as it is: as a text to copy, by a command that gets it, and its configuration. Sensitive values are masked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import request

from app.wire.rendering import pretty


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """`text` is its JSON; `curl` a command that gets the document from the API."""

    text: str
    curl: str


def stored_document(document: Mapping[str, Any], path: str) -> StoredDocument:
    """The document, whose sensitive values are masked already, and whose id follows `path` in the API."""
    url = f"{request.host_url.rstrip('/')}{path}/{quote(str(document['id']), safe='')}"
    return StoredDocument(pretty(document), f'curl -u "$USER" {shlex.quote(url)}')


def configuration_rows(configuration: Any) -> list[tuple[str, Any, Any]]:
    """The items of a masked configuration: name, label and value."""
    items = configuration.items() if isinstance(configuration, Mapping) else ()
    return [
        (name, item.get("label"), item.get("value")) if isinstance(item, Mapping) else (name, None, item)
        for name, item in items
    ]
