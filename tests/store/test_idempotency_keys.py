"""Idempotency keys: one request each, and never forgotten while somebody works on it."""

from __future__ import annotations

import pytest

from app.errors import ApiError
from app.store import documents, idempotency_keys
from app.store.idempotency_keys import digest
from app.store.index_definitions import LEASES

RESULT = {"id": "t1", "status": 201}


@pytest.fixture(autouse=True)
def no_keys(store, elasticsearch) -> None:
    elasticsearch.indices.refresh(index=LEASES.alias)
    elasticsearch.delete_by_query(index=LEASES.alias, query={"match_all": {}}, refresh=True)


@pytest.fixture
def keys(store):
    return store.idempotency_keys


@pytest.fixture
def stored(elasticsearch):
    """The documents of all keys."""

    def found() -> list[dict]:
        elasticsearch.indices.refresh(index=LEASES.alias)
        return [hit["_source"] for hit in elasticsearch.search(index=LEASES.alias)["hits"]["hits"]]

    return found


@pytest.fixture
def sent_twice(monkeypatch) -> None:
    """Every request is carried out and then retried, as after a lost response."""
    plain = documents.send

    def twice(request, **options):
        def both(_is_retry: bool):
            request(False)
            return request(True)

        return plain(both, **options)

    monkeypatch.setattr(documents, "send", twice)


def take(keys, target: str = "t1", request: str = "r", caller: str = "", key: str = "k"):
    return keys.take(caller, key, request, target)


def test_digest_ignores_the_order_of_keys_only() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    different = [
        digest("a", "b"),
        digest("a\x00b", ""),
        digest("ab", ""),
        digest("", "ab"),
        digest(["a", "b"]),
    ]
    assert len(set(different)) == len(different)


def test_new_key_is_taken_with_the_new_id(keys, stored) -> None:
    use = take(keys)
    assert (use.target_id, use.resumed, use.result) == ("t1", False, None)
    [document] = stored()
    assert document.keys() == {"request", "target_id", "holders", "expires_at"}


def test_key_without_a_result_is_taken_with_the_id_of_the_first(keys) -> None:
    take(keys)
    use = take(keys, "t2")
    assert (use.target_id, use.resumed, use.result) == ("t1", True, None)


def test_key_with_a_result_has_it_for_everybody(keys, stored) -> None:
    first, second = take(keys), take(keys, "t2")
    assert keys.note(first, RESULT) == RESULT
    assert keys.note(second, RESULT | {"status": 200}) == RESULT
    assert take(keys, "t3").result == RESULT
    assert keys.withdraw(second) == RESULT
    [document] = stored()
    assert document.keys() == {"request", "target_id", "result", "expires_at"}


@pytest.mark.parametrize("noted", [True, False])
def test_key_of_another_request_is_refused(keys, stored, noted) -> None:
    use = take(keys)
    if noted:
        keys.note(use, RESULT)
    before = stored()
    with pytest.raises(ApiError) as refused:
        take(keys, "t2", "another")
    assert (refused.value.status, refused.value.cause.type) == (422, "status_exception")
    assert stored() == before


def test_keys_of_different_callers_are_independent(keys) -> None:
    targets = [take(keys, f"t{number}", caller=caller).target_id for number, caller in enumerate("ab")]
    assert targets == ["t0", "t1"]


@pytest.mark.parametrize("noted", [True, False])
def test_expired_key_is_taken_for_any_request(keys, stored, monkeypatch, noted) -> None:
    monkeypatch.setattr(idempotency_keys, "KEY_SECONDS", 0)
    use = take(keys)
    if noted:
        keys.note(use, RESULT)
    use = take(keys, "t2", "another")
    assert (use.target_id, use.resumed, use.result) == ("t2", False, None)
    [document] = stored()
    assert (document["request"], document["target_id"]) == ("another", "t2")


def test_key_lasts_for_a_day_after_it_was_last_taken_or_its_result_noted(keys, stored, elasticsearch) -> None:
    """By Elasticsearch's clock."""

    def expiry() -> int:
        return stored()[0]["expires_at"]

    def steps():
        yield (use := take(keys))
        yield take(keys, "t2")
        yield keys.note(use, RESULT)

    for _ in steps():
        now = elasticsearch.update(
            index=LEASES.alias, id="clock", scripted_upsert=True, upsert={}, source=True,
            script="ctx._source.now = ctx._now",
        )["get"]["_source"]["now"]  # fmt: skip
        elasticsearch.delete(index=LEASES.alias, id="clock")
        assert 0 <= now + 24 * 60 * 60 * 1000 - expiry() < 60_000
    last = expiry()
    take(keys)
    assert expiry() == last


def test_key_is_removed_with_its_last_holder(keys, stored) -> None:
    """Fails where the first to leave removes the key: the second might still make the target."""
    first, second = take(keys), take(keys, "t2")
    assert keys.withdraw(first) is None
    assert take(keys, "t3").target_id == "t1"
    assert keys.withdraw(second) is None
    assert len(stored()) == 1
    assert keys.withdraw(first) is None  # the third is still at work
    assert len(stored()) == 1


def test_key_is_removed_by_its_only_holder(keys, stored) -> None:
    assert keys.withdraw(take(keys)) is None
    assert stored() == []
    use = take(keys, "t2", "another")
    assert (use.target_id, use.resumed) == ("t2", False)


def test_key_with_too_many_holders_stays(keys, stored, monkeypatch) -> None:
    monkeypatch.setattr(idempotency_keys, "_MAX_HOLDERS", 3)
    uses = [take(keys) for _ in range(6)]
    assert len(stored()[0]["holders"]) == 4
    for use in uses:
        keys.withdraw(use)
    assert len(stored()[0]["holders"]) == 1


def test_result_is_noted_also_where_the_key_was_deleted(keys, elasticsearch) -> None:
    use = take(keys)
    elasticsearch.delete(index=LEASES.alias, id=use.document_id)
    assert keys.note(use, RESULT) == RESULT
    assert take(keys, "t2").result == RESULT


def test_key_that_was_deleted_and_taken_again_is_left_alone(keys, stored, elasticsearch) -> None:
    use = take(keys)
    elasticsearch.delete(index=LEASES.alias, id=use.document_id)
    take(keys, "t2", "another")
    before = stored()
    assert keys.note(use, RESULT) == RESULT
    assert keys.withdraw(use) is None
    assert stored() == before


def test_lost_responses_change_nothing(keys, stored, sent_twice) -> None:
    use = take(keys)
    assert (use.target_id, use.resumed) == ("t1", False)
    assert len(stored()[0]["holders"]) == 1
    assert keys.withdraw(use) is None
    assert stored() == []
    use = take(keys)
    assert keys.note(use, RESULT) == RESULT
    assert take(keys, "t2").result == RESULT


def test_withdrawal_is_no_error_where_there_is_no_index(keys, elasticsearch, store) -> None:
    use = take(keys)
    elasticsearch.indices.delete(index=LEASES.name)
    assert keys.withdraw(use) is None
    assert keys.note(use, RESULT) == RESULT
    store.indices.ensure()
