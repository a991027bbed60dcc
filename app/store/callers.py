"""Callers of the service: what they bring with a request, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.errors import ApiError
from app.store.client import safe_header_value

CONNECTOR_PRIVILEGES = ("monitor_connector", "manage_connector")
SECRET_PRIVILEGES = ("read_connector_secrets", "write_connector_secrets")
# On a cluster that does not know the connector privileges, privileges on these indices replace them.
INDICES = ".elastic-connectors*"
FALLBACK_PRIVILEGES = {"monitor_connector": "read", "manage_connector": "write"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings: its `Authorization` and `es-security-runas-user`, neither of which is ever shown."""

    authorization: str | None = field(repr=False)
    run_as: str | None = field(repr=False)

    def headers(self) -> dict[str, str]:
        """The headers that ask Elasticsearch as this caller."""
        sent = {"authorization": self.authorization, "es-security-runas-user": self.run_as}
        return {name: safe_header_value(value) for name, value in sent.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and the privileges found so far. `by_index`: on a cluster without the connector privileges."""

    granted: frozenset[str]
    by_index: bool = False
    refused: ApiError | None = None
    """Why Elasticsearch refused the question itself: the caller may not act as the user that they name."""
    name: str = ""
    """The user, of an API key its owner, else the user acted as. Empty on a cluster without security."""


UNRESTRICTED = Caller(frozenset(CONNECTOR_PRIVILEGES + SECRET_PRIVILEGES))
"""The caller on a cluster without security."""
