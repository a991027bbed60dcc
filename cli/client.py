"""elasticsearch-py: the client, requests, and its exceptions as one sentence each."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import click
import elastic_transport
import elasticsearch
from elastic_transport import ApiError, ConnectionTimeout, TlsError, TransportError
from elasticsearch import Elasticsearch, UnsupportedProductError

from .failures import ExitStatus, Failure

_MAY_BE_OVER_SOON = (429, 502, 503, 504)


class Request(NamedTuple):
    """A request, and the address that it goes to (for messages)."""

    address: str
    method: str
    path: str
    params: Mapping[str, str | int]
    body: Any
    headers: Mapping[str, str]


def connect(url: str, **options: Any) -> Elasticsearch:
    """A client.

    Raises:
        click.UsageError: The options do not fit together.
    """
    try:
        return Elasticsearch(url, **{name: value for name, value in options.items() if value is not None})
    except (ValueError, OSError) as error:
        raise click.UsageError(f"These options make no client: {error}") from error


def send(client: Elasticsearch, request: Request) -> Any:
    """Send a request and return the body of its response.

    Raises:
        Failure: There is no response, or it is an error.
    """
    headers = {"accept": "application/json", **request.headers}
    if request.body is not None:
        headers["content-type"] = "application/json"
    try:
        return client.perform_request(
            request.method, request.path, params=request.params, headers=headers, body=request.body
        ).body
    except UnsupportedProductError:
        raise _something_else(request, None) from None
    except ApiError as error:
        raise _refusal(error, request) from error
    except TransportError as error:
        raise _no_response(error, request) from error
    except ValueError:  # its text may have the credentials
        raise Failure(
            "The request cannot be sent: the address, the credentials or a key have characters that HTTP does not allow."
        ) from None


def _no_response(error: TransportError, request: Request) -> Failure:
    address = request.address
    if isinstance(error, TlsError):
        return Failure(f"TLS with {address} fails: {_cause(error)}.")
    if isinstance(error, ConnectionTimeout):
        return Failure(f"{address} does not respond in time (--timeout).", is_transient=True)
    if isinstance(error, elastic_transport.ConnectionError):
        return Failure(f"Nothing answers at {address}: {_cause(error)}.", is_transient=True)
    return _something_else(request, None)  # the body of the response cannot be read


def _refusal(error: ApiError, request: Request) -> Failure:
    status = error.meta.status
    if "x-elastic-product" not in error.meta.headers:
        return _something_else(request, status)
    kind, reason = _error_of(error.body)
    if kind == "media_type_header_exception":
        version = ".".join(map(str, elasticsearch.__version__))
        return Failure(
            f"{request.address} is an Elasticsearch that does not understand the installed client, elasticsearch-py {version}: "
            "it is of an older major version, and the service is not in front of it.",
            http_status=status,
        )
    if _is_unknown_to_the_server(request, status, reason):
        return Failure(
            f"{request.address} is Elasticsearch itself, or an older version of the service: it does not know this request "
            f"({request.method} {request.path}).",
            http_status=status,
        )
    if status == 404 and f"/{quote(reason, safe='', errors='replace')}" in request.path:
        reason = f"There is no sync job [{reason}]"
    before = {401: "Not authenticated: ", 403: "Not allowed: "}.get(status, "")
    return Failure(
        f"{before}{reason.removesuffix('.')}.",
        ExitStatus.NOT_FOUND if status == 404 else ExitStatus.FAILED,
        http_status=status,
        is_transient=status in _MAY_BE_OVER_SOON,
    )


def _is_unknown_to_the_server(request: Request, status: int, reason: str) -> bool:
    """Elasticsearch's own API takes the names of our extensions for ids, and does not know their parameters."""
    return (
        status == 405
        or (status == 400 and ("no handler found for uri" in reason or "unrecognized parameter" in reason))
        or (status == 404 and request.path.endswith(f"/{reason}") and reason.startswith("_"))
    )


def _something_else(request: Request, status: int | None) -> Failure:
    shown = "" if status is None else f" (HTTP status {status})"
    return Failure(
        f"{request.address} is neither the service nor Elasticsearch{shown}.",
        http_status=status,
        is_transient=status in _MAY_BE_OVER_SOON,
    )


def _error_of(body: Any) -> tuple[str, str]:
    """The type and the reason of an error; Elasticsearch has some without a type."""
    error = body.get("error") if isinstance(body, dict) else body
    if isinstance(error, dict):
        return str(error.get("type", "")), str(error.get("reason", ""))
    return "", str(error)


def _cause(error: TransportError) -> str:
    """What the operating system or the TLS library says."""
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason.replace("_", " ").lower()
    return next(
        (cause.strerror for cause in reversed(causes) if isinstance(cause, OSError) and cause.strerror),
        str(causes[-1]),
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
