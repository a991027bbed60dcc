"""Leases and keys that have expired are removed, by Elasticsearch's clock; others stay."""

from __future__ import annotations

import time

import pytest

from app.store import Store, expiry
from app.store.index_definitions import LEASES
from tests.documents import Stored

# Seconds until the document expires, and whether it is removed.
DOCUMENTS = {
    "lease": (-3600, True),
    "idempotency:1": (-61, True),
    "margin": (-30, False),
    "live": (60, False),
}


@pytest.fixture
def leases(store: Store, elasticsearch) -> Stored:
    elasticsearch.indices.refresh(index=LEASES.alias)
    elasticsearch.delete_by_query(
        index=LEASES.alias, query={"match_all": {}}, refresh=True, conflicts="proceed"
    )
    return Stored(elasticsearch, LEASES)


def put(leases: Stored, name: str, seconds: float) -> None:
    leases.put(name, {"holder": "h", "expires_at": int((time.time() + seconds) * 1000)})


def test_what_expired_a_minute_ago_is_removed(store: Store, leases: Stored) -> None:
    for name, (seconds, _) in DOCUMENTS.items():
        put(leases, name, seconds)
    leases.put("odd", {"holder": "h"})
    assert expiry.remove_expired(store.expiring, lambda: True) == 2
    assert leases.ids() == {"margin", "live", "odd"}


def test_all_pages_are_removed(store: Store, leases: Stored, monkeypatch) -> None:
    monkeypatch.setattr(expiry, "_PAGE", 10)
    for number in range(35):
        put(leases, f"key-{number}", -120)
    assert expiry.remove_expired(store.expiring, lambda: True) == 35


def test_nothing_is_removed_where_this_process_no_longer_leads(store: Store, leases: Stored) -> None:
    put(leases, "lease", -3600)
    assert expiry.remove_expired(store.expiring, lambda: False) == 0
    assert leases.exists("lease")


def test_clock_of_this_process_does_not_decide(store: Store, leases: Stored, monkeypatch) -> None:
    put(leases, "live", 600)
    put(leases, "lease", -3600)
    real = time.time
    monkeypatch.setattr(expiry.time, "time", lambda: real() + 3600)  # it is an hour ahead
    assert expiry.remove_expired(store.expiring, lambda: True) == 1
    assert leases.exists("live")


def test_lease_that_was_taken_again_stays(store: Store, leases: Stored, monkeypatch) -> None:
    """Between the search and the script, somebody takes the lease."""
    put(leases, "lease", -3600)
    real = store.expiring.query

    def taken(body):
        found = real(body)
        put(leases, "lease", 60)
        return found

    monkeypatch.setattr(store.expiring, "query", taken)
    assert expiry.remove_expired(store.expiring, lambda: True) == 0
    assert leases.exists("lease")
