"""What a request does that finds another holder of its index only after it wrote: interleavings that chance seldom brings."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.connectors import attaching, operations
from app.connectors.attaching import MARK, Attachment
from app.errors import ApiError, unavailable
from tests.documents import ID


@pytest.fixture
def looks(monkeypatch) -> list:
    """What the request is shown for its first looks, instead of what is there; first of all, nothing."""
    shown: list = [{}]
    look = attaching._holders

    def holders(store, wish, deadline):
        return shown.pop(0) if shown else look(store, wish, deadline)

    monkeypatch.setattr(attaching, "_holders", holders)
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
    [("a", False), ("z", False), ("a", True)],
    ids=["a holder", "a holder with a larger id", "a rival with a smaller id"],
)
class TestUndone:
    @pytest.fixture(autouse=True)
    def holder(self, store, write, rival, monkeypatch) -> None:
        connector_id, marked = rival
        write({"index_name": "x", **(mark() if marked else {})}, connector_id)
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
            looks[:] = [{}]
            write(before)
            refused(operations.set_index_name, store, ID, "x")
            assert stored() == before

    def test_what_somebody_changed_since_stays(self, store, looks, rival, write, stored, monkeypatch) -> None:
        write({"name": "old", "index_name": "y"})

        settle = attaching._settle

        def meanwhile(store, wish, deadline):
            if wish.index_name != "x":
                return settle(store, wish, deadline)
            write(stored() | {"name": "theirs", "error": "theirs"})
            raise attaching._used(wish)

        monkeypatch.setattr(attaching, "_settle", meanwhile)
        refused(operations.put, store, ID, {"index_name": "x", "name": "n"})
        assert stored() == {"name": "theirs", "error": "theirs", "index_name": "y"}

    def test_a_new_connector_that_somebody_changed_only_loses_the_index(
        self, store, looks, rival, write, stored, monkeypatch
    ) -> None:
        def meanwhile(store, wish, deadline):
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

        def meanwhile(store, wish, deadline):
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


def undecided(act, *arguments) -> None:
    with pytest.raises(ApiError) as caught:
        act(*arguments)
    assert caught.value.status == 503


def test_a_rival_that_does_not_decide_is_waited_for_and_then_undone(
    store, looks, write, stored, monkeypatch
) -> None:
    monkeypatch.setattr(attaching, "PATIENCE", 0.5)
    write({"index_name": "x", "name": "kept", **mark()}, "z-rival")
    write({})
    undecided(operations.set_index_name, store, ID, "x")
    assert stored() == {}
    time.sleep(1.5)  # Elasticsearch's clock may be some tenths of a second behind
    assert operations.set_index_name(store, ID, "x") == "updated"
    assert stored() == {"index_name": "x"}
    assert stored("z-rival") == {"name": "kept"}


@pytest.mark.parametrize("rival", ["a-rival", "z-rival"])
@pytest.mark.parametrize("looked", [True, False], ids=["first look", "second look"])
def test_what_an_abandoned_request_did_is_undone(
    store, request, write, stored, rival, looked, elasticsearch
) -> None:
    """The process that attached the index died, or it could not reach Elasticsearch any more."""
    if not looked:
        request.getfixturevalue("looks")
    before = {"before": {"index_name": "earlier", "name": "old"}}
    write({"index_name": "x", "name": "new", MARK: mark(at=60)[MARK] | before}, rival)
    assert operations.put(store, ID, {"index_name": "x"}) == "created"
    assert stored(rival) == {"index_name": "earlier", "name": "new"}
    assert stored()["index_name"] == "x"
    assert MARK not in stored()


def test_an_abandoned_request_does_not_get_an_index_back_that_another_has(store, write, stored) -> None:
    write({"index_name": "x", MARK: mark(at=60)[MARK] | {"before": {"index_name": "y"}}}, "rival")
    write({"index_name": "y"}, "holder")
    assert operations.put(store, ID, {"index_name": "x"}) == "created"
    assert stored("rival") == {}
    assert stored("holder") == {"index_name": "y"}


def test_requests_that_were_abandoned_in_a_circle(store, write, stored) -> None:
    """Each had attached what the other had before; both get theirs back."""
    write({"index_name": "x", MARK: mark(at=60)[MARK] | {"before": {"index_name": "y"}}}, "one")
    write({"index_name": "y", MARK: mark(at=60)[MARK] | {"before": {"index_name": "x"}}}, "two")
    refused(operations.put, store, ID, {"index_name": "x"})
    assert (stored("one"), stored("two")) == ({"index_name": "y"}, {"index_name": "x"})


@pytest.mark.parametrize("at", [None, "now", {}, 0, 10**15])
def test_a_mark_that_tells_no_time_is_abandoned(store, write, stored, at) -> None:
    write({"index_name": "x", MARK: {"token": "another", "at": at}}, "rival")
    assert operations.put(store, ID, {"index_name": "x"}) == "created"
    assert stored("rival") == {}


@pytest.mark.parametrize("odd", [5, [], {}, {"token": 1, "at": 0}])
def test_what_is_no_mark_does_not_take_an_index_away(store, write, stored, odd) -> None:
    write({"index_name": "x", MARK: odd}, "holder")
    refused(operations.put, store, ID, {"index_name": "x"})
    assert stored("holder") == {"index_name": "x", MARK: odd}


def test_elasticsearchs_clock_decides_what_is_abandoned(store, write, stored, monkeypatch) -> None:
    """A service whose clock is wrong undoes nobody's work."""
    write({"index_name": "x", **mark()}, "rival")
    monkeypatch.setattr(attaching, "_abandoned", lambda hit: True)
    refused(operations.put, store, ID, {"index_name": "x"})
    assert MARK in stored("rival")


