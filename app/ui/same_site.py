"""Forms that change something are taken from this page only.

A browser sends a user's credentials with every request, also with those that a foreign page has made it send. So two things must
be right. The browser says that the request comes from this site (`Sec-Fetch-Site`, or `Origin` where it does not send that one).
And the form holds the token that this site's cookie holds, which a foreign page can neither read nor send.
Source: OWASP's cheat sheet on cross-site request forgery, "double submit" and "Fetch Metadata".
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from flask import Response, g, request

from app.errors import ApiError, Cause
from app.wire.uri import PAGE_PATH

FIELD: Final = "token"
_COOKIE: Final = "connector_ui_token"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def token() -> str:
    """The token for the forms of this response."""
    if "ui_token" not in g:
        known = request.cookies.get(_COOKIE, "")
        g.ui_token = known if _TOKEN.fullmatch(known) else secrets.token_urlsafe(32)
    found: str = g.ui_token
    return found


def remember(response: Response) -> Response:
    """Give the browser the token that this response's forms hold."""
    if g.get("ui_token", request.cookies.get(_COOKIE)) != request.cookies.get(_COOKIE):
        response.set_cookie(
            _COOKIE, token(), path=PAGE_PATH, secure=request.is_secure, httponly=True, samesite="Strict"
        )
    return response


def check(form: Mapping[str, Sequence[str]]) -> None:
    """Raise `ApiError` 403 unless this form comes from the page itself."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        is_ours = origin is not None and urlsplit(origin).netloc == request.headers.get("Host")
    if not is_ours:
        raise _refused(
            "The request comes from another site, so nothing was done. Open the page itself and try again."
        )
    sent, known = "".join(form.get(FIELD, ())), request.cookies.get(_COOKIE, "")
    if not _TOKEN.fullmatch(known) or not compare_digest(sent.encode(), known.encode()):
        raise _refused(
            "The form has expired, so nothing was done. Go back, load the page again and repeat it."
        )


def _refused(reason: str) -> ApiError:
    return ApiError(403, Cause("security_exception", reason))
