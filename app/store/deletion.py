"""Removing all documents that meet a filter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elasticsearch import ApiError as ElasticsearchError
from elasticsearch import Elasticsearch

from app.errors import ApiError, Cause, unavailable
from app.store.failures import TransientFailure

# Documents that one delete-by-query removes: few enough to be done before the client gives up waiting.
BATCH = 1000
# Seconds for removing everything that meets a filter, while others may be writing it.
TIMEOUT_SECONDS = 60.0

Send = Callable[[Callable[[bool], Any]], Any]


def delete_all(
    client: Elasticsearch, alias: str, filters: Sequence[Mapping[str, Any]], send: Send, *, refresh: bool
) -> None:
    """As `Documents.delete_all`; `refresh` is whether writes refresh. `IndexMissing` where there is no index."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while send(lambda _is_retry: _delete_some(client, alias, filters, refresh=refresh)):
        if time.monotonic() >= deadline:
            raise unavailable("Not all documents could be deleted in time. The request can be sent again.")
        time.sleep(random.uniform(0, 0.02))  # noqa: S311


def _delete_some(
    client: Elasticsearch, alias: str, filters: Sequence[Mapping[str, Any]], *, refresh: bool
) -> bool:
    """Remove a batch of documents; whether there may be more."""
    if not refresh:
        client.indices.refresh(index=alias)
    try:
        response = client.delete_by_query(
            index=alias,
            query={"bool": {"filter": list(filters)}},
            max_docs=BATCH,
            conflicts="proceed",
            refresh=refresh,
        )
    except ElasticsearchError as error:
        raise _first_failure(error) or error from None
    return bool(response["version_conflicts"]) or response["total"] >= BATCH


def _first_failure(error: ElasticsearchError) -> TransientFailure | None:
    """The error of a delete-by-query that ran but could not delete; its status is that of its first failure."""
    failures = error.body.get("failures") if isinstance(error.body, Mapping) else None
    if not failures:
        return None
    cause = failures[0]["cause"]
    return TransientFailure(ApiError(503, Cause(str(cause["type"]), cause.get("reason"))))
