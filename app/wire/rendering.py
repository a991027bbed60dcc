"""Answers: JSON in the form the request asked for, and errors in Elasticsearch's envelope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response

from app.errors import ApiError, Cause, PlainError
from app.json_codec import dumps
from app.wire import exchange


def answer(payload: Mapping[str, Any], status: int = 200) -> Response:
    """A success: `payload` as JSON, reduced by `filter_path`, in the negotiated media type."""
    wanted = exchange.current().filter_path
    return _render(wanted.apply(payload) if wanted else payload, status)


def error_answer(error: ApiError | PlainError) -> Response:
    """A failure in its envelope, whole whatever `filter_path` says."""
    response = _render(envelope(error), error.status)
    if isinstance(error, PlainError):
        response.headers.update(error.headers)
    return response


def envelope(error: ApiError | PlainError) -> dict[str, Any]:
    """The JSON object that tells of an error."""
    if isinstance(error, PlainError):
        status = {"status": error.status} if error.show_status else {}
        return {"error": error.message, **status}
    shown = {"root_cause": [_described(error.root_cause)], **_described(error.cause)}
    if error.cause.caused_by:
        shown["caused_by"] = _chain(error.cause.caused_by)
    return {"error": shown, "status": error.status}


def _described(cause: Cause) -> dict[str, Any]:
    return {"type": cause.type, "reason": cause.reason, **cause.details}


def _chain(cause: Cause) -> dict[str, Any]:
    shown = _described(cause)
    if cause.caused_by:
        shown["caused_by"] = _chain(cause.caused_by)
    return shown


def _render(payload: Mapping[str, Any], status: int) -> Response:
    current = exchange.current()
    body = "".join(_pretty(payload, "")) + "\n" if current.pretty else dumps(payload)
    return Response(body, status, content_type=current.answered_in)


def _pretty(value: Any, indent: str) -> Iterator[str]:
    """JSON with a line for each value, `key : value`, and a blank inside what is empty."""
    deeper = f"{indent}  "
    if isinstance(value, Mapping) and value:
        for number, (key, inner) in enumerate(value.items()):
            yield f"{',' if number else '{'}\n{deeper}{_compact(key)} : "
            yield from _pretty(inner, deeper)
        yield f"\n{indent}}}"
    elif isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value):
            yield f"{',' if number else '['}\n{deeper}"
            yield from _pretty(inner, deeper)
        yield f"\n{indent}]"
    elif isinstance(value, Mapping):
        yield "{ }"
    elif isinstance(value, list | tuple):
        yield "[ ]"
    else:
        yield _compact(value)


def _compact(value: Any) -> str:
    return dumps(value).decode()
