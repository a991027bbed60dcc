"""Attaching an index to a connector so that no other connector, not deleted, has the same.

The rule is about several documents, so it takes the lease of the index name: search, write, release. The script that writes
refuses once the lease has expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from app.connectors.queries import holders_search
from app.errors import status_error, unavailable
from app.store import Store
from app.store.scripts import Outcome, Verdict

ATTACH_TIMEOUT_SECONDS = 10.0

Write = Callable[[int | None], Outcome]
"""Writes what a request wants; it is called with the expiry of the lease, None where none is needed."""


def attach(store: Store, connector_id: str, index_name: str | None, write: Write) -> Outcome:
    """`write` under the lease of the index name, if there is one; its outcome.

    Raises `ApiError` 400 where another connector has the index, and 503 where the lease cannot be had or held in time.
    A connector that has the index already keeps it, whoever else has it, too.
    """
    if index_name is None:
        return write(None)
    deadline = time.monotonic() + ATTACH_TIMEOUT_SECONDS
    while True:
        with store.leases.hold(f"index_name:{index_name}") as lease:
            holders = {hit.id for hit in store.connectors.search(holders_search(index_name)).hits}
            if holders and connector_id not in holders:
                raise status_error(400, f"Index name [{index_name}] is used by another connector.")
            outcome = write(lease.expires_at)
        if outcome.verdict is not Verdict.LEASE_EXPIRED:
            return outcome
        if time.monotonic() >= deadline:
            raise unavailable("The index could not be attached in time. The request can be sent again.")
