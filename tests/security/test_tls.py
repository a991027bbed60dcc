"""Connections of the service to a cluster with TLS: authority, fingerprint, client certificate."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import settings
from app.errors import ApiError
from app.store import Store
from app.store.callers import Credentials
from app.store.failures import UNREACHABLE
from scripts.elasticsearch import EmbeddedNode, Security, client_major
from tests.certificates import Certificate, TlsFront
from tests.secured import basic, password


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: Certificate(folder, name) for name in ("server", "client", "other")}


@pytest.fixture
def front(node_url: str, certificates: dict[str, Certificate]) -> Iterator[TlsFront]:
    with TlsFront(node_url, certificates["server"]) as front:
        yield front


@pytest.fixture
def mutual(node_url: str, certificates: dict[str, Certificate]) -> Iterator[TlsFront]:
    with TlsFront(node_url, certificates["server"], certificates["client"]) as front:
        yield front


def is_ready(url: str, **variables: str) -> bool:
    """Whether a store with these settings can use the cluster at that URL."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (variables | {"ELASTICSEARCH_URL": url, "ELASTICSEARCH_TIMEOUT": "5"}).items():
            environment.setenv(name, value)
        problems = Store(settings.load()).indices.readiness()
    assert problems in ([], [UNREACHABLE])
    return not problems


def test_question_which_client_to_install_is_verified_alike(
    mutual, front, certificates, monkeypatch, capfd
) -> None:
    server, client, other = (certificates[name] for name in ("server", "client", "other"))
    monkeypatch.delenv("ELASTICSEARCH_MAJOR", raising=False)
    authority = {"CA_CERTS": str(server.file)}
    own = {"CLIENT_CERT": str(client.file), "CLIENT_KEY": str(client.key_file)}
    for url, variables, verified in (
        (front.url, authority, True),
        (front.url, {"CA_CERTS": str(other.file)}, False),
        (front.url, {"CERT_FINGERPRINT": server.fingerprint.upper()}, True),
        (front.url, {"CERT_FINGERPRINT": other.fingerprint}, False),
        (front.url, {}, False),
        (mutual.url, authority | own, True),
        (mutual.url, authority, False),
    ):
        with monkeypatch.context() as environment:
            for name, value in {"URL": url, **variables}.items():
                environment.setenv(f"ELASTICSEARCH_{name}", value)
            client_major(ask=True)
        assert bool(capfd.readouterr().err) is not verified, variables


def test_certificate_authority_is_verified(front, certificates) -> None:
    assert is_ready(front.url, ELASTICSEARCH_CA_CERTS=str(certificates["server"].file))
    assert not is_ready(front.url, ELASTICSEARCH_CA_CERTS=str(certificates["other"].file))


def test_fingerprint_is_verified(front, certificates) -> None:
    assert is_ready(front.url, ELASTICSEARCH_CERT_FINGERPRINT=certificates["server"].fingerprint)
    assert not is_ready(front.url, ELASTICSEARCH_CERT_FINGERPRINT=certificates["other"].fingerprint)


def test_unknown_authority_is_refused_by_default(front) -> None:
    assert not is_ready(front.url)


def test_client_certificate_is_sent(mutual, certificates) -> None:
    authority = {"ELASTICSEARCH_CA_CERTS": str(certificates["server"].file)}

    def own(name: str) -> dict[str, str]:
        certificate = certificates[name]
        return {
            "ELASTICSEARCH_CLIENT_CERT": str(certificate.file),
            "ELASTICSEARCH_CLIENT_KEY": str(certificate.key_file),
        }

    assert is_ready(mutual.url, **authority, **own("client"))
    assert not is_ready(mutual.url, **authority, **own("other"))
    assert not is_ready(mutual.url, **authority)


class CertifiedNode(EmbeddedNode):
    """A node with TLS that accepts a client certificate as the credentials of a superuser."""

    def __init__(self, certificates: dict[str, Certificate]) -> None:
        self._certificates = certificates
        http = {
            "enabled": True,
            "certificate": "server.pem",
            "key": "server.key",
            "certificate_authorities": ["client.pem"],
            "client_authentication": "optional",
        }
        own = {f"xpack.security.http.ssl.{name}": value for name, value in http.items()} | {
            "xpack.security.enabled": True,
            "xpack.security.transport.ssl.enabled": False,
            "xpack.security.authc.realms.file.files.order": 0,
            "xpack.security.authc.realms.pki.certificates.order": 1,
            "xpack.license.self_generated.type": "trial",  # which includes PKI realms
        }
        users = {"admin": (password("admin"), ["superuser"])}
        super().__init__(major=client_major(), security=Security(users=users, settings=own))

    def _configure(self, home: Path) -> None:
        super()._configure(home)
        config = self.folder / "config"
        for file in (
            self._certificates["server"].file,
            self._certificates["server"].key_file,
            self._certificates["client"].file,
        ):
            (config / file.name).write_bytes(file.read_bytes())
        (config / "role_mapping.yml").write_text('superuser: ["CN=client"]\n')

    def _address(self) -> str | None:
        address = super()._address()
        return address and address.replace("http://127.0.0.1", "https://localhost")


@pytest.mark.timeout(240)  # a node of its own
def test_client_certificate_of_the_service_grants_nothing_to_callers(certificates, monkeypatch) -> None:
    server, client = certificates["server"], certificates["client"]
    monkeypatch.setenv("SSL_CERT_FILE", str(server.file))
    with CertifiedNode(certificates) as node:
        monkeypatch.setenv("ELASTICSEARCH_URL", node.url)
        monkeypatch.setenv("ELASTICSEARCH_CA_CERTS", str(server.file))
        monkeypatch.setenv("ELASTICSEARCH_CLIENT_CERT", str(client.file))
        monkeypatch.setenv("ELASTICSEARCH_CLIENT_KEY", str(client.key_file))
        store = Store(settings.load())
        # The certificate is the only credential of the service. The node accepts it only once its own indices exist.
        deadline = time.monotonic() + 60
        while problems := store.indices.readiness():
            assert time.monotonic() < deadline, problems
            time.sleep(0.1)
        known = Credentials(basic("admin")["Authorization"], None)
        assert "manage_connector" in store.security.caller(known, frozenset()).granted
        for authorization, run_as in itertools.product((None, "", "Nonsense"), (None, "admin")):
            with pytest.raises(ApiError) as raised:
                store.security.caller(Credentials(authorization, run_as), frozenset())
            assert raised.value.status == 401
            assert [name for name, _ in raised.value.headers] == ["WWW-Authenticate"] * len(
                raised.value.headers
            )
            assert raised.value.headers
