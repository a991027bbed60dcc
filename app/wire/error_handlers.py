"""Every exception that leaves a view, turned into a response."""

from __future__ import annotations

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from app.errors import ApiError, Cause, PlainError, status_error
from app.wire import request_context, routing
from app.wire.rendering import error_response

_log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Register the handlers on the app."""
    app.register_error_handler(ApiError, error_response)
    app.register_error_handler(PlainError, error_response)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, lambda error: error_response(unexpected(error)))


def _http_error(error: HTTPException) -> Response:
    """The response to what Flask and Werkzeug raise by themselves."""
    target = request_context.current().target
    found: Response | PlainError | ApiError
    if isinstance(error, MethodNotAllowed):
        found = routing.wrong_method(request.method, target, error)
    elif isinstance(error, NotFound):
        found = routing.unknown_path(request.method, target)
    else:
        status = error.code or 500
        found = status_error(status, error.name) if status >= 400 else routing.unknown_path("GET", target)
    return found if isinstance(found, Response) else error_response(found)


def unexpected(error: Exception) -> ApiError:
    """What a client is told of a defect of ours: nothing. It is logged whole."""
    _log.exception("request failed unexpectedly", method=request.method, path=request.path, exc_info=error)
    return ApiError(500, Cause("exception", "The request failed because of an internal error."))
