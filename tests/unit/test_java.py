from __future__ import annotations

from pathlib import Path

import pytest

from scripts.elasticsearch import Unavailable, client_major
from scripts.elasticsearch.distribution import choose
from scripts.elasticsearch.java import Java, find, major_of, parse_major


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.9"\nLIBC="gnu"\n', 17),
        ('JAVA_VERSION="25"\n', 25),
        ('JAVA_VERSION="1.8.0_392"\n', 8),
        ('openjdk version "21.0.2" 2024-01-16\nOpenJDK Runtime Environment\n', 21),
        ('java version "26-ea" 2026-03-17\n', 26),
        ("", None),
        ("Error: could not find libjava.so\n", None),
    ],
)
def test_major_is_parsed_from_a_release_file_and_from_the_output_of_java(text, major):
    assert parse_major(text) == major


@pytest.mark.parametrize(
    ("majors", "wanted", "version", "java"),
    [
        ([21], None, "9.4.3", 21),
        ([17, 25], None, "9.4.3", 25),
        ([17], None, "8.14.1", 17),
        ([11, 24], 8, "8.14.1", 24),
        ([25, 17], 8, "8.14.1", 17),
        ([22, 21], None, "9.4.3", 22),  # the first that fits: a Java that somebody configured comes first
    ],
)
def test_newest_elasticsearch_that_a_java_can_run_is_chosen(majors, wanted, version, java):
    distribution, chosen = choose([Java(Path("/jvm"), major) for major in majors], wanted)
    assert (distribution.version, chosen.major) == (version, java)


@pytest.mark.parametrize(
    ("majors", "wanted", "reason"),
    [
        ([], None, "no Java was found"),
        ([11, 8, 11], None, "only Java 8, 11 was found"),
        ([17], 9, "Elasticsearch 9.4.3 needs Java 21 or newer; only Java 17 was found"),
        ([25], 8, "Elasticsearch 8.14.1 needs Java 17 to 24; only Java 25 was found"),
        ([25], 7, "no embedded Elasticsearch 7 is known"),
    ],
)
def test_error_of_an_impossible_choice_says_what_is_needed(majors, wanted, reason):
    with pytest.raises(Unavailable, match=reason):
        choose([Java(Path("/jvm"), major) for major in majors], wanted)


def test_java_without_a_release_file_is_run_for_its_version(tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"23.0.1\"' >&2\n")
    java.chmod(0o755)
    assert major_of(tmp_path) == 23


def test_folder_without_java_is_not_found(tmp_path, monkeypatch):
    monkeypatch.setenv("ES_JAVA_HOME", str(tmp_path))
    assert tmp_path not in [java.home for java in find()]


def test_major_of_the_client_can_be_set_to_a_known_one_only(monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_MAJOR", "8")
    assert client_major() == 8
    monkeypatch.setenv("ELASTICSEARCH_MAJOR", "7")
    with pytest.raises(Unavailable, match="must be one of 8, 9"):
        client_major()
