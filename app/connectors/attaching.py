"""Attaching an index to a connector so that no other connector, not deleted, has the same.

Elasticsearch decides atomically on one document, and this rule is about several. So a request looks before it writes, writes
the name together with a mark of its own, and looks again:

- Another holder without a mark was there first: this request undoes its work and is refused.
- Another holder with a mark is a rival. Of rivals the one with the smallest id stays; the others undo and are refused.
- The smallest waits until its rivals are gone, or until one of them turns out to hold the index: one that looked before this
  request wrote saw nobody and has taken its mark away. If `PATIENCE` ends first, this request undoes its work; it can be
  sent again.
- Nobody else: the mark is taken away, and the index is the connector's.
- A mark of twice `PATIENCE` is abandoned: its request died, or lost Elasticsearch. Whoever meets it undoes that request's
  work and looks again. The connector's own next request takes it over.

So the mark goes only after a look that showed nobody else, and only if it is still there. Of two requests, the one whose
write ended later sees the other's, since every look refreshes: never do both find themselves alone. And the last rival is
refused by nobody, so one stays. Undoing goes by the mark, so it never touches what somebody else has written since, and a
request that was only slow learns that it was undone. The index that the connector had before is attached anew, by the
same rule: while it was free, another connector may have taken it.

A connector that has the index without a mark keeps it, whoever else is trying: it is asked for nothing.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.errors import ApiError, status_error, unavailable
from app.store import Store
from app.store.documents import Outcome
from app.store.failures import IndexMissing
from app.store.painless import Script, load
from app.store.retries import too_contended
from app.store.search import Hit, Search

MARK = "index_name_attaching"
"""The key of the mark in the document. Nobody is shown it."""

PATIENCE = 10.0  # seconds
_LONGEST_PAUSE = 0.1  # seconds
_ENOUGH = 100

ATTACHED = load(__package__, "attached", uses=("flag",))
DETACH = load(__package__, "detach")


Write = Callable[[Mapping[str, Any]], Outcome]
"""Writes what a request wants, and beside it the fields that it is called with: the mark, or nothing."""


def _new_token() -> str:
    return secrets.token_urlsafe(15)


@dataclass(frozen=True, slots=True)
class Attachment:
    """What one request writes: `fields`, perhaps with an index among them. `fresh` is what a connector that it makes is."""

    connector_id: str
    fields: Mapping[str, Any]
    fresh: Mapping[str, Any] | None
    token: str = field(default_factory=_new_token)

    @property
    def index_name(self) -> str | None:
        """The index to attach, if any."""
        name: str | None = self.fields.get("index_name")
        return name

    @property
    def mark(self) -> dict[str, Any]:
        """The mark in a new document. Scripts set `at`, in milliseconds, by Elasticsearch's clock."""
        return {"token": self.token, "at": int(time.time() * 1000)}


def attach(store: Store, wish: Attachment, write: Write) -> Outcome:
    """`write`, with the looks before and after it where it attaches an index; its outcome.

    Raises `ApiError` 400 where another connector has the index, or got it meanwhile, and 503 where that stays undecided.
    """
    if wish.index_name is None:
        return write({})
    holders = _holders(store, wish, time.monotonic() + PATIENCE)
    if holders and wish.connector_id not in holders:
        raise _used(wish)
    try:
        outcome = _write_in_turn(write, {MARK: wish.mark})
        if outcome.verdict.get("outcome") in (None, "done", "created"):
            _settle(store, wish, time.monotonic() + PATIENCE)
    except ApiError:
        with suppress(ApiError, IndexMissing):
            _undo(store, wish, time.monotonic() + PATIENCE)
        raise
    return outcome


def abandoned_after() -> int:
    """The age of an abandoned mark, in milliseconds."""
    return int(2 * PATIENCE * 1000)


def _write_in_turn(write: Write, mark: Mapping[str, Any]) -> Outcome:
    """Requests that attach an index to the same connector go one after the other, or take an abandoned mark over."""
    deadline = time.monotonic() + 3 * PATIENCE
    while (outcome := write(mark)).verdict.get("outcome") == "attaching":
        if time.monotonic() >= deadline:
            raise too_contended()
        _pause()
    return outcome


