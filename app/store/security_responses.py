"""What the responses of Elasticsearch's security endpoints say about a caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.errors import ApiError, Cause, unavailable
from app.store.callers import Caller
from app.store.failures import TransientFailure

# Elasticsearch accepts 16 KiB of headers in all; longer ones are a client error.
_TOO_LONG = "too_long_http_header_exception"


def read_caller(
    status: int, body: Mapping[str, Any], granted: Callable[[], frozenset[str]], *, by_index: bool = False
) -> Caller:
    """The caller that a response tells of. Any response but the expected ones is an error: nobody is let in by mistake."""
    reject_unauthenticated(status, body)
    if status == 403:
        return Caller(frozenset(), refused=ApiError(403, _cause(body)))
    try:
        if status == 200:
            return Caller(granted(), by_index, name=_name(body))
    except (AttributeError, KeyError, TypeError):
        pass
    raise unclear_response(status, body)


def reject_unauthenticated(status: int, body: Mapping[str, Any]) -> None:
    """Raise as `ApiError` what is a client error, whatever was asked."""
    if status == 401:
        raise ApiError(401, _cause(body), headers=_challenges(body))
    if status == 400 and _cause(body).type == _TOO_LONG:
        raise ApiError(400, _cause(body))


def unclear_response(status: int, body: Mapping[str, Any]) -> TransientFailure:
    """503: a response that is none of the expected ones."""
    error = unavailable("Elasticsearch does not tell what the caller may do.")
    return TransientFailure(error, "elasticsearch_security_unclear", status=status, reason=reason(body))


def describe_user(user: Mapping[str, Any]) -> str:
    """The user of an `_authenticate` response, as Elasticsearch's refusals name them."""
    name = f"{'service account' if is_service_account(user) else 'user'} [{user.get('username')}]"
    return f"API key id [{user['api_key'].get('id')}] of {name}" if "api_key" in user else name


def is_service_account(user: Mapping[str, Any]) -> bool:
    """Whether it is one of Elasticsearch's own accounts for services."""
    return realm(user) == "_service_account"


def realm(user: Mapping[str, Any]) -> str:
    """The type of the realm that knew the credentials."""
    return str((user.get("authentication_realm") or {}).get("type"))


def held(privileges: Mapping[str, bool]) -> frozenset[str]:
    """The privileges of a `_has_privileges` response that the caller has."""
    return frozenset(privilege for privilege, held in privileges.items() if held is True)


def reason(body: Mapping[str, Any]) -> str:
    """Why Elasticsearch refuses."""
    error = body.get("error")
    return str(error.get("reason")) if isinstance(error, Mapping) else str(error)


def _name(body: Mapping[str, Any]) -> str:
    """Raises `TypeError` where there is none: two callers without a name would look like one."""
    name = body.get("username")
    if not isinstance(name, str) or not name:
        raise TypeError
    return name


def _cause(body: Mapping[str, Any]) -> Cause:
    error = body.get("error")
    if not isinstance(error, Mapping):
        return Cause("security_exception", "unable to authenticate")
    known = ("type", "reason", "root_cause", "caused_by")
    details = {key: value for key, value in error.items() if key not in known}
    below = _cause({"error": error["caused_by"]}) if "caused_by" in error else None
    return Cause(str(error.get("type")), str(error.get("reason")), below, details)


def _challenges(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ways to authenticate that the cluster offers, for the `WWW-Authenticate` headers."""
    details = _cause(body).details.get("header", {})
    offered = details.get("WWW-Authenticate", []) if isinstance(details, Mapping) else []
    return [("WWW-Authenticate", str(way)) for way in ([offered] if isinstance(offered, str) else offered)]
