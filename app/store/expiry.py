"""Removing leases and idempotency keys that have expired."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from app.errors import ApiError
from app.store.bulk import Change
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.leases import MARGIN_SECONDS
from app.store.scripts import Outcome, Verdict, load

EXPIRE: Final = load(__package__, "expire")
# A lease is another's only when the margin has passed, and clocks of nodes differ.
_MARGIN_SECONDS: Final = 30 * MARGIN_SECONDS
_PAGE: Final = 1_000


def remove_expired(leases: Documents, may_go_on: Callable[[], bool]) -> int:
    """Remove what expired over a minute ago; how much it was. `may_go_on` is asked before each thousand of them.

    Raises `ApiError` where Elasticsearch does not respond.
    """
    removed = 0
    while may_go_on():
        # This clock only chooses; the script decides by Elasticsearch's.
        latest = int((time.time() - _MARGIN_SECONDS) * 1000)
        query = {"range": {"expires_at": {"lte": latest}}}
        try:
            hits = leases.query({"size": _PAGE, "_source": False, "query": query})["hits"]["hits"]
        except IndexMissing:
            return removed
        margin = {"margin": int(_MARGIN_SECONDS * 1000)}
        outcomes = leases.transition_all([Change(hit["_id"], EXPIRE, margin) for hit in hits])
        gone = sum(isinstance(each, Outcome) and each.verdict is Verdict.DELETED for each in outcomes)
        removed += gone
        if failure := next((each for each in outcomes if isinstance(each, ApiError)), None):
            raise failure
        if len(hits) < _PAGE or gone == 0:
            return removed
    return removed
