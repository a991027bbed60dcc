"""No command: what every source of an Elasticsearch has in common."""

from __future__ import annotations

import base64
import http.client
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

TELL_SECONDS = 3.0  # between two signs of life of what takes long


class Unavailable(Exception):
    """A source cannot give an Elasticsearch; the text is one sentence that says why."""


class Source(Protocol):
    """A running Elasticsearch; leaving it as a context manager ends what was started for it."""

    @property
    def url(self) -> str:
        """Where it answers, for example ``http://127.0.0.1:9200``."""

    @property
    def version(self) -> str:
        """Its version, for example ``9.4.3``."""

    def failure(self) -> str | None:
        """Say in one sentence how it ended by itself; None while it runs."""

    def stop(self) -> None:
        """End what was started for it; once is enough, twice does no harm."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class Cluster:
    """Somebody's cluster that is only visited: nothing is started and nothing is stopped."""

    def __init__(self, url: str, version: str = "") -> None:
        """Name it.

        Args:
            url: Its address, credentials may be in it.
            version: Its version; empty when nobody asked it.
        """
        self.url = url
        self.version = version

    def failure(self) -> str | None:
        """Say None: how a visited cluster fares is not our business."""
        return None

    def stop(self) -> None:
        """Leave it running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def ask(url: str, auth: tuple[str, str] | None = None, timeout: float = 3) -> tuple[int, bytes]:
    """Send one GET, past any proxy that the environment names.

    Args:
        url: An http or https address; credentials in it are used.
        auth: Name and password, instead of those in the address.
        timeout: Seconds for the connection, and again for the answer.

    Returns:
        Status and body.

    Raises:
        OSError: Nothing answered.
    """
    parts = urlsplit(url)
    if auth is None and parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    headers = {}
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    try:
        connection.request(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as broken:
        raise ConnectionError(f"{type(broken).__name__}: {broken}") from broken
    finally:
        connection.close()


def version_of(url: str, auth: tuple[str, str] | None = None) -> str:
    """Ask a node for its version.

    Returns:
        The version, for example ``9.4.3``.

    Raises:
        Unavailable: Nothing answers there, or not as Elasticsearch does.
    """
    where = urlsplit(url)._replace(query="")
    shown = where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()  # never print a password
    try:
        status, body = ask(url, auth)
    except OSError as error:
        raise Unavailable(f"{shown} does not answer ({error})") from error
    try:
        answer: dict[str, Any] = json.loads(body)
        return str(answer["version"]["number"])
    except (ValueError, LookupError, TypeError):
        raise Unavailable(f"{shown} answers {status}, and not with the version of an Elasticsearch") from None


def wait_for_version(
    url: Callable[[], str | None],
    failure: Callable[[], str | None],
    seconds: float,
    auth: tuple[str, str] | None = None,
    tell: bool = False,
) -> str:
    """Wait until a node that is just starting answers.

    Args:
        url: Gives its address as soon as it is known.
        failure: Says why there is nothing to wait for any longer, or None.
        seconds: How long to wait at most.
        auth: Name and password of a user who may ask for the version.
        tell: Say on standard error every few seconds that it still starts.

    Returns:
        The node's version.

    Raises:
        Unavailable: It ended, or did not answer in time.
    """
    began = told = time.monotonic()
    last = "it has no address yet"
    while (now := time.monotonic()) < began + seconds:
        if tell and now - told >= TELL_SECONDS:
            print(f"  starting, {now - began:.0f} s", file=sys.stderr, flush=True)
            told = now
        if (ended := failure()) is not None:
            raise Unavailable(ended)
        if (address := url()) is not None:
            try:
                return version_of(address, auth)
            except Unavailable as not_yet:
                last = str(not_yet)
        time.sleep(0.1)
    raise Unavailable(f"it was not ready within {seconds:.0f} s: {last}")
