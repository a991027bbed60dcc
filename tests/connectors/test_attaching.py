"""What a request does that finds another holder of its index only after it wrote: interleavings that chance seldom brings."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.connectors import attaching, operations
from app.connectors.attaching import MARK
from app.errors import ApiError, unavailable
from tests.connectors.conftest import ID


@pytest.fixture
def looks(monkeypatch) -> list:
    """What the request is shown for its first looks, instead of what is there; first of all, nothing."""
    shown: list = [[]]
    look = attaching._others

    def others(store, wish):
        return shown.pop(0) if shown else look(store, wish)

    monkeypatch.setattr(attaching, "_others", others)
    return shown


def refused(act, *arguments) -> None:
    with pytest.raises(ApiError) as caught:
        act(*arguments)
    assert (caught.value.status, caught.value.cause.reason) == (
        400,
        "Index name [x] is used by another connector.",
    )


def mark(at: float = 0) -> dict:
    return {MARK: {"token": "another", "at": int((time.time() - at) * 1000)}}


def nobody_to_wait_for() -> None:
    raise AssertionError


@pytest.mark.parametrize(
    "rival",
    [("a", {}), ("z", {}), ("a", mark())],
    ids=["a holder", "a holder with a larger id", "a rival with a smaller id"],
)
class TestUndone:
    @pytest.fixture(autouse=True)
    def holder(self, store, write, rival, monkeypatch) -> None:
        connector_id, marked = rival
        write({"index_name": "x", **marked}, connector_id)
        monkeypatch.setattr(attaching, "_pause", nobody_to_wait_for)

    def test_a_new_connector_is_gone(self, store, looks, rival, elasticsearch) -> None:
        refused(operations.put, store, ID, {"index_name": "x", "name": "n"})
        assert not elasticsearch.exists(index=".elastic-connectors", id=ID)

    def test_all_that_a_put_changed_is_as_it_was(self, store, looks, rival, write, stored) -> None:
        before = {"name": "old", "description": None, "index_name": "y", "status": "created"}
        write(before)
        refused(
            operations.put, store, ID, {"index_name": "x", "name": "n", "description": "d", "language": "e"}
        )
        assert stored() == before

    def test_a_deleted_connector_is_deleted_again(self, store, looks, rival, write, stored) -> None:
        before = {"name": "old", "index_name": "x", "deleted": True, "configuration": {"a": {"value": 1}}}
        write(before)
        refused(operations.put, store, ID, {"index_name": "x"})
        assert stored() == before

    def test_no_index_is_no_index_again(self, store, looks, rival, write, stored) -> None:
        for before in ({"name": "n"}, {"name": "n", "index_name": None}):
            looks[:] = [[]]
            write(before)
            refused(operations.set_index_name, store, ID, "x")
            assert stored() == before

    def test_what_somebody_changed_since_stays(self, store, looks, rival, write, stored, monkeypatch) -> None:
        write({"name": "old", "index_name": "y"})

        settle = attaching._settle

        def meanwhile(store, wish):
            if wish.index_name != "x":
                return settle(store, wish)
            write(stored() | {"name": "theirs", "error": "theirs"})
            raise attaching._used(wish)

        monkeypatch.setattr(attaching, "_settle", meanwhile)
        refused(operations.put, store, ID, {"index_name": "x", "name": "n"})
        assert stored() == {"name": "theirs", "error": "theirs", "index_name": "y"}

    def test_a_new_connector_that_somebody_changed_only_loses_the_index(
        self, store, looks, rival, write, stored, monkeypatch
    ) -> None:
        def meanwhile(store, wish):
            write(stored() | {"error": "theirs"})
            raise attaching._used(wish)

        monkeypatch.setattr(attaching, "_settle", meanwhile)
        refused(operations.put, store, ID, {"index_name": "x", "name": "n"})
        assert stored()["error"] == "theirs"
        assert stored()["name"] == "n"
        assert "index_name" not in stored()
        assert MARK not in stored()

    def test_somebody_elses_index_stays(self, store, looks, rival, write, stored, monkeypatch) -> None:
        write({"index_name": "y"})

        def meanwhile(store, wish):
            write({"index_name": "z"})
            raise attaching._used(wish)

        monkeypatch.setattr(attaching, "_settle", meanwhile)
        refused(operations.set_index_name, store, ID, "x")
        assert stored() == {"index_name": "z"}


def test_an_earlier_index_that_another_took_is_not_taken_back(store, looks, write, stored) -> None:
    write({"index_name": "x"}, "a-holder")
    write({"index_name": "y"})
    write({"index_name": "y"}, "z-taker")
    refused(operations.set_index_name, store, ID, "x")
    assert stored() == {}
    assert stored("z-taker") == {"index_name": "y"}


def test_the_smallest_waits_for_its_rivals(store, looks, write, stored, elasticsearch) -> None:
    write({"index_name": "x", **mark()}, "z-rival")
    write({})
    with ThreadPoolExecutor(1) as threads:
        attached = threads.submit(operations.set_index_name, store, ID, "x")
        time.sleep(0.5)
        assert not attached.done()
        assert MARK in stored()
        elasticsearch.delete(index=".elastic-connectors", id="z-rival")
        assert attached.result(10) == "updated"
    assert stored() == {"index_name": "x"}


def test_a_rival_that_turns_out_to_hold_the_index_wins(store, looks, write, stored) -> None:
    write({"index_name": "x", **mark()}, "z-rival")
    write({})
    with ThreadPoolExecutor(1) as threads:
        attached = threads.submit(operations.set_index_name, store, ID, "x")
        time.sleep(0.3)
        write({"index_name": "x"}, "z-rival")
        with pytest.raises(ApiError):
            attached.result(10)
    assert stored() == {}


def test_a_rival_that_never_decides_wins(store, looks, write, stored, monkeypatch) -> None:
    monkeypatch.setattr(attaching, "PATIENCE", 0.5)
    write({"index_name": "x", **mark()}, "z-rival")
    write({})
    refused(operations.set_index_name, store, ID, "x")
    assert stored() == {}


def test_a_mark_that_was_left_behind_is_taken_over(store, write, stored) -> None:
    """The process that attached the index died; its connector holds the index all the same."""
    write({"index_name": "x", **mark(at=60)})
    refused(operations.put, store, "other", {"index_name": "x"})
    assert operations.set_index_name(store, ID, "x") == "updated"
    assert stored() == {"index_name": "x"}
    write({"index_name": "x", **mark(at=60)})
    assert operations.set_index_name(store, ID, None) == "updated"
    assert stored() == {"index_name": None}


def test_a_mark_is_shown_to_nobody(store, write) -> None:
    write({"index_name": "x", **mark()})
    assert operations.get(store, ID) == {"id": ID, "index_name": "x"}
    assert operations.list_(store).results == [{"id": ID, "index_name": "x"}]


def test_a_request_that_fails_half_way_leaves_nothing(store, write, stored, monkeypatch) -> None:
    write({"index_name": "y"})

    def settle(store, wish):
        if wish.index_name == "x":
            raise unavailable("no answer")

    monkeypatch.setattr(attaching, "_settle", settle)
    with pytest.raises(ApiError) as caught:
        operations.set_index_name(store, ID, "x")
    assert caught.value.status == 503
    assert stored()["index_name"] == "y"
