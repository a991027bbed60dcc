"""What all parts of the page share: who may see them, how they are rendered, and how they look when something fails."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from typing import Any, Final, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse

from app.context import settings
from app.errors import ApiError, PlainError
from app.ui import same_site, texts
from app.ui.assets import version
from app.ui.shared_results import NotNow, Result, SharedResults
from app.wire import authorization
from app.wire.error_handlers import unexpected
from app.wire.pages import protect
from app.wire.uri import PAGE_PATH

T = TypeVar("T")
View = Callable[[], Response]

_SHARED: Final = "ui.shared_results"
# The default of `_rescue` and `_summary`.
_SILENT_AFTER: Final = timedelta(minutes=10)
_HEADINGS: Final = {
    400: "That cannot be shown",
    401: "Who are you?",
    403: "You may not do that",
    404: "There is no such thing",
    409: "It has changed meanwhile",
    500: "Something went wrong here",
    503: "Elasticsearch does not answer",
}


def new_blueprint(name: str) -> Blueprint:
    """A blueprint of parts of the page. All parts fail alike, and are kept to themselves."""
    blueprint = Blueprint(name, __name__, url_prefix=PAGE_PATH, template_folder="templates")
    blueprint.after_request(_finish)
    blueprint.register_error_handler(NotNow, lambda _: Response(status=204))
    for error in (ApiError, PlainError, HTTPException, Exception):
        blueprint.register_error_handler(error, _failed)
    return blueprint


def install(app: Flask, blueprints: Iterable[Blueprint]) -> None:
    """Add the page to the app."""
    app.extensions[_SHARED] = SharedResults()
    _set_up_templates(app)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    app.before_request(_lead_here)


def _lead_here() -> BaseResponse | None:
    """Lead whoever opens the service's bare address in a browser to the page. Other clients get Elasticsearch's error there."""
    is_bare = request.path == "/" and request.method == "GET"
    return redirect(PAGE_PATH) if is_bare and "text/html" in request.headers.get("Accept", "") else None


def page(action: str) -> Callable[[View], View]:
    """The decorator of a view that only callers may see who may do this action of the API."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def handle() -> Response:
            authorization.require(action)
            return view()

        return handle

    return decorate


def show(template: str, status: int = 200, **values: Any) -> Response:
    """The page made of a template and its values."""
    text = render_template(template, **values).encode(errors="replace")  # half a surrogate pair is no text
    return Response(text, status, content_type="text/html; charset=utf-8")


def shared(find: Callable[[], T], *key: Hashable) -> Result[T]:
    """What this page shows, perhaps as another one has just found it: see `app.ui.shared_results`."""
    results: SharedResults = current_app.extensions[_SHARED]
    return results.get((request.endpoint, *key), find, renewal=_is_renewal())


def silent_after() -> timedelta:
    """How long a worker may be silent before its jobs count as stuck: as long as the leader waits, where it rescues."""
    return settings().rescue_idle_after or _SILENT_AFTER


def may_act() -> bool:
    """Whether the caller is offered anything that changes something."""
    return settings().ui == "on" and "caller" in g and authorization.may_manage()


def _is_renewal() -> bool:
    """Whether the page renews itself, and nobody has asked for it."""
    return "HX-Request" in request.headers and "no-cache" not in request.headers.get("Cache-Control", "")


def _set_up_templates(app: Flask) -> None:
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    filters = (
        texts.ago,
        texts.count,
        texts.duration,
        texts.machine_time,
        texts.plain,
        texts.status_class,
        texts.utc,
        texts.words,
    )
    environment.filters |= {each.__name__: each for each in filters}
    environment.globals |= {
        "address": texts.address,
        "asset": lambda name: texts.address(f"/static/{name}", v=version(name)),
        "caller_name": lambda: authorization.caller_name() if "caller" in g else "",
        "form_token": same_site.token,
        "may_act": may_act,
        "mode": lambda: settings().ui,
    }


def _finish(response: Response) -> Response:
    if response.mimetype == "text/html":
        # It is the caller's own, and of this moment.
        response.headers["Cache-Control"] = "no-store"
        protect(same_site.remember(response), forms=True)
    return response


def _failed(error: Exception) -> Response:
    """The page that says what failed and what to do, in place of what was asked for."""
    if isinstance(error, NotFound):
        error = PlainError(404, "The page has no such part.")
    elif isinstance(error, HTTPException):
        error = PlainError(error.code or 500, error.name)
    elif not isinstance(error, ApiError | PlainError):
        error = unexpected(error)
    if isinstance(error, ApiError):
        reason, headers = error.cause.reason, error.headers
    else:
        reason, headers = error.message, tuple(error.headers.items())
    heading = _HEADINGS.get(error.status, "That did not work")
    response = show("failed.html", error.status, heading=heading, reason=reason, code=error.status)
    for name, value in headers:
        response.headers.add(name, value)
    return response
