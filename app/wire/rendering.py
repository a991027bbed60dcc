"""Responses: JSON in the form that the request asked for, and errors in Elasticsearch's envelope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from app.errors import ApiError, Cause, PlainError
from app.json_codec import dumps
from app.wire import request_context


def json_response(payload: Mapping[str, Any], status: int = 200) -> Response:
    """A success: `payload` as JSON, reduced by `filter_path`, in the negotiated media type."""
    wanted = request_context.current().filter_path
    return _render(wanted.apply(payload) if wanted else payload, status)


def error_response(error: ApiError | PlainError) -> Response:
    """An error in its envelope; `filter_path` does not apply to it."""
    response = _render(envelope(error), error.status)
    if isinstance(error, PlainError):
        response.headers.update(error.headers)
        return response
    for name, value in error.headers:
        response.headers.add(name, value)
    return response


def envelope(error: ApiError | PlainError) -> dict[str, Any]:
    """The JSON object that describes an error."""
    if isinstance(error, PlainError):
        status = {"status": error.status} if error.show_status else {}
        return {"error": error.message, **status}
    shown = {"root_cause": [_described(error.root_cause)], **_described(error.cause)}
    if error.cause.caused_by:
        shown["caused_by"] = _chain(error.cause.caused_by)
    return {"error": shown, "status": error.status}


def error_object(error: ApiError) -> dict[str, Any]:
    """The error of one item of a response, as those of Elasticsearch's bulk responses."""
    return _chain(error.cause)


def _described(cause: Cause) -> dict[str, Any]:
    return {"type": cause.type, "reason": cause.reason, **cause.details}


def _chain(cause: Cause) -> dict[str, Any]:
    shown = _described(cause)
    if cause.caused_by:
        shown["caused_by"] = _chain(cause.caused_by)
    return shown


def _render(payload: Mapping[str, Any], status: int) -> Response:
    current = request_context.current()
    body = pretty(payload) + "\n" if current.pretty else dumps(payload)
    return Response(body, status, content_type=current.response_type)


def pretty(value: Any) -> str:
    """JSON with a line for each value, `key : value`, and a blank inside what is empty.

    Documents may nest deeper than Python calls may, so what is left to write waits in a list.
    """
    written: list[str] = []
    waiting: list[str | tuple[Any, str]] = [(value, "")]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            written.append(item)
            continue
        current, indent = item
        deeper = f"{indent}  "
        if isinstance(current, Mapping) and current:
            leads = [f"{deeper}{_compact(key)} : " for key in current]
            values, brackets = list(current.values()), "{}"
        elif isinstance(current, list | tuple) and current:
            leads = [deeper] * len(current)
            values, brackets = list(current), "[]"
        else:
            written.append(_leaf(current))
            continue
        waiting.append(f"\n{indent}{brackets[1]}")
        for number in reversed(range(len(values))):
            waiting.append((values[number], deeper))
            waiting.append(f"{',' if number else brackets[0]}\n{leads[number]}")
    return "".join(written)


def _leaf(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ }"
    return "[ ]" if isinstance(value, list | tuple) else _compact(value)


def _compact(value: Any) -> str:
    return dumps(value).decode()
