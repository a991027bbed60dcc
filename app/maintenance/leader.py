"""Whether this process leads: a thread that takes the lease of the leader, renews it, and gives it back at the end."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any, Final

import structlog

from app.errors import ApiError
from app.metrics.definitions import LEADING
from app.store.leadership import LEASE_SECONDS, Leadership

log = structlog.get_logger(__name__)

RENEWAL_SECONDS: Final = 5.0
# By this process's clock, counted from before the renewal was sent: it must stop before another may start.
_USABLE_SECONDS: Final = 0.8 * LEASE_SECONDS


class Leader:
    """This process as a candidate. `report` is what it did last, for others to see."""

    def __init__(self, leadership: Leadership, stopping: Event) -> None:
        self.name = f"{socket.gethostname()}/{os.getpid()}"
        self.report: Mapping[str, Any] | None = None
        self._leadership = leadership
        self._stopping = stopping
        self._holder = secrets.token_urlsafe(15)
        self._epoch: int | None = None
        self._until = 0.0
        self._failing = False
        self._thread = Thread(target=self._run, name="leader", daemon=True)

    def start(self) -> None:
        """Begin to ask for the lease."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until the lease is given back, once the process is stopping."""
        if self._thread.is_alive():  # else it has never asked
            self._thread.join(seconds)

    def leads(self) -> bool:
        """Whether this process may act as the leader now: ask before each step."""
        return time.monotonic() < self._until and not self._stopping.is_set()

    def _run(self) -> None:
        while True:
            self._renew()
            if self._stopping.wait(RENEWAL_SECONDS):
                break
        if self._epoch is not None:
            self._leadership.step_down(self._holder)
            log.info("leader_stepped_down", leader=self.name, epoch=self._epoch)

    def _renew(self) -> None:
        sent_at = time.monotonic()
        try:
            term = self._leadership.take(self._holder, self.name, self.report)
        except ApiError as error:
            # Once, since it may go on for days. The lease is this process's until it expires.
            if not self._failing:
                self._failing = True
                log.warning("leadership_unknown", reason=error.cause.reason)
            if self._epoch is not None and time.monotonic() >= self._until:
                self._lose("the lease could not be renewed in time")
            return
        except Exception:
            log.exception("leader_failed")
            return
        self._failing = False
        if term is None:
            self._lose("another process leads")
            return
        self._until = sent_at + _USABLE_SECONDS
        if term.epoch != self._epoch:
            self._epoch = term.epoch
            self.report = None
            LEADING.set(1)
            log.info("leader_elected", leader=self.name, epoch=term.epoch, taken_from=term.taken_from)

    def _lose(self, reason: str) -> None:
        if self._epoch is not None:
            log.warning("leader_lost", leader=self.name, epoch=self._epoch, reason=reason)
        self._epoch, self._until = None, 0.0
        LEADING.set(0)
