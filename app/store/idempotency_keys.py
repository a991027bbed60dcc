"""Keys that callers give to requests, so that a request sent again gets the first one's result.

A key is one document beside the leases. It keeps what the request was (a digest), the id of what the request makes, chosen
before it is made, and the result, once it is known. Whoever sends the same request before that works on it too, under the same
id, so nobody waits for a process that may have died. The key lists who is at work: with an error its request leaves the list,
and the last one to leave removes the key. So no key is forgotten while somebody may still make what it stands for.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.errors import ApiError, status_error
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Verdict, load

KEY_SECONDS = 24 * 60 * 60
# Requests at work that a key tells apart; where there are more, it stays until it expires, whatever they end with.
_MAX_HOLDERS = 100

TAKE = load(__package__, "take_key")
NOTE = load(__package__, "note_result")
WITHDRAW = load(__package__, "withdraw_key")

Result = Mapping[str, Any]


def digest(*values: Any) -> str:
    """SHA-256 of JSON values; objects with the same keys and values are the same, whatever their order."""
    return sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key that was taken for a request, by `holder`, a random text.

    `target_id` is the id to make. `resumed`: others have begun with it, and may have made it. With `result` all is done.
    """

    document_id: str
    request: str
    target_id: str
    holder: str
    resumed: bool
    result: Result | None = None


class IdempotencyKeys:
    """The keys of all callers, in the index of leases. All methods raise `ApiError` 503 where Elasticsearch is away."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def take(self, caller: str, key: str, request: str, new_id: str) -> KeyUse:
        """Take the caller's key for a request, which is known by its digest. `new_id`: what to make, if nobody has begun.

        Raises `ApiError` 422 where the key was used for another request within `KEY_SECONDS`.
        """
        document_id = f"idempotency:{digest(caller, key)}"
        holder = secrets.token_urlsafe(15)
        params = {
            "request": request,
            "target_id": new_id,
            "holder": holder,
            "max_holders": _MAX_HOLDERS,
            "duration": KEY_SECONDS * 1000,
        }
        outcome = self._documents.transition_or_create(document_id, TAKE, params, returns=["target_id"])
        stored = outcome.details
        if outcome.verdict is not Verdict.HELD:
            outcome.respond({Verdict.CREATED: "taken", Verdict.UPDATED: "taken"})
        elif stored["request"] != request:
            raise status_error(422, "Idempotency-Key was used for another request.")
        target_id = stored["target_id"]
        return KeyUse(
            document_id, request, target_id, holder, target_id != new_id, result=stored.get("result")
        )

    def note(self, use: KeyUse, result: Result) -> Result:
        """Keep the result of the request; the result to respond with: the first that anybody noted."""
        params = {
            "request": use.request,
            "target_id": use.target_id,
            "result": result,
            "duration": KEY_SECONDS * 1000,
        }
        outcome = self._documents.transition_or_create(use.document_id, NOTE, params)
        if outcome.verdict is not Verdict.HELD:
            outcome.respond({Verdict.CREATED: "noted", Verdict.UPDATED: "noted"})
        return _noted(outcome) or result

    def withdraw(self, use: KeyUse) -> Result | None:
        """Note that the request ended without making anything; the result, if others came to one.

        Without a response of Elasticsearch the key stays, for the same request only.
        """
        params = {"target_id": use.target_id, "holder": use.holder}
        with suppress(ApiError, IndexMissing):
            outcome = self._documents.transition(use.document_id, WITHDRAW, params)
            return None if outcome is None else _noted(outcome)
        return None


def _noted(outcome: Outcome) -> Result | None:
    found: Result | None = outcome.details.get("result")
    return found