def _settle(store: Store, wish: Attachment, deadline: float) -> None:
    """Take the mark away as soon as nobody else has the index. Nothing to do where the connector has it without one."""
    while True:
        holders = _holders(store, wish, deadline)
        own = holders.pop(wish.connector_id, None)
        if own is not None and _token(own) is None:
            return
        if own is None or _token(own) != wish.token:
            raise _used(wish) if holders else _undecided()
        if any(not _gives_way(other, wish) for other in holders.values()):
            raise _used(wish)
        if not holders and _finish(store, wish, ATTACHED) != "undone":
            return
        if time.monotonic() >= deadline:
            raise _undecided()
        _pause()


def _finish(store: Store, wish: Attachment, script: Script, **more: Any) -> str:
    """What the script says, or nothing where it did its work."""
    params = {"attaching": MARK, "token": wish.token, "fields": wish.fields, "fresh": wish.fresh, **more}
    with suppress(IndexMissing):
        outcome = store.connectors.transition(wish.connector_id, script, params)
        if outcome is not None:
            return str(outcome.verdict.get("outcome", ""))
    return "undone"


def _undo(store: Store, wish: Attachment, deadline: float, *, older_than: int = 0) -> bool:
    """Take back what the request wrote, if its mark has that age (in milliseconds); False if it has not.

    The index that the connector had before is attached anew, if it is still free.
    """
    earlier_token = _new_token()
    if _finish(store, wish, DETACH, older_than=older_than, earlier_token=earlier_token) == "young":
        return False
    connector: Mapping[str, Any] = {}
    with suppress(IndexMissing):
        connector = store.connectors.get(wish.connector_id) or {}
    mark = connector.get(MARK)
    if isinstance(mark, Mapping) and mark.get("token") == earlier_token:
        fields = {"index_name": connector.get("index_name")}
        earlier = Attachment(wish.connector_id, fields, fresh=None, token=earlier_token)
        try:
            _settle(store, earlier, deadline)
        except ApiError:
            _finish(store, earlier, DETACH, older_than=0, earlier_token=earlier_token)
    return True


def _holders(store: Store, wish: Attachment, deadline: float) -> dict[str, Hit]:
    """The connectors that have the index, deleted ones left out, after abandoned marks of others were undone."""
    search = Search(
        filters=[{"term": {"index_name": wish.index_name}}],
        must_not=[{"term": {"deleted": True}}],
        sort_field="index_name",
        size=_ENOUGH,
    )
    while True:
        holders = {hit.id: hit for hit in store.connectors.search(search).hits}
        left = [hit for hit in holders.values() if hit.id != wish.connector_id and _abandoned(hit)]
        if left and time.monotonic() >= deadline:
            raise _undecided()
        if not [other for other in left if _undo_for(store, wish, other, deadline)]:
            return holders


def _undo_for(store: Store, wish: Attachment, other: Hit, deadline: float) -> bool:
    """As `_undo`, for another connector's request, of which only its mark is known."""
    fields = {"index_name": wish.index_name}
    work = Attachment(other.id, fields, fresh=None, token=_token(other) or "")
    return _undo(store, work, deadline, older_than=abandoned_after())


def _token(hit: Hit) -> str | None:
    """Whose mark it bears; None for no mark, or nothing that could be one."""
    mark = hit.source.get(MARK)
    token = mark.get("token") if isinstance(mark, Mapping) else None
    return token if isinstance(token, str) else None


def _abandoned(hit: Hit) -> bool:
    if _token(hit) is None:
        return False
    at = hit.source[MARK].get("at")
    return not isinstance(at, int | float) or abs(time.time() * 1000 - at) >= abandoned_after()


def _gives_way(other: Hit, wish: Attachment) -> bool:
    return _token(other) is not None and other.id > wish.connector_id


def _used(wish: Attachment) -> ApiError:
    return status_error(400, f"Index name [{wish.index_name}] is used by another connector.")


def _undecided() -> ApiError:
    return unavailable("Other requests attach the same index at this moment. The request can be sent again.")


def _pause() -> None:
    time.sleep(random.uniform(0.01, _LONGEST_PAUSE))  # noqa: S311
