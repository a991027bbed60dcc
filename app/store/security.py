"""Who calls, and what they may: asked of Elasticsearch with the caller's own credentials, never with the service's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Any

import structlog
from cachetools import TLRUCache

from app.errors import ApiError, Cause, unavailable
from app.store.client import TracedTransport, as_data
from app.store.failures import TransientFailure, translated
from app.store.retries import send

log = structlog.get_logger(__name__)

_HAS_PRIVILEGES = "/_security/user/_has_privileges"
_AUTHENTICATE = "/_security/_authenticate"
QUESTIONS = (_HAS_PRIVILEGES, _AUTHENTICATE)
"""The paths that Elasticsearch's refusals may name."""
# The exact answers by which a cluster says that it has no security, and that it does not know the connector privileges.
_NO_HANDLER = f"no handler found for uri [{_HAS_PRIVILEGES}] and method [POST]"
_UNKNOWN_PRIVILEGE = "unknown cluster privilege"

# The ways to authenticate that are named where Elasticsearch is not the one who refuses.
_WAYS = ['Basic realm="security", charset="UTF-8"', "ApiKey"]

CONNECTOR_PRIVILEGES = ("monitor_connector", "manage_connector")
SECRET_PRIVILEGES = ("read_connector_secrets", "write_connector_secrets")
# What stands for the connector privileges on a cluster that does not know them: privileges on these indices.
INDICES = ".elastic-connectors*"
INSTEAD = {"monitor_connector": "read", "manage_connector": "write"}

# Elasticsearch takes 16 KiB of headers in all; those of the caller are the caller's to mend.
_TOO_LONG = "too_long_http_header_exception"

