"""The decorator of views: it does what Elasticsearch does before an endpoint's own work."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from app.errors import ApiError, Cause, illegal_argument, validation_failed
from app.wire import authorization, idempotency_key, media_types, request_body, request_context
from app.wire.parameters import QueryParameters
from app.wire.schema import RequestBody
from app.wire.suggestions import did_you_mean

View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an endpoint takes, as its view's attribute `declaration`: the API reference is made from it."""

    action: str
    query: type[QueryParameters] | None
    body: type[RequestBody] | None
    body_optional: bool
    takes_idempotency_key: bool


def endpoint(
    *,
    action: str,
    query: type[QueryParameters] | None = None,
    body: type[RequestBody] | None = None,
    body_optional: bool = False,
    validate_path: Callable[..., list[str]] | None = None,
    takes_idempotency_key: bool = False,
) -> Callable[[View], View]:
    """Declare what an endpoint takes, and the `action` that its caller must be allowed to do (`app.wire.authorization`).

    The view is called with its path values and, where declared, `query` and `body` as dicts of parsed values. An optional
    body that is absent reads as `{}`. `validate_path` gets the path values as keywords and says what is wrong with them.
    Where declared, `idempotency_key` is that header's value, or None.

    Each request may end in `PlainError` 406, or in `ApiError` 400 or 413, in Elasticsearch's order: the body, the query
    parameters, parameters that nobody asked for, a body that nobody asked for, the idempotency key, then what
    `validate_path` and the body's own rules have to say, all at once; and last in `ApiError` 403.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def handle(**path_values: str) -> Response:
            current = request_context.current()
            media_types.check_spoken(current.accept, current.parameters.get("format", ""))
            data = request_body.receive()
            arguments: dict[str, Any] = dict(path_values)
            violations: list[str] = validate_path(**path_values) if validate_path else []
            if body is not None:
                if not data and not body_optional:
                    raise ApiError(400, Cause("parse_exception", "request body is required"))
                parsed = body.parse(data or b"{}")
                arguments["body"] = parsed.values
                violations = [*violations, *parsed.violations]
            if query is not None:
                parsed = query.parse(current.parameters)
                arguments["query"] = parsed.values
                violations = [*violations, *parsed.violations]
            _refuse_unknown([*(query.names() if query else ()), *path_values])
            if body is None and data:
                message = f"request [{request.method} {current.path}] does not support having a body"
                raise illegal_argument(message)
            if takes_idempotency_key:
                arguments["idempotency_key"] = idempotency_key.read()
            if violations:
                raise validation_failed(violations)
            authorization.require(action)
            return view(**arguments)

        declared = Declaration(action, query, body, body_optional, takes_idempotency_key)
        handle.declaration = declared  # type: ignore[attr-defined]
        return handle

    return decorate


def _refuse_unknown(names: Iterable[str]) -> None:
    """Raises `ApiError` 400 when there are parameters beyond `names` and those that are always allowed."""
    current = request_context.current()
    known = {*names, *request_context.ALWAYS_ALLOWED}
    unknown = sorted(set(current.parameters) - known)
    if not unknown:
        return
    listed = []
    for name in unknown:
        suggestion = did_you_mean(name, known)
        listed.append(f"[{name}] -> {suggestion}" if suggestion else f"[{name}]")
    noun = "parameter" if len(unknown) == 1 else "parameters"
    raise illegal_argument(f"request [{current.path}] contains unrecognized {noun}: {', '.join(listed)}")
