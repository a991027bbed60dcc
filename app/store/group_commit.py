"""Updates of many threads, sent together: while one request is on its way to Elasticsearch, others are gathered.

A caller that finds no request under way leads: it sends its update at once, as a request of its own. Updates that arrive until
the response is there are queued. Then the leader hands the lead to the caller that has waited longest; that one sends all that is
queued in one `_bulk`, hands every caller its item of the response, and the lead to the next. So there is neither a thread
beside the callers' nor a timer, a lone update waits for nobody, and the slower Elasticsearch, the more go together.

The leader sends once. Each caller writes its item and reads the response to it in its own thread, where `app.store.retries`
decides about another try; so an item that fails or collides holds up no other. One that could, since it is large or of an id
that no document can have, goes alone at once. A request that is refused as a whole, since Elasticsearch cannot read one of its
items for instance, has changed nothing: each caller sends its own alone. After a lost response any of them may have been
carried out, as after a single update's.

A caller whose time is up while its update is queued takes it back: it was not sent. Once it is sent, it waits for its leader, whose
request has a timeout. Whatever happens to the leader, all of its batch get a result, and another gets the lead.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import structlog

from app import logs
from app.errors import ApiError, Cause, unavailable
from app.metrics.definitions import GROUP_COMMIT_UPDATES, GROUP_COMMIT_WAITING_SECONDS
from app.store.bulk import Change, can_exist, encode, read
from app.store.failures import DocumentMissing, IndexMissing, TransientFailure
from app.store.scripts import Outcome

log = structlog.get_logger(__name__)

# Of a process; more than there usually are threads.
_MAX_QUEUED = 1_000
# Small beside Elasticsearch's limit of bytes, so that a batch takes it little time and memory.
_MAX_BATCH_BYTES = 4 * 1024 * 1024
_MAX_ITEM_BYTES = 256 * 1024


@dataclass(slots=True, eq=False)
class _Item:
    """An update, and what its leader makes of it."""

    change: Change
    action: bytes
    body: bytes
    request_id: str | None = field(default_factory=logs.request_id.get)
    arrived: float = field(default_factory=time.monotonic)
    woken: Event = field(default_factory=Event)
    leads: bool = False
    # Of its own request, or its item of a response, or the error of all; None where the leader's thread failed.
    result: Outcome | Mapping[str, Any] | Exception | None = None
    # The request was refused as a whole, so that nothing of it was carried out.
    refused: bool = False


class GroupCommit:
    """The updates of one index, from all threads of a process.

    `alone(change, body)` sends one, `together(lines)` many; `app.store.bulk.encode` makes both. An update is sent within
    `timeout` seconds, or not at all.
    """

    def __init__(
        self,
        alone: Callable[[Change, bytes], Outcome],
        together: Callable[[Sequence[bytes]], Sequence[Mapping[str, Any]]],
        timeout: float,
    ) -> None:
        self._alone = alone
        self._together = together
        self._timeout = timeout
        self._lock = Lock()
        self._led = False  # while nobody leads, nobody is queued
        self._queue: deque[_Item] = deque()

    def update(self, change: Change, is_retry: bool) -> Outcome:
        """Send the change once, alone or with others; its outcome. Raises what an update of its own would.

        Also `ApiError`: 429 where too many are queued, 503 where it could not be sent in time.
        """
        action, body = encode(change, is_retry)
        if len(body) > _MAX_ITEM_BYTES or not can_exist(change.document_id):
            return self._alone(change, body)
        item = _Item(change, action, body)
        self._enter(item)
        if not item.leads:
            self._wait(item)
        if item.leads:
            self._lead(item)
        if item.refused:
            return self._alone(change, body)
        if item.result is None:
            raise TransientFailure(
                unavailable("The update may have been lost. The request can be sent again.")
            )
        if isinstance(item.result, Exception):
            raise item.result
        return item.result if isinstance(item.result, Outcome) else read(change, item.result)

    def _enter(self, item: _Item) -> None:
        with self._lock:
            if not self._led:
                self._led = item.leads = True
            elif len(self._queue) < _MAX_QUEUED:
                self._queue.append(item)
            else:
                reason = f"rejected execution: [{_MAX_QUEUED}] updates wait for Elasticsearch already"
                raise ApiError(429, Cause("es_rejected_execution_exception", reason))

    def _wait(self, item: _Item) -> None:
        """Until the item has a result, or the lead."""
        if item.woken.wait(self._timeout):
            return
        with self._lock:
            withdrawn = item in self._queue
            if withdrawn:
                self._queue.remove(item)
        if withdrawn:
            log.warning("update_not_sent", waited_seconds=self._timeout)
            raise unavailable(
                "Elasticsearch did not answer earlier updates in time, so this one was not sent. It can be sent again."
            )
        item.woken.wait()

    def _lead(self, leader: _Item) -> None:
        batch, batch_id, began = [leader], secrets.token_hex(8), time.monotonic()
        try:
            self._fill(batch)
            if len(batch) > 1:
                self._send(batch, batch_id)
            else:
                leader.result = self._alone(leader.change, leader.body)
        finally:
            self._hand_on()
            for each in batch[1:]:
                each.woken.set()
            GROUP_COMMIT_UPDATES.observe(len(batch))
            for each in batch:
                GROUP_COMMIT_WAITING_SECONDS.observe(began - each.arrived)
            if len(batch) > 1:
                milliseconds = round((time.monotonic() - began) * 1000, 1)
                requests = [each.request_id for each in batch]
                log.info("group_commit", batch=batch_id, requests=requests, milliseconds=milliseconds)

    def _fill(self, batch: list[_Item]) -> None:
        """Add the next of the queue, as many as go into one request."""
        size = len(batch[0].body)
        with self._lock:
            while self._queue and (size := size + len(self._queue[0].body)) <= _MAX_BATCH_BYTES:
                batch.append(self._queue.popleft())

    def _send(self, batch: Sequence[_Item], batch_id: str) -> None:
        own_id = logs.request_id.set(batch_id)
        try:
            items = self._together([line for each in batch for line in (each.action, each.body)])
        except (ApiError, DocumentMissing, IndexMissing, TransientFailure) as error:
            busy_or_away = isinstance(error, ApiError) and error.status in (429, 503)
            for each in batch:
                each.result = error
                each.refused = not (busy_or_away or isinstance(error, TransientFailure))
        else:
            for each, item in zip(batch, items, strict=True):
                each.result = item
        finally:
            logs.request_id.reset(own_id)

    def _hand_on(self) -> None:
        with self._lock:
            following = self._queue.popleft() if self._queue else None
            self._led = following is not None
        if following:
            following.leads = True
            following.woken.set()
