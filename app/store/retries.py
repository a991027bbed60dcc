"""Sending a request again: when, how often, and how long at most."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from app.errors import ApiError, unavailable
from app.metrics.definitions import ELASTICSEARCH_RETRIES
from app.store.failures import Conflict, TransientFailure, translated

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Enough to pass over a connection that died idle, one node of several, or an index that was just created; an
# absent cluster is noticed within a second.
TRANSIENT_ATTEMPTS = 4
# Colliding updates of one document go on trying this long; each round lets one of them through.
CONFLICT_TIMEOUT_SECONDS = 10.0
# The longest pause before one more try; pauses are random so that colliding requests don't meet again.
MAX_BACKOFF_SECONDS = 0.25


def send(request: Callable[[bool], T], *, quiet: bool = False) -> T:
    """The result of `request(is_retry)`, sent again where that is safe and may help.

    `is_retry` is True where an earlier sending may have been carried out although its response was lost; the request must
    then take its own finished work for success. Raises `ApiError` 503 when nothing helped, and logs why unless `quiet`: for
    requests that are repeated for as long as it takes.
    """
    deadline = time.monotonic() + CONFLICT_TIMEOUT_SECONDS
    transient, conflicts, lost = 0, 0, False
    while True:
        try:
            with translated():
                return request(lost)
        except TransientFailure as failure:
            transient, lost, reason = transient + 1, True, "failure"
            gives_up = transient >= TRANSIENT_ATTEMPTS
            (log.warning if gives_up and not quiet else log.debug)(failure.event, **failure.facts)
            if gives_up:
                raise failure.error from None
        except Conflict:
            conflicts, reason = conflicts + 1, "conflict"
            if time.monotonic() >= deadline:
                raise collision_error() from None
        ELASTICSEARCH_RETRIES.labels(reason).inc()
        time.sleep(random.uniform(0, min(MAX_BACKOFF_SECONDS, 0.01 * 2 ** (2 * transient + conflicts))))  # noqa: S311


def collision_error() -> ApiError:
    """503: others kept writing the same document for `CONFLICT_TIMEOUT_SECONDS`."""
    return unavailable("Too many updates of the same document at once. The request can be sent again.")
