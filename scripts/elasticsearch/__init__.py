"""No command (but see ``__main__``): a real Elasticsearch for tests and for a run, wherever one can be had."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from . import distribution, folders, java
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


def for_tests(major: int | None = None) -> Source:
    """Start an Elasticsearch that tests may fill and empty.

    The cluster that ``TEST_ELASTICSEARCH_URL`` names, else a container, else an embedded node. Never
    ``ELASTICSEARCH_URL``, which may be somebody's cluster.

    Args:
        major: The Elasticsearch major to start; None for what ``ELASTICSEARCH_MAJOR`` says, else the newest.

    Returns:
        The running source, a context manager.

    Raises:
        Unavailable: No source can give one; the text names them all.
    """
    major = major or _wanted_major()
    sources: list[tuple[str, Callable[[], Source]]] = [
        ("container", TestContainer(major).start),
        ("embedded node", EmbeddedNode(major=major).start),
    ]
    if url := os.environ.get("TEST_ELASTICSEARCH_URL"):
        sources.insert(0, ("cluster of TEST_ELASTICSEARCH_URL", lambda: Cluster(url, version_of(url))))
    return _first(sources)


def for_run(major: int | None = None) -> Source:
    """Choose the Elasticsearch that the service runs beside.

    The cluster that ``ELASTICSEARCH_URL`` names, and then nothing else is tried. Without it an embedded node, else
    a container; both keep their data.

    Args:
        major: The Elasticsearch major to start; None for what ``ELASTICSEARCH_MAJOR`` says, else the newest.

    Returns:
        The source, a context manager; it runs, unless it is a cluster that was named.

    Raises:
        Unavailable: No source can give one; the text names them all.
    """
    if url := os.environ.get("ELASTICSEARCH_URL"):
        return Cluster(url)
    major = major or _wanted_major()
    return _first([("embedded node", lambda: _kept_node(major)), ("container", KeptContainer(major).start)])


def _kept_node(major: int | None) -> Source:
    chosen, _ = distribution.choose(java.find(), major)
    distribution.home(chosen)  # which the first time takes a while
    # One folder for each version: 9.x opens the data of the last 8.x only, and never the other way round.
    folder = folders.data_folder() / chosen.version
    print(f"Starting Elasticsearch {chosen.version}; its data stays in {folder}", file=sys.stderr, flush=True)
    return EmbeddedNode(major=chosen.major, profile="run", folder=folder).start()


def client_major() -> int:
    """Tell which major of the Elasticsearch client fits what would be chosen here, 9 or 8.

    A 9.x client speaks to 9.x only. Somebody's own cluster is not asked: 9, unless ``ELASTICSEARCH_MAJOR`` says 8.
    """
    if wanted := _wanted_major():
        return wanted
    if not os.environ.get("ELASTICSEARCH_URL"):
        try:
            return distribution.choose(java.find())[0].major
        except Unavailable:  # then it will be a container
            pass
    return distribution.NEWEST_FIRST[0].major


def _wanted_major() -> int | None:
    wanted = os.environ.get("ELASTICSEARCH_MAJOR")
    if not wanted:
        return None
    known = [each.major for each in distribution.NEWEST_FIRST]
    if wanted not in map(str, known):
        raise Unavailable(
            f"ELASTICSEARCH_MAJOR is {wanted!r}; it must be one of {', '.join(map(str, sorted(known)))}"
        )
    return int(wanted)


def _first(sources: Iterable[tuple[str, Callable[[], Source]]]) -> Source:
    reasons = []
    for name, start in sources:
        try:
            return start()
        except Unavailable as error:
            reasons.append(f"{name}: {error}")
            print(f"Elasticsearch: no {name}: {error}", file=sys.stderr, flush=True)
    raise Unavailable("No Elasticsearch could be had. " + ". ".join(reasons) + ".")
