"""The documents of one index: created, read and deleted one at a time, changed by scripts, searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from elasticsearch import Elasticsearch

from app.errors import ApiError, unavailable
from app.store import bulk, deletion
from app.store.bulk import RETRY_ON_CONFLICT, Change, Version, can_exist, encode
from app.store.failures import (
    UNREACHABLE,
    Conflict,
    DocumentExists,
    DocumentMissing,
    IndexMissing,
    IndexUnusable,
    translated,
)
from app.store.group_commit import GroupCommit
from app.store.index_definitions import IndexDefinition
from app.store.indices import Indices
from app.store.paging import find
from app.store.retries import send
from app.store.scripts import Outcome, Script
from app.store.search import Page, Search

T = TypeVar("T")


class Documents:
    """The documents behind one alias.

    With `refresh_writes` every write is visible to searches when it returns; without, searches refresh before they look. `quiet`: failures
    are not logged here, since the same is asked again and again. With `gather_seconds`, updates of several threads go together
    (`app.store.group_commit`), and one waits so long at most until it is sent.
    All methods raise `ApiError` where Elasticsearch cannot carry them out, and `IndexMissing` as they say.
    """

    def __init__(
        self,
        client: Elasticsearch,
        indices: Indices,
        definition: IndexDefinition,
        *,
        refresh_writes: bool,
        quiet: bool = False,
        gather_seconds: float | None = None,
    ) -> None:
        self._client = client
        self._indices = indices
        self._definition = definition
        self._alias = definition.alias
        self._refresh_writes = refresh_writes
        self._quiet = quiet
        self._group = GroupCommit(self._update, self._update_many, gather_seconds) if gather_seconds else None

    def create(self, document_id: str, document: Mapping[str, Any]) -> None:
        """Store a new document under an id from `new_id`. Makes the index where it is missing."""

        def request(_is_retry: bool) -> None:
            try:
                with translated():
                    self._client.create(
                        index=self._alias,
                        id=document_id,
                        document=document,
                        refresh=self._refresh_writes,
                        require_alias=True,
                    )
            except DocumentExists:
                # Nobody else knows the id: an earlier sending of this request was carried out, its response lost.
                return

        self._with_index(lambda: self._send(request))

    def get(self, document_id: str) -> dict[str, Any] | None:
        """The document as it is now (not as searches see it), or None. `IndexMissing` where there is no index."""

        def request(_is_retry: bool) -> dict[str, Any]:
            return dict(self._client.get(index=self._alias, id=document_id)["_source"])

        if not can_exist(document_id):
            return None  # Elasticsearch would look for it, or find the line of the request too long
        try:
            return self._send(request)
        except DocumentMissing:
            return None

    def delete(self, document_id: str) -> bool:
        """Remove the document; False where there was none. `IndexMissing` where there is no index."""

        def request(is_retry: bool) -> bool:
            try:
                with translated():
                    self._client.delete(index=self._alias, id=document_id, refresh=self._refresh_writes)
            except DocumentMissing:
                return is_retry
            return True

        return self._send(request)

    def delete_all(self, filters: Sequence[Mapping[str, Any]]) -> None:
        """Remove every document that meets all `filters`, of those whose writes were answered before this call.

        A document that somebody changes meanwhile is met again, until none is left. Nothing to do where there is no index.
        """
        with suppress(IndexMissing):
            deletion.delete_all(self._client, self._alias, filters, self._send, refresh=self._refresh_writes)

    def delete_unchanged(self, versions: Mapping[str, Version]) -> int:
        """Remove these documents, those that somebody has written since excepted; how many were removed."""
        return bulk.delete(self._client, self._alias, versions, self._send, refresh=self._refresh_writes)

    def transition(
        self, document_id: str, script: Script, params: Mapping[str, Any], returns: Sequence[str] = ()
    ) -> Outcome | None:
        """Let `script` decide on the document and change it, in one atomic step; None where there is no document.

        The script's `params.is_retry` tells it whether an earlier sending may have been carried out. The fields `returns` of
        the document are among the outcome's details. `IndexMissing` where there is no index.
        """
        change = Change(document_id, script, params, returns)
        update = self._group.update if self._group else self._update_now
        try:
            return self._send(lambda is_retry: update(change, is_retry))
        except DocumentMissing:
            return None
        except IndexMissing:
            self._reject_unusable()
            raise

    def transition_or_create(
        self, document_id: str, script: Script, params: Mapping[str, Any], *, returns: Sequence[str] = ()
    ) -> Outcome:
        """As `transition`; where there is no document, the script creates it: it gets an empty one, with `ctx.op == 'create'`.

        What it says there instead gets lost in Elasticsearch: the verdict is `MISSING`. The fields `returns` of a changed
        document are the outcome's details. Makes the index where it is missing.
        """
        change = Change(document_id, script, params, returns)
        options = {"upsert": {}, "scripted_upsert": True}
        return self._with_index(
            lambda: self._send(lambda is_retry: self._update_now(change, is_retry, **options))
        )

    def transition_all(self, changes: Sequence[Change]) -> list[Outcome | ApiError | None]:
        """As `transition` for each change, in their order, in as few requests as possible.

        What becomes of one change has no effect on the others: the error of one stands in its place.
        """
        try:
            refresh = self._refresh_writes
            return self._send(lambda _: bulk.transition(self._client, self._alias, changes, refresh=refresh))
        except IndexMissing:
            self._reject_unusable()
            return [None] * len(changes)

    def search(self, search: Search) -> Page:
        """One page, with everything that was answered before this call. Empty where there is no index."""

        def request(_is_retry: bool) -> Page:
            self._refresh(always=search.refresh)
            return find(self._client, self._alias, search)

        try:
            return self._send(request)
        except IndexMissing:
            return Page(total=0, hits=[])

    def query(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Elasticsearch's response to a search, with everything that was answered before this call, by whomever.

        `IndexMissing` where there is no index.
        """

        def request(_is_retry: bool) -> Mapping[str, Any]:
            self._refresh(always=True)
            # A part of the documents would look like all of them.
            search = self._client.search
            return dict(search(index=self._alias, body=dict(body), allow_partial_search_results=False))

        return self._send(request)

    def get_all(self, document_ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of the documents that exist, as they are now, with these fields only. Empty where there is no index."""
        ids = [each for each in document_ids if can_exist(each)]
        with suppress(IndexMissing):
            if ids:
                return self._send(lambda _is_retry: bulk.get(self._client, self._alias, ids, fields))
        return {}

    def _refresh(self, *, always: bool = False) -> None:
        # Never with `ignore_unavailable`: a closed index would look like one without documents.
        if always or not self._refresh_writes:
            self._client.indices.refresh(index=self._alias)

    def _update_now(self, change: Change, is_retry: bool, **options: Any) -> Outcome:
        return self._update(change, encode(change, is_retry, **options)[1])

    def _update(self, change: Change, body: Any) -> Outcome:
        try:
            with translated():
                response = self._client.update(
                    index=self._alias,
                    id=change.document_id,
                    body=body,  # bytes, which the client sends as they are
                    retry_on_conflict=RETRY_ON_CONFLICT,
                    refresh=self._refresh_writes,
                    require_alias=True,
                )
        except DocumentExists:  # created by somebody else since Elasticsearch looked
            raise Conflict from None
        return bulk.read(change, response.body)

    def _update_many(self, lines: Sequence[bytes]) -> list[Mapping[str, Any]]:
        return bulk.send_once(self._client, self._alias, lines, refresh=self._refresh_writes)

    def _send(self, request: Callable[[bool], T]) -> T:
        """`send`, and where the index cannot be used, an error that says how to fix it."""
        try:
            return send(request, quiet=self._quiet)
        except IndexUnusable as unusable:
            raise unavailable(" ".join(self._indices.readiness()) or str(unusable.cause.reason)) from None

    def _reject_unusable(self) -> None:
        """Raise `ApiError` 503 where the alias is said to be missing although the index is there."""
        # An index may have the alias's name; and a node that has just started says so to updates, while it refuses reads.
        try:
            self.get("any")
        except IndexMissing:
            return
        raise unavailable(" ".join(self._indices.unusable(self._definition)) or UNREACHABLE) from None

    def _with_index(self, write: Callable[[], T]) -> T:
        """`write`; where the index is missing, once more after making it."""
        try:
            return write()
        except IndexMissing:
            send(lambda _is_retry: self._indices.ensure())
        try:
            return write()
        except IndexMissing:
            # It cannot be made, for instance because an index has the alias's name.
            raise unavailable(" ".join(self._indices.readiness()) or UNREACHABLE) from None