def test_marks_carry_elasticsearchs_time(store, write, stored, monkeypatch) -> None:
    marks = []
    monkeypatch.setattr(attaching, "_settle", lambda *_: marks.append(stored()[MARK]))
    monkeypatch.setattr(Attachment, "mark", property(lambda wish: {"token": wish.token, "at": 0}))
    for document in ({}, {"deleted": True}):
        write(document)
        operations.put(store, ID, {"index_name": "x"})
    assert [abs(each["at"] / 1000 - time.time()) < 30 for each in marks] == [True, True]


@pytest.mark.parametrize("before", [None, {"name": "n"}, {"index_name": "y"}], ids=str)
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "free"])
def test_a_request_that_was_undone_as_abandoned_never_says_that_it_succeeded(
    store, looks, write, stored, monkeypatch, before, taken
) -> None:
    """It was only slow: between its last look and its last write somebody else lost patience."""
    if before is not None:
        write(before)
    finish, undone = attaching._finish, []

    def slow(store, wish, script, **more):
        if script is attaching.ATTACHED and not undone:
            undone.append(wish)
            fields = {"index_name": wish.index_name}
            attaching._undo(store, replace(wish, fields=fields, fresh=None), time.monotonic() + 1)
            if taken:
                write({"index_name": "x"}, "taker")
        return finish(store, wish, script, **more)

    monkeypatch.setattr(attaching, "_finish", slow)
    (refused if taken else undecided)(operations.put, store, ID, {"index_name": "x"})
    assert undone
    assert stored().get("index_name") == (before or {}).get("index_name")
    assert MARK not in stored()


def test_a_connector_takes_its_own_abandoned_mark_over(store, write, stored) -> None:
    left = mark(at=60)[MARK] | {"before": {"index_name": "y"}}
    write({"index_name": "x", MARK: left})
    assert operations.set_index_name(store, ID, "x") == "updated"
    assert stored() == {"index_name": "x"}
    write({"index_name": "x", MARK: left})
    assert operations.set_index_name(store, ID, None) == "updated"
    assert stored() == {"index_name": None}


def test_who_has_the_index_may_say_so_while_others_try(store, write, stored, monkeypatch) -> None:
    """Their marks are those of requests that will be refused."""
    monkeypatch.setattr(attaching, "_pause", nobody_to_wait_for)
    write({"index_name": "x"})
    write({"index_name": "x", **mark()}, "a-loser")
    write({"index_name": "x", **mark()}, "z-loser")
    assert operations.set_index_name(store, ID, "x") == "noop"
    assert operations.put(store, ID, {"index_name": "x"}) == "updated"
    assert operations.put(store, ID, {"index_name": "x", "name": "n"}) == "updated"
    assert stored() == {"index_name": "x", "name": "n"}


def test_a_mark_is_shown_to_nobody(store, write) -> None:
    write({"index_name": "x", **mark()})
    assert operations.get(store, ID) == {"id": ID, "index_name": "x"}
    assert operations.list_(store).results == [{"id": ID, "index_name": "x"}]


def test_a_request_that_fails_half_way_leaves_nothing(store, write, stored, monkeypatch) -> None:
    write({"index_name": "y"})

    def settle(store, wish, deadline):
        if wish.index_name == "x":
            raise unavailable("no answer")

    monkeypatch.setattr(attaching, "_settle", settle)
    with pytest.raises(ApiError) as caught:
        operations.set_index_name(store, ID, "x")
    assert caught.value.status == 503
    assert stored()["index_name"] == "y"
