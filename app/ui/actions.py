"""What all actions of the page share: who may do them, their confirmation, and their result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from flask import Response

from app.context import settings
from app.errors import ApiError, Cause
from app.ui import same_site
from app.ui.pages import show
from app.wire import authorization
from app.wire.request_body import receive_form

Form = Mapping[str, Sequence[str]]


def confirmation(action: str) -> Callable[[Callable[[], Response]], Callable[[], Response]]:
    """The decorator of a view that asks whether something is meant. It is asked of callers who may do this action of the API."""

    def decorate(view: Callable[[], Response]) -> Callable[[], Response]:
        @functools.wraps(view)
        def handle() -> Response:
            _require(action)
            return view()

        return handle

    return decorate


def action(name: str) -> Callable[[Callable[[Form], Response]], Callable[[], Response]]:
    """The decorator of a view that does something; it gets the fields of the form that was confirmed.

    Raises `ApiError` 403 for callers who may not do this action of the API, and for forms of other sites.
    """

    def decorate(view: Callable[[Form], Response]) -> Callable[[], Response]:
        @functools.wraps(view)
        def handle() -> Response:
            _require(name)
            form = receive_form()
            same_site.check(form)
            return view(form)

        return handle

    return decorate


def ask(
    heading: str,
    sentences: Iterable[str],
    button: str | None,
    *,
    fields: Iterable[tuple[str, str]],
    back: str,
    dangerous: bool = False,
    items: Iterable[str] = (),
) -> Response:
    """The question whether something is meant, with what will happen. Without a `button`, there is nothing to do."""
    return show(
        "confirm.html",
        heading=heading,
        sentences=list(sentences),
        button=button,
        fields=list(fields),
        back=back,
        dangerous=dangerous,
        items=list(items),
    )


def tell(
    heading: str, sentences: Iterable[str], *, back: str, link: tuple[str, str] | None = None
) -> Response:
    """What an action has done. `link`: a text, and the address of what it has made."""
    response = show("done.html", heading=heading, sentences=list(sentences), back=back, link=link)
    response.headers["HX-Trigger"] = "acted"  # the page behind the dialog renews itself
    return response


def one(form: Form, name: str) -> str:
    """The only value of a field. Raises `ApiError` 400 where there is none, or another one."""
    values = form.get(name, ())
    if len(values) != 1 or not values[0]:
        raise ApiError(400, Cause("illegal_argument_exception", f"The form needs one [{name}]."))
    return values[0]


def _require(action: str) -> None:
    authorization.require(action)
    if settings().ui != "on":
        reason = "The page is read-only (UI=read-only): use the API or the command line."
        raise ApiError(403, Cause("security_exception", reason))
