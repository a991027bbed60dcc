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
from cachetools import TTLCache
from elastic_transport import Transport

from app.errors import ApiError, Cause, unavailable
from app.store.failures import TransientFailure, translated
from app.store.retries import send

log = structlog.get_logger(__name__)

HAS_PRIVILEGES = "/_security/user/_has_privileges"
_AUTHENTICATE = "/_security/_authenticate"
# The exact answers by which a cluster says that it has no security, and that it does not know the connector privileges.
_NO_SECURITY = f"no handler found for uri [{HAS_PRIVILEGES}] and method [POST]"
_UNKNOWN_PRIVILEGE = "unknown cluster privilege"

CONNECTOR_PRIVILEGES = ("monitor_connector", "manage_connector")
SECRET_PRIVILEGES = ("read_connector_secrets", "write_connector_secrets")
# What stands for the connector privileges on a cluster that does not know them.
_INDICES = ".elastic-connectors*"
_INSTEAD = {"monitor_connector": "read", "manage_connector": "write"}

# Callers remembered at once; beyond that the oldest is asked for again.
_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings: its `Authorization` and `es-security-runas-user`, neither of which is ever shown."""

    authorization: str | None = field(repr=False)
    run_as: str | None = field(repr=False)

    def headers(self) -> dict[str, str]:
        """The headers that ask Elasticsearch as this caller."""
        sent = {"authorization": self.authorization, "es-security-runas-user": self.run_as}
        return {name: value for name, value in sent.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and the privileges found so far. `by_index`: on a cluster without the connector privileges."""

    granted: frozenset[str]
    by_index: bool = False
    refused: ApiError | None = None
    """Why Elasticsearch would not even look: the caller may not act as the user that they name."""


EVERYTHING = Caller(frozenset(CONNECTOR_PRIVILEGES + SECRET_PRIVILEGES))
"""The caller on a cluster without security."""


class Security:
    """Asks for callers' privileges. Only good news is remembered, by digest, for `seconds`; 0 remembers nothing."""

    def __init__(self, transport: Transport, seconds: float) -> None:
        # The transport and not the client: that would add the service's own credentials.
        self._transport = transport
        self._key = secrets.token_bytes(32)
        self._known: TTLCache[bytes, Caller] = TTLCache(_CALLERS, seconds)
        self._lock = Lock()

    def caller(self, credentials: Credentials, needed: frozenset[str]) -> Caller:
        """The caller of these credentials. Remembered news is enough if it grants one of the `needed` privileges.

        Raises `ApiError`: 401 as Elasticsearch words it, 503 where it gives no clear answer.
        """
        digest = self._digest(credentials)
        with self._lock:
            known: Caller | None = self._known.get(digest)
        if known is not None and (not needed or known.granted & needed):
            return known
        try:
            caller = send(lambda _again: self._ask(credentials))
        except ApiError as error:
            if error.status == 503:
                self._forget()
            raise
        if caller.granted:
            with self._lock:
                self._known[digest] = caller
        return caller

    def subject(self, credentials: Credentials) -> str:
        """The caller as Elasticsearch's refusals name them: `for user [u] with effective roles [r]` and the like."""
        user = self._request("GET", _AUTHENTICATE, credentials)[1]
        name = user.get("username")
        if "api_key" in user:
            return f"for API key id [{user['api_key'].get('id')}] of user [{name}]"
        roles = ",".join(user.get("roles", []))
        if credentials.run_as is not None:
            real = self._request("GET", _AUTHENTICATE, Credentials(credentials.authorization, None))[1]
            return f"for user [{real.get('username')}] run as [{name}] with effective roles [{roles}]"
        return f"for user [{name}] with effective roles [{roles}]"

    def _ask(self, credentials: Credentials) -> Caller:
        question = {"cluster": [*CONNECTOR_PRIVILEGES, *SECRET_PRIVILEGES]}
        status, body = self._request("POST", HAS_PRIVILEGES, credentials, question)
        if status == 400 and body.get("error") == _NO_SECURITY:
            return EVERYTHING
        if status == 400 and _reason(body).startswith(_UNKNOWN_PRIVILEGE):
            return self._ask_for_indices(credentials)
        return _read(status, body, lambda: _held(body["cluster"]))

    def _ask_for_indices(self, credentials: Credentials) -> Caller:
        """On a cluster that does not know the connector privileges, what counts is access to the indices."""
        index = {"names": [_INDICES], "privileges": list(_INSTEAD.values())}
        question = {"cluster": list(SECRET_PRIVILEGES), "index": [index]}
        status, body = self._request("POST", HAS_PRIVILEGES, credentials, question)

        def granted() -> frozenset[str]:
            held = _held(body["index"][_INDICES])
            instead = {privilege for privilege, stand_in in _INSTEAD.items() if stand_in in held}
            return _held(body["cluster"]) | instead

        return _read(status, body, granted, by_index=True)

    def _request(
        self, method: str, path: str, credentials: Credentials, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        headers = {"accept": "application/json", "content-type": "application/json", **credentials.headers()}
        with translated():
            answer = self._transport.perform_request(method, path, headers=headers, body=body)
        return answer.meta.status, answer.body if isinstance(answer.body, Mapping) else {}

    def _digest(self, credentials: Credentials) -> bytes:
        text = json.dumps([credentials.authorization, credentials.run_as])
        return blake2b(text.encode(), key=self._key).digest()

    def _forget(self) -> None:
        """Whoever answers after an interruption may be the same cluster with security switched on."""
        with self._lock:
            self._known.clear()


def _read(
    status: int, body: Mapping[str, Any], granted: Callable[[], frozenset[str]], *, by_index: bool = False
) -> Caller:
    """The caller that an answer tells of. Any answer but the expected ones closes the door."""
    if status == 401:
        raise ApiError(401, _cause(body), headers=_challenges(body))
    if status == 403:
        return Caller(frozenset(), refused=ApiError(403, _cause(body)))
    try:
        if status == 200:
            return Caller(granted(), by_index)
    except (KeyError, TypeError):
        pass
    log.warning("elasticsearch_security_unclear", status=status, reason=_reason(body))
    raise TransientFailure(unavailable("Elasticsearch does not tell what the caller may do."))


def _held(privileges: Mapping[str, bool]) -> frozenset[str]:
    return frozenset(privilege for privilege, held in privileges.items() if held is True)


def _reason(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return str(error.get("reason")) if isinstance(error, Mapping) else str(error)


def _cause(body: Mapping[str, Any]) -> Cause:
    error = body.get("error")
    if not isinstance(error, Mapping):
        return Cause("security_exception", "unable to authenticate")
    details = {key: value for key, value in error.items() if key not in ("type", "reason", "root_cause")}
    return Cause(str(error.get("type")), str(error.get("reason")), details=details)


def _challenges(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ways to authenticate that the cluster offers, for the `WWW-Authenticate` headers."""
    details = _cause(body).details.get("header", {})
    offered = details.get("WWW-Authenticate", []) if isinstance(details, Mapping) else []
    return [("WWW-Authenticate", str(way)) for way in ([offered] if isinstance(offered, str) else offered)]
