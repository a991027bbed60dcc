"""What pages show, asked of Elasticsearch once for everybody who has the same page open.

A page renews itself every few seconds. Such a renewal gets what another one got a moment ago; and each process asks only so often
on behalf of renewals, however many pages are open: beyond that, a page stays as it is until its next turn. Who opens a page, or
has just changed something, always gets what is stored now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")

_SHARED_SECONDS: Final = 5.0
_SECONDS_PER_RENEWAL: Final = 1.0
_PAGES: Final = 64


class NotNow(Exception):
    """A page that renews itself has to stay as it is for now."""


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What was found, and when."""

    value: T
    found_at: datetime


class SharedResults:
    """The results of one process. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: LRUCache[Hashable, tuple[float, Result[Any]]] = LRUCache(_PAGES)
        self._next_renewal = 0.0

    def get(self, key: Hashable, find: Callable[[], T], *, renewal: bool) -> Result[T]:
        """What `find` finds for this key; for a `renewal`, perhaps what it found a few seconds ago.

        Raises `NotNow` where the process has asked for enough renewals, and whatever `find` raises.
        """
        if renewal:
            with self._lock:
                now = self._clock()
                began, result = self._known.get(key, (0.0, None))
                if result is not None and now - began < _SHARED_SECONDS:
                    return result
                if now < self._next_renewal:
                    raise NotNow
                self._next_renewal = now + _SECONDS_PER_RENEWAL
        began = self._clock()
        found = Result(find(), datetime.now(UTC))
        with self._lock:
            self._known[key] = began, found
        return found