# Callers remembered at once; beyond that the one not met for longest is asked for again.
_CALLERS = 10_000
# Seconds. No node restarts in less, and between two requests nobody notices that it did.
_NO_SECURITY = 1.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings: its `Authorization` and `es-security-runas-user`, neither of which is ever shown."""

    authorization: str | None = field(repr=False)
    run_as: str | None = field(repr=False)

    def headers(self) -> dict[str, str]:
        """The headers that ask Elasticsearch as this caller."""
        sent = {"authorization": self.authorization, "es-security-runas-user": self.run_as}
        return {name: as_data(value) for name, value in sent.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and the privileges found so far. `by_index`: on a cluster without the connector privileges."""

    granted: frozenset[str]
    by_index: bool = False
    refused: ApiError | None = None
    """Why Elasticsearch would not even look: the caller may not act as the user that they name."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    era: object


EVERYTHING = Caller(frozenset(CONNECTOR_PRIVILEGES + SECRET_PRIVILEGES))
"""The caller on a cluster without security."""


class Security:
    """Asks for callers' privileges. Only good news is remembered, by digest, for `seconds`; 0 remembers nothing.

    An answer that takes longer than `timeout` seconds is a 503.

    An interruption ends what is remembered, and that there is no security is remembered for a moment only: whoever
    answers afterwards may be the same cluster with security switched on.
    """

    def __init__(
        self, transport: TracedTransport, seconds: float, *, timeout: float, own_certificate: bool = False
    ) -> None:
        # The transport and not the client: that would add the service's own credentials. All but a certificate.
        self._transport = transport
        self._timeout = timeout
        self._own_certificate = own_certificate
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        self._known: TLRUCache[bytes, _Remembered, float] = TLRUCache(_CALLERS, self._until)
        self._lock = Lock()

    def caller(self, credentials: Credentials, needed: frozenset[str]) -> Caller:
        """The caller of these credentials. Remembered news is enough if it grants one of the `needed` privileges.

        Raises `ApiError`: 401 as Elasticsearch words it, 400 for headers that are too long, 503 where it gives no clear answer.
        """
        digest, era = self._digest(credentials), self._transport.era
        with self._lock:
            known: _Remembered | None = self._known.get(digest)
        if known is not None and known.era is era and (not needed or known.caller.granted & needed):
            return known.caller
        caller = send(lambda _again: self._ask(credentials))
        if self._own_certificate and caller is not EVERYTHING:
            self._refuse_ourselves(credentials)
        if caller.granted:
            with self._lock:
                self._known[digest] = _Remembered(caller, era)
        return caller

    def subject(self, credentials: Credentials) -> str:
        """The caller as Elasticsearch's refusals name them: `for user [u] with effective roles [r]` and the like.

        Raises `ApiError` as `caller` does.
        """
        user = send(lambda _again: self._authenticated(credentials))
        run_as, real = "", user
        if credentials.run_as is not None:
            itself = Credentials(credentials.authorization, None)
            run_as, real = (
                f" run as [{user.get('username')}]",
                send(lambda _again: self._authenticated(itself)),
            )
        if "api_key" in user or _is_service_account(user):
            return f"for {_described(real)}"
        return f"for {_described(real)}{run_as} with effective roles [{','.join(user.get('roles', []))}]"

    def _refuse_ourselves(self, credentials: Credentials) -> None:
        """Raise `ApiError` 401 where Elasticsearch took the certificate of the connection for the caller's credentials."""
        itself = Credentials(credentials.authorization, None)
        user = send(lambda _again: self._authenticated(itself))
        if user.get("authentication_type") == "realm" and _realm(user) == "pki":
            reason = f"missing authentication credentials for REST request [{_AUTHENTICATE}]"
            error = {"type": "security_exception", "reason": reason, "header": {"WWW-Authenticate": _WAYS}}
            _refuse(401, {"error": error})

    def _authenticated(self, credentials: Credentials) -> Mapping[str, Any]:
        status, body = self._request("GET", _AUTHENTICATE, credentials)
        _refuse(status, body)
        if status != 200 or "username" not in body:
            raise _unclear(status, body)
        return body

    def _ask(self, credentials: Credentials) -> Caller:
        question = {"cluster": [*CONNECTOR_PRIVILEGES, *SECRET_PRIVILEGES]}
        status, body = self._request("POST", _HAS_PRIVILEGES, credentials, question)
        if status == 400 and body.get("error") == _NO_HANDLER:
            return EVERYTHING
        if status == 400 and _reason(body).startswith(_UNKNOWN_PRIVILEGE):
            return self._ask_for_indices(credentials)
        return _read(status, body, lambda: _held(body["cluster"]))

    def _ask_for_indices(self, credentials: Credentials) -> Caller:
        """On a cluster that does not know the connector privileges, what counts is access to the indices."""
        index = {"names": [INDICES], "privileges": list(INSTEAD.values())}
        question = {"cluster": list(SECRET_PRIVILEGES), "index": [index]}
        status, body = self._request("POST", _HAS_PRIVILEGES, credentials, question)

        def granted() -> frozenset[str]:
            held = _held(body["index"][INDICES])
            instead = {privilege for privilege, stand_in in INSTEAD.items() if stand_in in held}
            return _held(body["cluster"]) | instead

        return _read(status, body, granted, by_index=True)

    def _request(
        self, method: str, path: str, credentials: Credentials, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        headers = {"accept": "application/json", "content-type": "application/json", **credentials.headers()}
        with translated():
            answer = self._transport.perform_request(
                method, path, headers=headers, body=body, request_timeout=self._timeout
            )
        return answer.meta.status, answer.body if isinstance(answer.body, Mapping) else {}

    def _digest(self, credentials: Credentials) -> bytes:
        text = json.dumps([credentials.authorization, credentials.run_as])
        return blake2b(text.encode(), key=self._key).digest()

    def _until(self, _digest: bytes, remembered: _Remembered, now: float) -> float:
        return now + (min(self._seconds, _NO_SECURITY) if remembered.caller is EVERYTHING else self._seconds)


def _read(
    status: int, body: Mapping[str, Any], granted: Callable[[], frozenset[str]], *, by_index: bool = False
) -> Caller:
    """The caller that an answer tells of. Any answer but the expected ones closes the door."""
    _refuse(status, body)
    if status == 403:
        return Caller(frozenset(), refused=ApiError(403, _cause(body)))
    try:
        if status == 200:
            return Caller(granted(), by_index)
    except (AttributeError, KeyError, TypeError):
        pass
    raise _unclear(status, body)


def _refuse(status: int, body: Mapping[str, Any]) -> None:
    """Raise as `ApiError` what is the caller's to mend, whatever was asked."""
    if status == 401:
        raise ApiError(401, _cause(body), headers=_challenges(body))
    if status == 400 and _cause(body).type == _TOO_LONG:
        raise ApiError(400, _cause(body))


def _unclear(status: int, body: Mapping[str, Any]) -> TransientFailure:
    log.warning("elasticsearch_security_unclear", status=status, reason=_reason(body))
    return TransientFailure(unavailable("Elasticsearch does not tell what the caller may do."))


def _described(user: Mapping[str, Any]) -> str:
    name = f"{'service account' if _is_service_account(user) else 'user'} [{user.get('username')}]"
    return f"API key id [{user['api_key'].get('id')}] of {name}" if "api_key" in user else name


def _is_service_account(user: Mapping[str, Any]) -> bool:
    return _realm(user) == "_service_account"


def _realm(user: Mapping[str, Any]) -> str:
    """The type of the realm that knew the credentials."""
    return str((user.get("authentication_realm") or {}).get("type"))


def _held(privileges: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(privilege for privilege, held in privileges.items() if held is True)


def _reason(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return str(error.get("reason")) if isinstance(error, Mapping) else str(error)


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
