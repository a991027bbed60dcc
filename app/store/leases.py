"""Leases: one holder per key, for a time.

Elasticsearch decides atomically on one document only. A rule about several documents takes a lease first: one document per
key, taken by a script, and taken over by the next one once it has expired. Time is Elasticsearch's own (`ctx._now`).

Elasticsearch cannot make a write depend on another document, so what is written under a lease is fenced by time: the write's
own script refuses once `ctx._now` reaches the lease's `expires_at`. A takeover waits for `MARGIN_SECONDS` more, since
`ctx._now` lags a little and the clocks of nodes differ. That is the limit: nodes whose clocks differ by more than the
margin can let two holders write.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from elasticsearch import AuthorizationException, BadRequestError

from app.errors import ApiError, unavailable
from app.metrics.definitions import LEASE_TAKEOVERS
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.scripts import Verdict, load

LEASE_SECONDS = 6.0
MARGIN_SECONDS = 2.0
# Longer than a lease that its holder left behind.
WAIT_TIMEOUT_SECONDS = 10.0
_MAX_PAUSE_SECONDS = 0.1
# Statuses of errors after which no write is still on its way.
NOTHING_WRITTEN = frozenset({400, 404})

ACQUIRE = load(__package__, "acquire_lease")
RELEASE = load(__package__, "release_lease")


@dataclass(frozen=True, slots=True)
class Lease:
    """A key that `holder`, a random text, holds until `expires_at`, milliseconds since 1970 by Elasticsearch's clock."""

    key: str
    holder: str
    expires_at: int


class Leases:
    """The leases of all processes, in an index of their own."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @contextmanager
    def hold(self, key: str) -> Iterator[Lease]:
        """Hold the key inside the block; `key` has 512 bytes at most.

        It is released at the end, also for an error (the client's, too) that says that nothing was written. Any other
        exception leaves the lease to expire, since a write may still be on its way. Raises `ApiError` 503 where others
        hold the key for `WAIT_TIMEOUT_SECONDS`.
        """
        with self._releasing(self._acquire(key)) as lease:
            yield lease

    @contextmanager
    def try_hold(self, key: str) -> Iterator[Lease | None]:
        """As `hold`, without waiting: None inside the block where somebody else holds the key."""
        lease = self._try_acquire(key, secrets.token_urlsafe(15))
        if lease is None:
            yield None
        else:
            with self._releasing(lease):
                yield lease

    @contextmanager
    def _releasing(self, lease: Lease) -> Iterator[Lease]:
        try:
            yield lease
        except (AuthorizationException, BadRequestError):
            self._release(lease)
            raise
        except ApiError as error:
            if error.status in NOTHING_WRITTEN:
                self._release(lease)
            raise
        self._release(lease)

    def _release(self, lease: Lease) -> None:
        with suppress(ApiError, IndexMissing):
            self._documents.transition(lease.key, RELEASE, {"holder": lease.holder})

    def _acquire(self, key: str) -> Lease:
        holder = secrets.token_urlsafe(15)
        deadline = time.monotonic() + WAIT_TIMEOUT_SECONDS
        while True:
            if lease := self._try_acquire(key, holder):
                return lease
            if time.monotonic() >= deadline:
                raise unavailable("Another request holds the lease it needs. The request can be sent again.")
            time.sleep(random.uniform(0, _MAX_PAUSE_SECONDS))  # noqa: S311

    def _try_acquire(self, key: str, holder: str) -> Lease | None:
        params = {
            "holder": holder,
            "duration": int(LEASE_SECONDS * 1000),
            "margin": int(MARGIN_SECONDS * 1000),
        }
        outcome = self._documents.transition_or_create(
            key, ACQUIRE, params, returns=["expires_at", "taken_from"]
        )
        if outcome.verdict is Verdict.HELD:
            return None
        outcome.respond({Verdict.CREATED: "held", Verdict.UPDATED: "held"})
        if outcome.details.get("taken_from") is not None:
            LEASE_TAKEOVERS.inc()
        return Lease(key, holder, outcome.details["expires_at"])
