"""No command: what all sources of an Elasticsearch share."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

PROGRESS_SECONDS = 3.0  # between two progress lines of something slow


class Unavailable(Exception):
    """A source cannot provide an Elasticsearch; the message says why."""


class Source(Protocol):
    """A running Elasticsearch; as a context manager it ends what was started for it."""

    url: str
    """Its address, for example ``http://127.0.0.1:9200``."""

    version: str
    """Its version, for example ``9.4.3``."""

    def failure(self) -> str | None:
        """Say how it ended by itself; None while it runs."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class Cluster:
    """A cluster that somebody else runs: it is neither started nor stopped."""

    def __init__(self, url: str, version: str = "") -> None:
        """Describe the cluster.

        Args:
            url: Its address, which may contain credentials.
            version: Its version; empty if it is not known.
        """
        self.url = url
        self.version = version

    def failure(self) -> str | None:
        """Return None: the cluster is not watched."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...


def http_get(
    url: str,
    auth: tuple[str, str] | None = None,
    timeout: float = 3,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Send one GET without a proxy, whatever the environment says.

    Args:
        url: An http or https address; credentials in it are used.
        auth: User name and password, instead of those in the address.
        timeout: Seconds for the connection, and again for the response.
        headers: More headers of the request.
        context: What an https address is verified with; None for the authorities of the machine.

    Returns:
        Status and body.

    Raises:
        OSError: There was no response.
    """
    parts = urlsplit(url)
    if auth is None and parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPSConnection(host, port or 443, timeout=timeout, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, port or 80, timeout=timeout)
    )
    headers = dict(headers or {})
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    try:
        connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/", headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def version_of(url: str, auth: tuple[str, str] | None = None) -> str:
    """Ask a node for its version.

    Args:
        url: Its address; credentials in it are used.
        auth: User name and password, instead of those in the address.

    Returns:
        The version, for example ``9.4.3``.

    Raises:
        Unavailable: There was no response, or not one of an Elasticsearch.
    """
    parts = urlsplit(url)._replace(query="")
    printable = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # without the password
    try:
        status, body = http_get(url, auth)
    except OSError as error:
        raise Unavailable(f"{printable} does not answer ({error})") from error
    try:
        response: dict[str, Any] = json.loads(body)
        return str(response["version"]["number"])
    except (ValueError, LookupError, TypeError):
        raise Unavailable(f"{printable} answers {status} without an Elasticsearch version") from None


def wait_for_version(
    url: Callable[[], str | None],
    failure: Callable[[], str | None],
    seconds: float,
    auth: tuple[str, str] | None = None,
    progress: bool = False,
) -> str:
    """Wait until a starting node answers.

    Args:
        url: Returns the node's address, or None while it is not known.
        failure: Returns why the node ended, or None while it runs.
        seconds: How long to wait at most.
        auth: Name and password of a user who may ask for the version.
        progress: Print a line to standard error every few seconds.

    Returns:
        The node's version.

    Raises:
        Unavailable: The node ended, or did not answer in time.
    """
    started = printed = time.monotonic()
    last_error = "it has no address yet"
    while (now := time.monotonic()) < started + seconds:
        if progress and now - printed >= PROGRESS_SECONDS:
            print(f"  starting, {now - started:.0f} s", file=sys.stderr, flush=True)
            printed = now
        if (ended := failure()) is not None:
            raise Unavailable(ended)
        if (address := url()) is not None:
            try:
                return version_of(address, auth)
            except Unavailable as error:
                last_error = str(error)
        time.sleep(0.1)
    raise Unavailable(f"it was not ready within {seconds:.0f} s: {last_error}")
