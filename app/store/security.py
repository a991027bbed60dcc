"""Who calls, and what they may: asked of Elasticsearch with the caller's own credentials, never with the service's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any

from cachetools import LRUCache, TLRUCache

from app.errors import ApiError
from app.store.callers import (
    CONNECTOR_PRIVILEGES,
    FALLBACK_PRIVILEGES,
    INDICES,
    SECRET_PRIVILEGES,
    UNRESTRICTED,
    Caller,
    Credentials,
)
from app.store.client import TracedTransport
from app.store.failures import translated
from app.store.retries import send
from app.store.security_responses import (
    describe_user,
    held,
    is_service_account,
    read_caller,
    realm,
    reason,
    reject_unauthenticated,
    unclear_response,
)

_HAS_PRIVILEGES = "/_security/user/_has_privileges"
_AUTHENTICATE = "/_security/_authenticate"
SECURITY_PATHS = (_HAS_PRIVILEGES, _AUTHENTICATE)
"""The paths that Elasticsearch's refusals may name."""
# The exact responses by which a cluster says that it has no security, and that it does not know the connector privileges.
_NO_HANDLER = f"no handler found for uri [{_HAS_PRIVILEGES}] and method [POST]"
_UNKNOWN_PRIVILEGE = "unknown cluster privilege"

# `WWW-Authenticate` headers for the 401 that is not Elasticsearch's own.
_AUTH_CHALLENGES = ['Basic realm="security", charset="UTF-8"', "ApiKey"]

# Callers remembered at once; beyond that the least recently seen one is forgotten.
_CALLERS = 10_000
# Seconds. A node takes longer to restart, and a restart between two requests would go unnoticed.
_NO_SECURITY = 1.0


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    generation: object


class Security:
    """Asks for callers' privileges. Only granted privileges are cached, by digest, for `seconds`; 0 caches nothing.

    A response that takes longer than `timeout` seconds is a 503.

    An interruption clears the cache, and that there is no security is cached only briefly: the
    same cluster may come back with security switched on.
    """

    def __init__(
        self, transport: TracedTransport, seconds: float, *, timeout: float, own_certificate: bool = False
    ) -> None:
        # The transport, not the client, which would add the service's own credentials (except for a certificate).
        self._transport = transport
        self._timeout = timeout
        self._own_certificate = own_certificate
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        self._known: TLRUCache[bytes, _Remembered, float] = TLRUCache(_CALLERS, self._until)
        self._last_known: LRUCache[bytes, Caller] = LRUCache(_CALLERS)
        self._lock = Lock()

    def caller(self, credentials: Credentials, needed: frozenset[str]) -> Caller:
        """The caller of these credentials. A cached one is enough if it has one of the `needed` privileges.

        Raises `ApiError`: 401 as Elasticsearch words it, 400 for headers that are too long, 503 where its response is not clear.
        """
        digest, generation = self._digest(credentials), self._transport.generation
        with self._lock:
            known: _Remembered | None = self._known.get(digest)
        if (
            known is not None
            and known.generation is generation
            and (not needed or known.caller.granted & needed)
        ):
            return known.caller
        try:
            caller = send(lambda _is_retry: self._ask(credentials))
            if self._own_certificate and caller is not UNRESTRICTED:
                self._refuse_ourselves(credentials)
        except ApiError as error:
            if error.status != 503:
                with self._lock:
                    self._last_known.pop(digest, None)
            raise
        with self._lock:
            self._last_known[digest] = caller
            if caller.granted:
                self._known[digest] = _Remembered(caller, generation)
        return caller

    def last_known(self, credentials: Credentials) -> Caller | None:
        """The caller of these credentials as Elasticsearch last described them; None if it did not, or refused them.

        Only for what may be shown while Elasticsearch does not answer: they may have lost privileges since.
        """
        with self._lock:
            return self._last_known.get(self._digest(credentials))

    def subject(self, credentials: Credentials) -> str:
        """The caller as Elasticsearch's refusals name them: `for user [u] with effective roles [r]` and the like.

        Raises `ApiError` as `caller` does.
        """
        user = send(lambda _is_retry: self._authenticated(credentials))
        run_as, real = "", user
        if credentials.run_as is not None:
            itself = Credentials(credentials.authorization, None)
            run_as, real = (
                f" run as [{user.get('username')}]",
                send(lambda _is_retry: self._authenticated(itself)),
            )
        if "api_key" in user or is_service_account(user):
            return f"for {describe_user(real)}"
        return f"for {describe_user(real)}{run_as} with effective roles [{','.join(user.get('roles', []))}]"

    def _refuse_ourselves(self, credentials: Credentials) -> None:
        """Raise `ApiError` 401 where Elasticsearch took the certificate of the connection for the caller's credentials."""
        itself = Credentials(credentials.authorization, None)
        user = send(lambda _is_retry: self._authenticated(itself))
        if user.get("authentication_type") == "realm" and realm(user) == "pki":
            reason = f"missing authentication credentials for REST request [{_AUTHENTICATE}]"
            error = {
                "type": "security_exception",
                "reason": reason,
                "header": {"WWW-Authenticate": _AUTH_CHALLENGES},
            }
            reject_unauthenticated(401, {"error": error})

    def _authenticated(self, credentials: Credentials) -> Mapping[str, Any]:
        status, body = self._request("GET", _AUTHENTICATE, credentials)
        reject_unauthenticated(status, body)
        if status != 200 or "username" not in body:
            raise unclear_response(status, body)
        return body

    def _ask(self, credentials: Credentials) -> Caller:
        question = {"cluster": [*CONNECTOR_PRIVILEGES, *SECRET_PRIVILEGES]}
        status, body = self._request("POST", _HAS_PRIVILEGES, credentials, question)
        if status == 400 and body.get("error") == _NO_HANDLER:
            return UNRESTRICTED
        if status == 400 and reason(body).startswith(_UNKNOWN_PRIVILEGE):
            return self._ask_for_indices(credentials)
        return read_caller(status, body, lambda: held(body["cluster"]))

    def _ask_for_indices(self, credentials: Credentials) -> Caller:
        """On a cluster that does not know the connector privileges, access to the indices counts instead."""
        index = {"names": [INDICES], "privileges": list(FALLBACK_PRIVILEGES.values())}
        question = {"cluster": list(SECRET_PRIVILEGES), "index": [index]}
        status, body = self._request("POST", _HAS_PRIVILEGES, credentials, question)

        def granted() -> frozenset[str]:
            on_indices = held(body["index"][INDICES])
            instead = {name for name, fallback in FALLBACK_PRIVILEGES.items() if fallback in on_indices}
            return held(body["cluster"]) | instead

        return read_caller(status, body, granted, by_index=True)

    def _request(
        self, method: str, path: str, credentials: Credentials, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        headers = {"accept": "application/json", "content-type": "application/json", **credentials.headers()}
        with translated():
            response = self._transport.perform_request(
                method, path, headers=headers, body=body, request_timeout=self._timeout
            )
        return response.meta.status, response.body if isinstance(response.body, Mapping) else {}

    def _digest(self, credentials: Credentials) -> bytes:
        text = json.dumps([credentials.authorization, credentials.run_as])
        return blake2b(text.encode(), key=self._key).digest()

    def _until(self, _digest: bytes, remembered: _Remembered, now: float) -> float:
        return now + (
            min(self._seconds, _NO_SECURITY) if remembered.caller is UNRESTRICTED else self._seconds
        )
