"""Ids of documents."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any


def new_id() -> str:
    """An id for a new document: 20 URL-safe characters, like Elasticsearch's own."""
    return secrets.token_urlsafe(15)


def with_id(document_id: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """A document as responses show it: its id first, then all that is stored; some programs stored an `id`, too."""
    return {"id": document_id} | {key: value for key, value in source.items() if key != "id"}
