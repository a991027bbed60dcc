"""Callers' credentials and privileges, checked for every request in the order in which Elasticsearch does.

Who calls is asked first of all, before methods, media types and unknown paths are looked at (401). What they may do is said
last, after everything else about the request has been found right (403), and before any document is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from flask import Flask, current_app, g, request

from app.errors import ApiError, Cause
from app.store.callers import FALLBACK_PRIVILEGES, INDICES, Caller, Credentials
from app.store.security import SECURITY_PATHS
from app.wire.uri import METRICS_PATH, PROBE_PATHS, TARGET

View = TypeVar("View", bound=Callable[..., Any])

_SECURITY = "wire.security"
_PUBLIC_PATHS = "wire.public_paths"

_READING = ("monitor_connector", "manage_connector")
_PRIVILEGES = {
    "get": _READING,
    "list": _READING,
    "metrics": _READING,
    "sync_job/get": _READING,
    "sync_job/list": _READING,
    "sync_job/summary": _READING,
    "secret/get": ("read_connector_secrets",),
    "secret/post": ("write_connector_secrets",),
    "secret/put": ("write_connector_secrets",),
    "secret/delete": ("write_connector_secrets",),
}
DEFAULT_PRIVILEGES = ("manage_connector",)


def privileges(action: str) -> tuple[str, ...]:
    """The cluster privileges of which a caller needs one: `action` is the last part of Elasticsearch's action name."""
    return _PRIVILEGES.get(action, DEFAULT_PRIVILEGES)


class CallerLookup(Protocol):
    """Looks callers up: `app.store.security.Security`, or a stand-in of tests that want no security."""

    def caller(self, credentials: Credentials, needed: frozenset[str]) -> Caller:
        """The caller of these credentials. Raises `ApiError` where there is none, or where that cannot be found out."""

    def last_known(self, credentials: Credentials) -> Caller | None:
        """The caller of these credentials when Elasticsearch last said something of them; None if it never did."""

    def subject(self, credentials: Credentials) -> str:
        """The caller as an error message names them."""


def install(app: Flask, security: CallerLookup, *, metrics_public: bool) -> None:
    """Authenticate every request but the probes and what is `public`. Call before any hook that may end a request."""
    app.extensions[_SECURITY] = security
    app.extensions[_PUBLIC_PATHS] = PROBE_PATHS | {METRICS_PATH} if metrics_public else PROBE_PATHS
    app.before_request(_authenticate)


def public(view: View) -> View:
    """The decorator of a view that needs no credentials: it shows the same to everybody, also while Elasticsearch is away."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def require(action: str) -> None:
    """Raise `ApiError` 403 unless the caller may do this `action`."""
    needed = privileges(action)
    security: CallerLookup = current_app.extensions[_SECURITY]
    credentials, caller = _credentials(), _caller()
    if not caller.granted & frozenset(needed):
        # What is cached may be out of date, so a refusal is always asked for again.
        with _for_our_address():
            caller = g.caller = security.caller(credentials, frozenset(needed))
    if caller.granted & frozenset(needed):
        return
    name = f"cluster:admin/xpack/connector/{action}"
    if caller.refused is not None:
        reason = (caller.refused.cause.reason or "").partition("]")[2]
        raise ApiError(403, replace(caller.refused.cause, reason=f"action [{name}]{reason}"))
    if caller.by_index and needed[0] in FALLBACK_PRIVILEGES:
        where, kind, grants = f" on indices [{INDICES}]", "index", [FALLBACK_PRIVILEGES[needed[0]], "all"]
    else:
        where, kind, grants = "", "cluster", [*needed, "manage", "all"]
    with _for_our_address():
        subject = security.subject(credentials)
    raise ApiError(
        403,
        Cause(
            "security_exception",
            f"action [{name}] is unauthorized {subject}{where}, "
            f"this action is granted by the {kind} privileges [{','.join(grants)}]",
        ),
    )


def may_manage() -> bool:
    """Whether the caller of this request, whom `require` has let through, may also change connectors."""
    return "manage_connector" in _caller().granted


def caller_name() -> str:
    """The name of the user who sends this request, or whom it acts as; empty on a cluster without security."""
    return _caller().name


def _authenticate() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if request.path in current_app.extensions[_PUBLIC_PATHS] or getattr(view, "is_public", False):
        return
    security: CallerLookup = current_app.extensions[_SECURITY]
    try:
        with _for_our_address():
            g.caller = security.caller(_credentials(), frozenset())
    except ApiError:
        # Metrics are needed most while Elasticsearch is away, so whoever might read them before still may.
        known = security.last_known(_credentials()) if request.path == METRICS_PATH else None
        if known is None:
            raise
        g.caller = known


@contextmanager
def _for_our_address() -> Iterator[None]:
    """Elasticsearch's 401 names the request that it got from us; show the caller their own."""
    try:
        yield
    except ApiError as error:
        if error.status != 401:
            raise
        target = request.environ.get(TARGET) or request.full_path.rstrip("?")
        reason = error.cause.reason or ""
        for path in SECURITY_PATHS:
            reason = reason.replace(f"REST request [{path}]", f"REST request [{target}]")
        raise ApiError(401, replace(error.cause, reason=reason), headers=error.headers) from None


def _credentials() -> Credentials:
    return Credentials(request.headers.get("Authorization"), request.headers.get("es-security-runas-user"))


def _caller() -> Caller:
    caller: Caller = g.caller
    return caller
