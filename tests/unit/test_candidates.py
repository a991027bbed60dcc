"""Looks that callers share, and how what a look found is dealt out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from app.errors import ApiError, unavailable
from app.protocol import SyncKind
from app.store.bulk import Version
from app.sync_jobs.candidates import Candidate, Candidates, SharedLook
from app.sync_jobs.queries import ClaimFilter

Look = Callable[[frozenset[str]], tuple[int, frozenset[str]]]


class Looking:
    """A look that takes until it is told to end, and returns its number and its keys."""

    def __init__(self) -> None:
        self.begun: list[frozenset[str]] = []
        self.ended: list[float] = []
        self.end = Event()
        self.error: ApiError | None = None

    def __call__(self, keys: frozenset[str]) -> tuple[int, frozenset[str]]:
        self.begun.append(keys)
        number = len(self.begun)
        assert self.end.wait(60)
        self.ended.append(time.monotonic())
        if self.error is not None:
            raise self.error
        return number, keys


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def ask(
    threads: ThreadPoolExecutor, shared: SharedLook[str, tuple[int, frozenset[str]]], *keys: str
) -> Future[tuple[int, frozenset[str]]]:
    """Returns once the caller is known to wait for a look."""
    entered = Event()

    def get() -> tuple[int, frozenset[str]]:
        entered.set()
        return shared.get(*keys)

    found = threads.submit(get)
    assert entered.wait(60)
    time.sleep(0.05)
    return found


def test_everybody_gets_a_look_that_began_after_they_asked() -> None:
    """All who ask during a look share the next one."""
    looking = Looking()
    shared = SharedLook(looking)
    with ThreadPoolExecutor(9) as threads:
        first = ask(threads, shared, "a")
        until(lambda: len(looking.begun) == 1)
        others = [ask(threads, shared, "b", f"c{number}") for number in range(8)]
        assert len(looking.begun) == 1
        looking.end.set()
        assert first.result(60) == (1, {"a"})
        assert {each.result(60) for each in others} == {(2, frozenset({"b", *(f"c{n}" for n in range(8))}))}
    assert shared.get("d") == (3, {"d"})
    assert len(looking.begun) == 3


def test_error_of_a_look_reaches_all_who_share_it_and_nobody_else() -> None:
    looking = Looking()
    shared = SharedLook(looking)
    with ThreadPoolExecutor(4) as threads:
        first = ask(threads, shared, "a")
        until(lambda: len(looking.begun) == 1)
        others = [ask(threads, shared, "b") for _ in range(3)]
        looking.error = unavailable("away")
        looking.end.set()
        for each in (first, *others):
            with pytest.raises(ApiError, match="away"):
                each.result(60)
    looking.error = None
    assert shared.get("c") == (3, {"c"})


def test_looks_of_those_who_wait_are_apart() -> None:
    looking = Looking()
    looking.end.set()
    shared = SharedLook(looking, pause=0.2)
    for _ in range(3):
        shared.get("a")
    for before, after in zip(looking.ended, looking.ended[1:], strict=False):
        assert after - before >= 0.2


def test_stop_ends_the_pause() -> None:
    """It would last longer than the test may."""
    looking, stopping = Looking(), Event()
    looking.end.set()
    shared = SharedLook(looking, pause=3600, stopping=stopping)
    shared.get("a")
    with ThreadPoolExecutor(1) as threads:
        second = ask(threads, shared, "b")
        assert len(looking.begun) == 1
        stopping.set()
        assert second.result(60) == (2, {"b"})


ANY, FULL = ClaimFilter(), ClaimFilter(job_types=("full",))


def job(
    sync_job_id: str, connector_id: str, created_at: float, kind: SyncKind = SyncKind.CONTENT
) -> Candidate:
    return Candidate(sync_job_id, "full", connector_id, kind, Version(1, 1), {}, created_at)


def deal(candidates: Candidates, wanted: ClaimFilter, count: int) -> list[str]:
    return [each.sync_job_id for each in candidates.deal(wanted, count)]


def test_oldest_are_dealt_first_and_none_twice() -> None:
    jobs = [job("j3", "c3", 3), job("j1", "c1", 1), job("none", "c4", float("inf")), job("j2", "c2", 2)]
    found = Candidates({ANY: jobs})
    assert found.has(ANY)
    assert [deal(found, ANY, count) for count in (0, 1, 2, 5, 5)] == [[], ["j1"], ["j2", "j3"], ["none"], []]
    assert not found.has(ANY)


def test_connector_is_dealt_once_for_each_kind_whatever_callers_want() -> None:
    other = SyncKind.ACCESS_CONTROL
    found = Candidates(
        {
            ANY: [job("j1", "c1", 1), job("a1", "c1", 4, other), job("j2", "c2", 5)],
            FULL: [job("f1", "c1", 2), job("f2", "c2", 3)],
        }
    )
    assert deal(found, ANY, 1) == ["j1"]
    assert deal(found, FULL, 5) == ["f2"]
    assert deal(found, ANY, 5) == ["a1"]


def test_job_of_several_connectors_is_dealt_once() -> None:
    found = Candidates({ANY: [job("j1", "c1", 1), job("j1", "c2", 1), job("j2", "c3", 2)]})
    assert deal(found, ANY, 5) == ["j1", "j2"]


def test_filter_that_nobody_looked_for_has_nothing() -> None:
    found = Candidates({ANY: [job("j1", "c1", 1)]})
    assert (found.has(FULL), deal(found, FULL, 5)) == (False, [])


def test_callers_at_once_get_different_jobs() -> None:
    found = Candidates({ANY: [job(f"j{number}", f"c{number}", number) for number in range(1000)]})
    with ThreadPoolExecutor(8) as threads:
        dealt = [each for some in threads.map(lambda _: deal(found, ANY, 7), range(200)) for each in some]
    assert sorted(dealt) == sorted(f"j{number}" for number in range(1000))
