"""What the API reference says of an endpoint beyond what the endpoint itself declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema


@dataclass(frozen=True, slots=True)
class Example:
    """A request and its response. Path values are those of the document (`app.api_reference.document`)."""

    summary: str
    response: Any
    status: int = 200
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is said of one endpoint.

    `response` is the schema of its successes. Where they are no JSON it is None, and `media_types` say what they may be; the
    examples are of the first, and may show its beginning only. `notes` are Markdown. `errors` name examples of
    `app.api_reference.errors`, beyond those that all endpoints share. `action` is that of an endpoint that declares nothing itself.
    """

    response: type[Schema] | None
    examples: Mapping[str, Example]
    notes: str = ""
    errors: tuple[str, ...] = ()
    is_extension: bool = False
    media_types: tuple[str, ...] = ()
    action: str = ""
