"""The errors an operation can end with, as plain exceptions.

Each carries what Elasticsearch's error envelope shows: a status, a type and a reason, and a chain of causes. Nothing here
knows of HTTP libraries or of the Elasticsearch client: the store raises these, operations raise these, and `app.wire`
turns them into responses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One link in a chain of causes: `type` is Elasticsearch's underscore name, `reason` its text.

    `details` are further keys of the same JSON object (for example `index`), shown after the reason.
    """

    type: str
    reason: str | None
    caused_by: Cause | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class ApiError(Exception):
    """A response in Elasticsearch's error envelope.

    `cause` is the outermost error; `root_cause` is what `root_cause[0]` shows and is the same as `cause` unless given.
    `headers` go out with the response; a name may come several times.
    """

    def __init__(
        self,
        status: int,
        cause: Cause,
        root_cause: Cause | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(f"{status} {cause.type}: {cause.reason}")
        self.status = status
        self.cause = cause
        self.root_cause = root_cause or cause
        self.headers = tuple(headers)


class PlainError(Exception):
    """A response whose `error` is a bare string: what Elasticsearch's HTTP layer says before any endpoint is reached.

    `show_status` is False for the one response without a `status` key (an unknown path).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        show_status: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.show_status = show_status
        self.headers = dict(headers or {})


def illegal_argument(reason: str, caused_by: Cause | None = None) -> ApiError:
    """400: an invalid argument (a parameter, a missing required field)."""
    return ApiError(400, Cause("illegal_argument_exception", reason, caused_by))


def validation_failed(messages: Iterable[str]) -> ApiError:
    """400: a request that could be read but is not valid. The messages are numbered as Elasticsearch does."""
    text = "".join(f"{number}: {message};" for number, message in enumerate(messages, 1))
    return ApiError(400, Cause("action_request_validation_exception", f"Validation Failed: {text}"))


def status_error(status: int, reason: str, caused_by: Cause | None = None) -> ApiError:
    """`status_exception`: refused because of what is stored, or because of the service's own state."""
    return ApiError(status, Cause("status_exception", reason, caused_by))


def not_found(reason: str) -> ApiError:
    """404: the document does not exist."""
    return ApiError(404, Cause("resource_not_found_exception", reason))


def index_not_found(index: str) -> ApiError:
    """404: the index itself does not exist."""
    return ApiError(
        404, Cause("index_not_found_exception", f"no such index [{index}]", details={"index": index})
    )


def unavailable(reason: str) -> ApiError:
    """503: Elasticsearch cannot be reached, or cannot respond now. Clients may send the request again."""
    return status_error(503, reason)
