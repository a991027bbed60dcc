"""The container that all tests use if Docker is available."""

from __future__ import annotations

import time

import pytest

from scripts.elasticsearch import Unavailable, container
from scripts.elasticsearch.source import version_of


def test_container_runs_and_is_removed(daemon, elasticsearch_image):
    before = {each.id for each in daemon.containers.list(all=True)}
    with container.TestContainer(int(elasticsearch_image.rpartition(":")[2].partition(".")[0])) as source:
        assert source.version == elasticsearch_image.rpartition(":")[2]
        assert version_of(source.url) == source.version
    assert {each.id for each in daemon.containers.list(all=True)} == before


def test_container_that_dies_is_an_error_at_once(daemon, elasticsearch_image, monkeypatch):
    monkeypatch.setitem(container.JAVA_OPTIONS, "test", "-XX:NoSuchOption")
    started = time.monotonic()
    with pytest.raises(Unavailable, match="does not start"):
        container.TestContainer().start()
    assert time.monotonic() - started < 30
