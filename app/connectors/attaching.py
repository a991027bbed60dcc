"""Attaching an index to a connector so that no other connector, not deleted, has the same.

Elasticsearch decides atomically on one document, and this rule is about several. So a request looks before it writes, writes
the name together with a mark of its own, and looks again:

- Another holder without a mark was there first: this request undoes its work and is refused.
- Another holder with a mark is a rival. Of rivals the one with the smallest id stays; the others undo and are refused.
- The smallest waits until its rivals are gone, or until one of them turns out to hold the index: one that looked before this
  request wrote saw nobody and has taken its mark away. A rival that stays undecided for `PATIENCE` counts as a holder: its
  process may have died, and left its connector attached.
- Nobody else: the mark is taken away, and the index is the connector's.

So the mark goes only after a look that showed nobody else. Of two requests, the one whose write ended later sees the
other's, since every look refreshes: never do both find themselves alone. And the last rival is refused by nobody, so one
stays. Undoing goes by the mark, so it never touches what somebody else has written since. The index that the connector had
before is attached anew, by the same rule: while it was free, another connector may have taken it.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import ApiError, status_error, unavailable
from app.store import Store
from app.store.documents import Outcome
from app.store.failures import IndexMissing
from app.store.painless import Script, load
from app.store.search import Hit, Search

MARK = "index_name_attaching"
"""The key of the mark in the document. Nobody is shown it."""

PATIENCE = 10.0  # seconds
_LONGEST_PAUSE = 0.1  # seconds
_ENOUGH = 100

ATTACHED = load(__package__, "attached")
DETACH = load(__package__, "detach")


Write = Callable[[Mapping[str, Any]], Outcome]
"""Writes what a request wants, and beside it the fields that it is called with: the mark, or nothing."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What one request writes: `fields`, perhaps with an index among them. `fresh` is what a connector that it makes is."""

    connector_id: str
    fields: Mapping[str, Any]
    fresh: Mapping[str, Any] | None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(15))
    at: int = field(default_factory=lambda: int(time.time() * 1000))

    @property
    def index_name(self) -> str | None:
        """The index to attach, if any."""
        name: str | None = self.fields.get("index_name")
        return name


def attach(store: Store, wish: Attachment, write: Write) -> Outcome:
    """`write`, with the looks before and after it where it attaches an index; its outcome.

    Raises `ApiError` 400 where another connector has the index, or got it meanwhile.
    """
    if wish.index_name is None:
        return write({})
    if _others(store, wish):
        raise _used(wish)
    try:
        outcome = _write_in_turn(write, {MARK: {"token": wish.token, "at": wish.at}})
        if outcome.result != "noop" or outcome.verdict.get("outcome") == "done":
            _settle(store, wish)
    except ApiError:
        with suppress(ApiError, IndexMissing):
            _undo(store, wish)
        raise
    return outcome


def _write_in_turn(write: Write, mark: Mapping[str, Any]) -> Outcome:
    """Requests that attach an index to the same connector go one after the other."""
    deadline = time.monotonic() + 2 * PATIENCE
    while (outcome := write(mark)).verdict.get("outcome") == "attaching":
        if time.monotonic() >= deadline:
            raise unavailable("Too many updates of the same document at once. The request can be sent again.")
        _pause()
    return outcome


def _settle(store: Store, wish: Attachment) -> None:
    deadline = time.monotonic() + PATIENCE
    while others := _others(store, wish):
        if any(not _gives_way(other, wish) for other in others) or time.monotonic() >= deadline:
            raise _used(wish)
        _pause()
    _finish(store, wish, ATTACHED)


def _finish(store: Store, wish: Attachment, script: Script) -> None:
    params = {"attaching": MARK, "token": wish.token, "fields": wish.fields, "fresh": wish.fresh}
    with suppress(IndexMissing):
        store.connectors.transition(wish.connector_id, script, params)


def _undo(store: Store, wish: Attachment) -> None:
    """Take back what the request wrote. The index that the connector had before is attached anew, if it is still free."""
    _finish(store, wish, DETACH)
    connector = store.connectors.get(wish.connector_id) or {}
    mark = connector.get(MARK)
    if isinstance(mark, Mapping) and mark.get("token") == wish.token:
        earlier = replace(wish, fields={"index_name": connector.get("index_name")}, fresh=None)
        try:
            _settle(store, earlier)
        except ApiError:
            _finish(store, earlier, DETACH)


def _gives_way(other: Hit, wish: Attachment) -> bool:
    return isinstance(other.source.get(MARK), Mapping) and other.id > wish.connector_id


def _others(store: Store, wish: Attachment) -> list[Hit]:
    """The connectors that have the index, this one and deleted ones left out."""
    page = store.connectors.search(
        Search(
            filters=[{"term": {"index_name": wish.index_name}}],
            must_not=[{"term": {"deleted": True}}, {"ids": {"values": [wish.connector_id]}}],
            sort_field="index_name",
            size=_ENOUGH,
        )
    )
    return page.hits


def _used(wish: Attachment) -> ApiError:
    return status_error(400, f"Index name [{wish.index_name}] is used by another connector.")


def _pause() -> None:
    time.sleep(random.uniform(0.01, _LONGEST_PAUSE))  # noqa: S311
