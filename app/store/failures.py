"""The Elasticsearch client's exceptions, turned into the errors that operations know: here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from elastic_transport import ConnectionTimeout, SerializationError, TransportError
from elasticsearch import ApiError as ElasticsearchError
from elasticsearch import UnsupportedProductError

from app.errors import ApiError, Cause, unavailable

log = structlog.get_logger(__name__)

_COUNTER = re.compile(r"failed to parse field \[\w+] of type \[integer]")

# What passes, whatever the status: that of a shard that is starting is 404.
_PASSING = frozenset({"cluster_block_exception", "illegal_index_shard_state_exception"})

UNREACHABLE = "Elasticsearch cannot be reached. The request can be sent again."


class IndexMissing(Exception):
    """The alias or its index does not exist."""


class IndexUnusable(ApiError):
    """The index is closed, or the alias stands for several: only an operator can help. Clients get 503."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, unavailable(f"The index cannot be used: {reason}.").cause)


class Conflict(Exception):
    """Another write of the same document came between; nothing was written."""


class DocumentMissing(Exception):
    """There is no document of that id."""


class DocumentExists(Exception):
    """There is a document of that id already."""


class TransientFailure(Exception):
    """Elasticsearch did not respond, or could not: the write may have happened nevertheless.

    Whoever gives up on the request logs `event` with `facts`, so that a failure is logged once however often it was sent.
    """

    def __init__(self, error: ApiError, event: str = "elasticsearch_failed", /, **facts: Any) -> None:
        super().__init__(str(error))
        self.error = error
        self.event = event
        self.facts = facts or {"reason": error.cause.reason}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the client's exceptions inside as typed errors.

    `IndexMissing`, `IndexUnusable`, `DocumentMissing`, `DocumentExists`, `Conflict` and `TransientFailure` are for the
    store to act on; all else is an `ApiError` that can go to the caller as it is.
    """
    try:
        yield
    except ConnectionTimeout as error:
        log.warning("elasticsearch_timeout", error=error.message)
        raise unavailable(
            "Elasticsearch did not answer in time. The request may have been carried out; it can be sent again."
        ) from None
    except SerializationError:  # its message quotes the response, documents and all
        raise TransientFailure(
            unavailable("Elasticsearch's response cannot be read. The request can be sent again."),
            "elasticsearch_unreadable",
        ) from None
    except (TransportError, UnsupportedProductError) as error:
        raise TransientFailure(
            unavailable(UNREACHABLE), "elasticsearch_unreachable", error=type(error).__name__
        ) from None
    except ElasticsearchError as error:
        raise to_error(error.meta.status, error.body) from None


def to_error(status: int, body: object) -> Exception:
    """The typed error for an error response of Elasticsearch, or for an item of a bulk response."""
    envelope = body.get("error") if isinstance(body, Mapping) else None
    outer = envelope if isinstance(envelope, Mapping) else {}
    kind, reason = str(outer.get("type", "")), str(outer.get("reason", ""))
    if kind == "index_not_found_exception":
        return IndexMissing(reason)
    if _is_unusable(kind, reason):
        log.error("elasticsearch_index_unusable", status=status, type=kind, reason=reason)
        return IndexUnusable(reason)
    if status == 404 and kind in ("", "document_missing_exception"):
        return DocumentMissing()
    if kind == "version_conflict_engine_exception":
        return DocumentExists() if "document already exists" in reason else Conflict()
    return _to_api_error(status, kind, reason, outer)


def _to_api_error(
    status: int, kind: str, reason: str, outer: Mapping[str, Any]
) -> ApiError | TransientFailure:
    """What the caller gets for an error that the store itself does not act on."""
    if status in (401, 403) and kind != "cluster_block_exception":
        # Our credentials, not the caller's: only the operator can fix that.
        log.error("elasticsearch_refused_credentials", status=status, reason=reason)
        return unavailable("Elasticsearch refuses the service's own credentials; its log says more.")
    if kind in ("document_parsing_exception", "mapper_parsing_exception"):
        # The causes repeat the document, the preview a value of it; either may be a secret. But an [integer] at the top of a
        # document is a counter on an index made elsewhere, and says nothing without the value that does not fit.
        shown = reason if _COUNTER.search(reason) else reason.partition(" Preview of field's value")[0]
        return ApiError(400, Cause(kind, shown))
    if status == 429:
        return ApiError(
            429, _cause(outer) or Cause("es_rejected_execution_exception", "Elasticsearch is busy.")
        )
    if status == 413:  # without a body
        log.warning("elasticsearch_failed", status=status)
        reason = "Elasticsearch does not take a request of this length; its setting [http.max_content_length] limits it."
        return ApiError(413, Cause("too_long_http_content_exception", reason))
    if status >= 500 or kind in _PASSING or not outer:
        cause = _cause(outer) or unavailable(UNREACHABLE).cause
        return TransientFailure(ApiError(503, cause), status=status, type=kind, reason=reason)
    if script := _failed_script(outer):
        # A defect of the service, not a client error; workers fail their job on a 4xx. Only the script's own lines
        # are logged, since a reason may quote a value.
        log.error("script_failed", lines=script.get("script_stack"))
        return unavailable("A script of the service failed on the document; the service's log says where.")
    log.info("elasticsearch_rejected", status=status, type=kind, reason=reason)
    root = next(iter(outer.get("root_cause") or []), None)
    return ApiError(status, _cause(outer) or Cause("exception", reason), _cause(root))


def _failed_script(error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part of an error that is about a script that failed, if there is one."""
    for cause in (error, error.get("caused_by")):
        if isinstance(cause, Mapping) and cause.get("type") == "script_exception":
            return cause
    return None


def _is_unusable(kind: str, reason: str) -> bool:
    """Whether an error is about a closed index, or an alias that does not say which index is meant."""
    match kind:
        case "index_closed_exception":
            return True
        case "cluster_block_exception":
            return "index closed" in reason
        case "illegal_argument_exception":
            return reason.startswith("no write index is defined for alias [") or (
                reason.startswith("alias [") and "has more than one index associated with it" in reason
            )
    return False


def _cause(error: Any) -> Cause | None:
    if not isinstance(error, Mapping) or "type" not in error:
        return None
    return Cause(str(error["type"]), error.get("reason"), _cause(error.get("caused_by")))
