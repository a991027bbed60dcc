"""Threads that all make the same calls at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def rush(members: int, rounds: Sequence[T], act: Callable[[int, T], R]) -> list[list[R]]:
    """For each of `rounds`, call `act(member, round)` in all threads at once; returns results by round and member."""
    start = Barrier(members)

    def member(number: int) -> list[R]:
        results = []
        for each in rounds:
            start.wait(60)
            results.append(act(number, each))
        return results

    with ThreadPoolExecutor(members) as threads:
        return list(zip(*threads.map(member, range(members)), strict=True))  # type: ignore[arg-type]
