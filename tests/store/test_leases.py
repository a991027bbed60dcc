"""Leases: one holder at a time, and takeover after expiry by Elasticsearch's clock."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest
from elasticsearch import AuthorizationException, BadRequestError

from app.errors import ApiError, status_error, unavailable
from app.store import leases
from app.store.index_definitions import LEASES

KEY = "key"


@pytest.fixture(autouse=True)
def no_leases(store, elasticsearch) -> None:
    elasticsearch.options(ignore_status=404).delete(index=LEASES.alias, id=KEY)


def exists(elasticsearch, key: str = KEY) -> bool:
    return bool(elasticsearch.exists(index=LEASES.alias, id=key))


def test_key_has_one_holder_at_a_time(store) -> None:
    """Fails if `acquire_lease.painless` grants the lease to everybody."""
    inside, most, turns, lock = 0, 0, 0, Lock()

    def take_turns(_member: int) -> None:
        nonlocal inside, most, turns
        for _ in range(10):
            with store.leases.hold(KEY):
                with lock:
                    inside, turns = inside + 1, turns + 1
                    most = max(most, inside)
                time.sleep(0.01)  # long enough for others to enter, if the lease does not stop them
                with lock:
                    inside -= 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(take_turns, range(4)))
    assert (turns, most) == (40, 1)


def test_leases_of_different_keys_are_independent(store, monkeypatch) -> None:
    monkeypatch.setattr(leases, "WAIT_TIMEOUT_SECONDS", 0)
    with store.leases.hold(KEY), store.leases.hold("another"):
        pass


def test_released_lease_leaves_no_document(store, elasticsearch) -> None:
    with store.leases.hold(KEY):
        assert exists(elasticsearch)
    assert not exists(elasticsearch)


@pytest.mark.parametrize(
    ("error", "released"),
    [
        (status_error(400, "refused"), True),
        (status_error(404, "missing"), True),
        (BadRequestError("refused", None, None), True),
        (AuthorizationException("refused", None, None), True),
        (status_error(409, "conflict"), False),
        (unavailable("no answer"), False),
        (RuntimeError("a defect"), False),
    ],
    ids=["400", "404", "client's 400", "client's 403", "409", "503", "defect"],
)
def test_lease_is_released_only_if_nothing_can_have_been_written(
    store, elasticsearch, error, released
) -> None:
    with pytest.raises(type(error)), store.leases.hold(KEY):
        raise error
    assert exists(elasticsearch) is not released


def put_lease(elasticsearch, seconds: float) -> None:
    """Store an abandoned lease that expires in so many seconds by Elasticsearch's clock."""
    elasticsearch.update(
        index=LEASES.alias,
        id=KEY,
        scripted_upsert=True,
        upsert={},
        script={
            "source": "ctx._source.holder = 'dead'; ctx._source.expires_at = ctx._now + params.left",
            "params": {"left": int(seconds * 1000)},
        },
    )


@pytest.mark.parametrize("left", [60, 0, -1.5], ids=["live", "expired", "within the margin"])
def test_lease_of_another_holder_is_waited_for(store, elasticsearch, monkeypatch, left) -> None:
    monkeypatch.setattr(leases, "WAIT_TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 600)
    put_lease(elasticsearch, left)
    with pytest.raises(ApiError) as refused, store.leases.hold(KEY):
        pass
    assert refused.value.status == 503


def test_expired_lease_is_taken_over(store, elasticsearch) -> None:
    put_lease(elasticsearch, -60)
    with store.leases.hold(KEY) as lease:
        document = elasticsearch.get(index=LEASES.alias, id=KEY)["_source"]
        assert document == {
            "holder": lease.holder,
            "expires_at": lease.expires_at,
            "taken_from": "dead",
        }


def test_release_keeps_the_lease_of_the_next_holder(store, elasticsearch) -> None:
    with store.leases.hold(KEY):
        put_lease(elasticsearch, 60)
    assert exists(elasticsearch)


# --- Without waiting ---


def test_lease_of_another_holder_is_not_tried_twice(store, elasticsearch) -> None:
    put_lease(elasticsearch, 60)
    with store.leases.try_hold(KEY) as lease:
        assert lease is None
    assert elasticsearch.get(index=LEASES.alias, id=KEY)["_source"]["holder"] == "dead"


def test_tried_lease_has_one_holder_and_is_released(store, elasticsearch) -> None:
    with store.leases.try_hold(KEY) as lease, store.leases.try_hold(KEY) as other:
        assert lease is not None
        assert other is None
    assert not exists(elasticsearch)


@pytest.mark.parametrize(("status", "released"), [(400, True), (404, True), (409, False), (503, False)])
def test_tried_lease_is_released_only_if_nothing_can_have_been_written(
    store, elasticsearch, status, released
) -> None:
    with pytest.raises(ApiError), store.leases.try_hold(KEY):
        raise status_error(status, "an error")
    assert exists(elasticsearch) is not released
