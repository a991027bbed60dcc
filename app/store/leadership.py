"""The lease of the leader: the one process, of all replicas, that does what is to be done once for all of them.

Time is Elasticsearch's (`ctx._now`); it lags by up to a quarter of a second and may jump when another node takes over. So two processes
may think for a moment that they lead. Leadership only saves work: each thing that a leader does must be safe if two do it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app import clock
from app.errors import ApiError
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.scripts import Verdict, load

LEASE_SECONDS: Final = 20.0
_DOCUMENT_ID: Final = "leader"

LEAD: Final = load(__package__, "lead")
STEP_DOWN: Final = load(__package__, "step_down")


@dataclass(frozen=True, slots=True)
class Term:
    """The time for which one process leads: its number, and the name of the leader before, if that one did not step down."""

    epoch: int
    taken_from: str | None


class Leadership:
    """Takes, renews and gives back the lease. `name` says which process it is, `holder` is a random text that only it knows."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def take(self, holder: str, name: str, report: Mapping[str, Any] | None) -> Term | None:
        """Take or renew the lease for `LEASE_SECONDS`, and keep the report; None where another process leads.

        Raises `ApiError` where Elasticsearch does not respond.
        """
        params = {"holder": holder, "name": name, "duration": int(LEASE_SECONDS * 1000), "report": report}
        outcome = self._documents.transition_or_create(
            _DOCUMENT_ID, LEAD, params, returns=["epoch", "taken_from"]
        )
        if outcome.verdict is Verdict.HELD:
            return None
        outcome.respond({Verdict.CREATED: "held", Verdict.UPDATED: "held"})
        return Term(outcome.details["epoch"], outcome.details.get("taken_from"))

    def step_down(self, holder: str) -> None:
        """Give the lease back, so that another process leads at once. It raises nothing: the lease expires in any case."""
        with suppress(ApiError, IndexMissing):
            self._documents.transition(_DOCUMENT_ID, STEP_DOWN, {"holder": holder})

    def current(self) -> dict[str, Any] | None:
        """Who leads, `since` when, and what it last did (`last_run`); None where nobody does. Raises `ApiError` as `take` does."""
        try:
            lease = self._documents.get(_DOCUMENT_ID)
        except IndexMissing:
            return None
        # As long again, since the clocks of Elasticsearch and of this process may differ.
        if lease is None or lease["expires_at"] + LEASE_SECONDS * 1000 <= time.time() * 1000:
            return None
        since = clock.iso(datetime.fromtimestamp(lease["since"] / 1000, UTC))
        return {"name": lease["name"], "since": since, "last_run": lease.get("report")}
