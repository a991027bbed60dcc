"""Many documents in one request, each with its own script, error and retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from elasticsearch import Elasticsearch

from app import json_codec
from app.errors import ApiError
from app.metrics.definitions import ELASTICSEARCH_RETRIES
from app.store.failures import (
    Conflict,
    DocumentMissing,
    IndexUnusable,
    TransientFailure,
    to_error,
    translated,
)
from app.store.retries import (
    CONFLICT_TIMEOUT_SECONDS,
    MAX_BACKOFF_SECONDS,
    TRANSIENT_ATTEMPTS,
    collision_error,
)
from app.store.scripts import VERDICT_FIELD, Outcome, Script, Verdict

log = structlog.get_logger(__name__)

# The longest id that Elasticsearch writes, in UTF-8.
MAX_ID_BYTES = 512
# Documents in one request: less than a second's work, and small beside Elasticsearch's limit of bytes.
_BATCH = 1_000
# Collisions inside Elasticsearch are retried there first: that costs no round trip.
RETRY_ON_CONFLICT = 5


@dataclass(frozen=True, slots=True)
class Version:
    """A document as a search saw it: `_seq_no` and `_primary_term`."""

    seq_no: int
    primary_term: int


@dataclass(frozen=True, slots=True)
class Change:
    """A script for one document, as `Documents.transition` sends it.

    The fields `returns` of the changed document are the outcome's details, all of them for `["*"]`. With `version`, the
    verdict is `OVERTAKEN` where somebody has written the document since; an earlier sending of the same change, too.
    """

    document_id: str
    script: Script
    params: Mapping[str, Any]
    returns: Sequence[str] = ()
    version: Version | None = None


Result = Outcome | ApiError | None


def can_exist(document_id: str) -> bool:
    """Whether a document may have this id. One that none can have refuses a whole request about many documents."""
    return 0 < len(document_id.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES


def encode(change: Change, is_retry: bool, **options: Any) -> tuple[bytes, bytes]:
    """The two lines that a change is in a request about many; the second one alone is the body of an update.

    `options` are further keys of that body. See `Documents.transition` for `is_retry`.
    """
    condition = _condition(change.version) if change.version else {"retry_on_conflict": RETRY_ON_CONFLICT}
    body = {
        "script": change.script.request(change.params, is_retry=is_retry),
        "_source": {"includes": [VERDICT_FIELD, *change.returns]},
    }
    action = {"update": {"_id": change.document_id, **condition}}
    return json_codec.dumps(action), json_codec.dumps(body | options)


def send_once(
    client: Elasticsearch, alias: str, lines: Sequence[bytes], *, refresh: bool
) -> list[Mapping[str, Any]]:
    """Send encoded changes once; what Elasticsearch says of each. Raises the typed errors of a request that failed as a whole."""
    with translated():
        operations: Any = lines  # the client sends bytes as they are
        response = client.bulk(index=alias, operations=operations, require_alias=True, refresh=refresh)
    return [item["update"] for item in response["items"]]


def read(change: Change, item: Mapping[str, Any]) -> Outcome:
    """The outcome of a change, of what `send_once` returned for it. Raises its typed error, as an update of its own would."""
    if "error" in item:
        raise to_error(item["status"], item)
    return change.script.outcome(item["result"], item.get("get", {}).get("_source"))


@dataclass(slots=True)
class _Sending:
    """The changes that are still under way, by their position."""

    waiting: dict[int, Change]
    results: dict[int, Result] = field(default_factory=dict)
    # Positions of those that may have been carried out although no response said so.
    lost: set[int] = field(default_factory=set)

    def done(self, position: int, result: Result) -> None:
        self.results[position] = result
        del self.waiting[position]


def transition(
    client: Elasticsearch, alias: str, changes: Sequence[Change], *, refresh: bool
) -> list[Result]:
    """What became of each change, in their order: its outcome, its error, None where there is no document.

    `IndexMissing` and `IndexUnusable` where there is no index, or none that can be used.
    """
    sending = _Sending(dict(enumerate(changes)))
    for position, change in enumerate(changes):
        if not can_exist(change.document_id):
            sending.done(position, None)
    deadline = time.monotonic() + CONFLICT_TIMEOUT_SECONDS
    failures = 0
    while sending.waiting:
        failure = None
        for batch in _batches(list(sending.waiting.items())):
            failure = _send(client, alias, batch, sending, refresh=refresh) or failure
        if failure is not None:
            failures += 1
        if time.monotonic() >= deadline or failures >= TRANSIENT_ATTEMPTS:
            if failure is not None and sending.waiting:
                log.warning(failure.event, **failure.facts)
            for position in list(sending.waiting):
                sending.done(position, failure.error if failure else collision_error())
        if sending.waiting:
            ELASTICSEARCH_RETRIES.labels("conflict" if failure is None else "failure").inc()
            time.sleep(random.uniform(0, MAX_BACKOFF_SECONDS))  # noqa: S311
    return [sending.results[position] for position in range(len(changes))]


def delete(
    client: Elasticsearch,
    alias: str,
    versions: Mapping[str, Version],
    send: Callable[[Callable[[bool], int]], int],
    *,
    refresh: bool,
) -> int:
    """As `Documents.delete_unchanged`. After a lost response the count may be too low."""
    deleted = 0
    for batch in _batches(list(versions.items())):
        lines = [{"delete": {"_id": each, **_condition(version)}} for each, version in batch]

        def request(_is_retry: bool, lines: list[dict[str, Any]] = lines) -> int:
            response = client.bulk(index=alias, operations=lines, refresh=refresh)
            return sum(_deleted(item["delete"]) for item in response["items"])

        deleted += send(request)
    return deleted


def get(
    client: Elasticsearch, alias: str, document_ids: Sequence[str], fields: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """As `Documents.get_all`; `IndexMissing` where there is no index."""
    response = client.mget(index=alias, ids=list(document_ids), source_includes=list(fields))
    for each in response["docs"]:
        if "error" in each:  # a document that could not be looked for isn't one that does not exist
            raise to_error(503, each)
    return {each["_id"]: each["_source"] for each in response["docs"] if each["found"]}


def _deleted(item: Mapping[str, Any]) -> bool:
    if "error" in item:
        error = to_error(item["status"], item)
        if not isinstance(error, Conflict):
            raise error
    return item.get("result") == "deleted"


def _send(
    client: Elasticsearch,
    alias: str,
    batch: Sequence[tuple[int, Change]],
    sending: _Sending,
    *,
    refresh: bool,
) -> TransientFailure | None:
    """Send a batch and note what became of each change; why some must be sent again, if they must."""
    lines = [line for position, change in batch for line in encode(change, position in sending.lost)]
    try:
        items = send_once(client, alias, lines, refresh=refresh)
    except TransientFailure as lost:
        sending.lost.update(position for position, _ in batch)
        return lost
    except IndexUnusable:
        raise
    except ApiError as error:
        for position, _ in batch:
            sending.done(position, error)
        return None
    failure = None
    for (position, change), item in zip(batch, items, strict=True):
        try:
            sending.done(position, _result(change, item))
        except Conflict:
            if change.version is not None:
                sending.done(position, Outcome(change.script.name, Verdict.OVERTAKEN))
        except TransientFailure as one:
            sending.lost.add(position)
            failure = one
    return failure


def _condition(version: Version) -> dict[str, int]:
    return {"if_seq_no": version.seq_no, "if_primary_term": version.primary_term}


def _result(change: Change, item: Mapping[str, Any]) -> Result:
    try:
        return read(change, item)
    except DocumentMissing:
        return None
    except IndexUnusable:
        raise
    except ApiError as error:
        return error


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
