"""A cluster of a major that the installed client cannot speak to: how it is recognized, and what to say then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version

from elastic_transport import TransportApiResponse

_CLIENT = version("elasticsearch")
_MAJOR = re.compile(r"version must be either version (\d+) or \d+")


def refused_major(response: TransportApiResponse) -> str | None:
    """The major that a cluster names when it refuses the media type of the client's requests; else None."""
    body = response.body if response.meta.status == 400 else None
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping) or error.get("type") != "media_type_header_exception":
        return None
    found = _MAJOR.search(str(error.get("caused_by")))
    return found and found[1]


def explain(major: str, response: TransportApiResponse | None) -> str:
    """One sentence: the version met, the client installed, what to do.

    `response` is the cluster's to `GET /`, if there was any; it takes a privilege, so the exact version may stay unknown.
    """
    body = response.body if response is not None else None
    told = body.get("version") if isinstance(body, Mapping) else None
    number = str(told.get("number")) if isinstance(told, Mapping) else ""
    if not number.startswith(f"{major}."):  # not told, or by another node while the cluster is being upgraded
        number = f"{major}.x"
    remedy = (
        "`make run` chooses the client by itself at its start, ELASTICSEARCH_MAJOR=8 chooses it for every command, and "
        "`--build-arg ELASTICSEARCH_MAJOR=8` for an image."
        if major == "8"
        else "the service needs Elasticsearch 8 or 9."
    )
    return f"The cluster is Elasticsearch {number}, which the installed client {_CLIENT} cannot speak to: {remedy}"
