"""No command (but see ``__main__``): a real Elasticsearch for the tests and for ``make run``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from . import configured, distribution, folders, java
from .container import KeptContainer, TestContainer
from .node import EmbeddedNode, Security
from .source import Cluster, Source, Unavailable, version_of

__all__ = [
    "Cluster",
    "EmbeddedNode",
    "Security",
    "Source",
    "Unavailable",
    "client_major",
    "for_run",
    "for_tests",
]


def for_tests() -> Source:
    """Start an Elasticsearch whose data tests may write and delete.

    The first that works of: the cluster of ``TEST_ELASTICSEARCH_URL``, a container, an embedded node. Never the
    cluster of ``ELASTICSEARCH_URL``, which may be in use.

    Returns:
        The running source, a context manager.

    Raises:
        Unavailable: No source works; the message has the reason of each.
    """
    major = _requested_major()
    sources: list[tuple[str, Callable[[], Source]]] = [
        ("container", TestContainer(major).start),
        ("embedded node", EmbeddedNode(major=major).start),
    ]
    if url := os.environ.get("TEST_ELASTICSEARCH_URL"):
        sources.insert(0, ("cluster of TEST_ELASTICSEARCH_URL", lambda: Cluster(url, version_of(url))))
    return _first_available(sources)


def for_run() -> Source:
    """Choose the Elasticsearch that the service runs beside.

    Either the cluster of ``ELASTICSEARCH_URL``, which is not contacted, or else the first that works of: an embedded
    node, a container. Both keep their data.

    Returns:
        The source, a context manager.

    Raises:
        Unavailable: No source works; the message has the reason of each.
    """
    if url := os.environ.get("ELASTICSEARCH_URL"):
        return Cluster(url)
    major = _requested_major()
    return _first_available(
        [("embedded node", lambda: _kept_node(major)), ("container", KeptContainer(major).start)]
    )


def _kept_node(major: int | None) -> Source:
    chosen, _ = distribution.choose(java.find(), major)
    distribution.home(chosen)  # downloads before "Starting" is printed
    # One folder for each version: 9.x can only open the data of the last 8.x, and 8.x no data of 9.x.
    folder = folders.data_folder() / chosen.version
    print(f"Starting Elasticsearch {chosen.version}; its data stays in {folder}", file=sys.stderr, flush=True)
    return EmbeddedNode(major=chosen.major, profile="run", folder=folder).start()


def client_major(*, ask: bool = False) -> int:
    """Return the major of the Elasticsearch client that fits the Elasticsearch chosen here, 9 or 8.

    A 9.x client works with 9.x only. ``ELASTICSEARCH_MAJOR`` decides where it is set.

    Args:
        ask: Whether the cluster of ``ELASTICSEARCH_URL`` is asked. Otherwise, and where it does not answer, which
            standard error then says, it counts as one of 9.x.

    Raises:
        Unavailable: ``ELASTICSEARCH_MAJOR`` is not a known major.
    """
    if major := _requested_major():
        return major
    newest, older = (each.major for each in distribution.NEWEST_FIRST)
    if not os.environ.get("ELASTICSEARCH_URL"):
        try:
            return distribution.choose(java.find())[0].major
        except Unavailable:  # no embedded node, so it will be a container
            pass
    elif ask:
        try:
            return newest if configured.accepts_client(newest) else older
        except Unavailable as reason:
            print(
                f"The cluster of ELASTICSEARCH_URL does not tell its version ({reason}), so the client is {newest}.x; "
                f"ELASTICSEARCH_MAJOR={older} chooses the other.",
                file=sys.stderr,
                flush=True,
            )
    return newest


def _requested_major() -> int | None:
    text = os.environ.get("ELASTICSEARCH_MAJOR")
    if not text:
        return None
    known = sorted(each.major for each in distribution.NEWEST_FIRST)
    if text not in map(str, known):
        raise Unavailable(f"ELASTICSEARCH_MAJOR is {text!r}; it must be one of {', '.join(map(str, known))}")
    return int(text)


def _first_available(sources: Iterable[tuple[str, Callable[[], Source]]]) -> Source:
    reasons = []
    for name, start in sources:
        try:
            return start()
        except Unavailable as error:
            reasons.append(f"{name}: {error}")
            print(f"Elasticsearch: no {name}: {error}", file=sys.stderr, flush=True)
    raise Unavailable("No Elasticsearch is available. " + ". ".join(reasons) + ".")
