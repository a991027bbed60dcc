from __future__ import annotations

import socket

import pytest

import scripts.elasticsearch as elasticsearch
from scripts.elasticsearch import Cluster, Unavailable, client_major, for_run, for_tests
from scripts.elasticsearch.source import version_of


class Fails:
    def __init__(self, text):
        self.text = text

    def __call__(self, *_, **__):
        return self

    def start(self):
        raise Unavailable(self.text)


class Works(Fails):
    def start(self):
        return Cluster("http://works", self.text)


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in ("ELASTICSEARCH_URL", "TEST_ELASTICSEARCH_URL", "ELASTICSEARCH_MAJOR"):
        monkeypatch.delenv(name, raising=False)


def test_tests_prefer_a_container_to_an_embedded_node(monkeypatch, capfd):
    monkeypatch.setattr(elasticsearch, "TestContainer", Works("9.4.3"))
    monkeypatch.setattr(elasticsearch, "EmbeddedNode", Fails("never asked"))
    assert for_tests().version == "9.4.3"
    assert capfd.readouterr().err == ""


def test_failing_source_is_skipped_with_a_one_line_message(monkeypatch, capfd):
    monkeypatch.setattr(elasticsearch, "TestContainer", Fails("Docker does not answer"))
    monkeypatch.setattr(elasticsearch, "EmbeddedNode", Works("9.4.3"))
    monkeypatch.setenv("TEST_ELASTICSEARCH_URL", "http://name:secret@127.0.0.1:9")
    assert for_tests().url == "http://works"
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith(
        "Elasticsearch: no cluster of TEST_ELASTICSEARCH_URL: http://127.0.0.1:9 does not answer"
    )
    assert second == "Elasticsearch: no container: Docker does not answer"


def test_error_without_any_source_names_all_of_them(monkeypatch):
    monkeypatch.setattr(elasticsearch, "TestContainer", Fails("Docker does not answer"))
    monkeypatch.setattr(elasticsearch, "EmbeddedNode", Fails("no Java was found"))
    with pytest.raises(Unavailable) as raised:
        for_tests()
    assert str(raised.value) == (
        "No Elasticsearch is available. container: Docker does not answer. embedded node: no Java was found."
    )


def test_tests_never_use_the_cluster_of_a_run(monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://somebodys")
    monkeypatch.setattr(elasticsearch, "TestContainer", Works("9.4.3"))
    assert for_tests().url == "http://works"


def test_run_uses_the_configured_cluster_without_checking_it(monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://somebodys")
    monkeypatch.setattr(elasticsearch, "EmbeddedNode", Fails("never asked"))
    monkeypatch.setattr(elasticsearch, "KeptContainer", Fails("never asked"))
    with for_run() as source:
        assert source.url == "http://somebodys"


def test_address_without_elasticsearch_is_an_error():
    with pytest.raises(Unavailable, match=r"^http://127\.0\.0\.1:9/x does not answer"):
        version_of("http://name:secret@127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"URL": "http://127.0.0.1:9"}, "[Errno 111] Connection refused"),
        ({"URL": " , "}, "it names no address"),
        (
            {"URL": "http://u:s3cr3t/@127.0.0.1"},
            "a setting is malformed, or the response is not Elasticsearch's",
        ),
        ({"API_KEY": "s3cr3t\n"}, "a setting is malformed, or the response is not Elasticsearch's"),
        ({"API_KEY": "s3cr3t", "CERT_FINGERPRINT": "ab" * 32}, "its address is not https://"),
        ({"URL": "https://127.0.0.1:9", "CA_CERTS": "/nowhere"}, "[Errno 2] No such file or directory"),
    ],
)
def test_cluster_that_cannot_be_asked_gets_the_newest_client_and_one_line(
    monkeypatch, capfd, settings, reason
):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        monkeypatch.setenv("ELASTICSEARCH_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        for name, value in settings.items():
            monkeypatch.setenv(f"ELASTICSEARCH_{name}", value)
        assert client_major(ask=True) == 9
        with pytest.raises(BlockingIOError):  # nobody connected, so no secret was sent
            listener.accept()
    assert capfd.readouterr().err == (
        f"The cluster of ELASTICSEARCH_URL does not tell its version ({reason}), so the client is 9.x; "
        "ELASTICSEARCH_MAJOR=8 chooses the other.\n"
    )


def test_cluster_is_not_asked_otherwise(monkeypatch, capfd):
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    assert client_major() == 9
    monkeypatch.setenv("ELASTICSEARCH_MAJOR", "8")
    assert client_major(ask=True) == 8
    assert capfd.readouterr().err == ""
