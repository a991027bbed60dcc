"""An invalid setting stops the start with an error message that names it and contains no secret."""

from __future__ import annotations

import base64

import pytest

from app import settings

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.__slots__:
        monkeypatch.delenv(name.upper(), raising=False)


def test_default_address_is_loopback() -> None:
    loaded = settings.load()
    assert (loaded.host, loaded.port) == ("127.0.0.1", 9280)
    assert loaded.elasticsearch_url == ("http://127.0.0.1:9200",)


def test_url_may_list_several_addresses(monkeypatch) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://one:9200, https://two:9200/ ,http://[::1]:9200")
    assert settings.load().elasticsearch_url == ("http://one:9200", "https://two:9200", "http://[::1]:9200")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("THREADS", "many"),
        ("ELASTICSEARCH_URL", "localhost"),
        ("ELASTICSEARCH_URL", "ftp://localhost"),
        ("ELASTICSEARCH_URL", "http://localhost:99999"),
        ("ELASTICSEARCH_URL", " , "),
        ("ELASTICSEARCH_URL", "http://user:the-secret@localhost:9200"),
        ("ELASTICSEARCH_USERNAME", "user"),
        ("ELASTICSEARCH_PASSWORD", "the-secret"),
        ("ELASTICSEARCH_CA_CERTS", "/no/such/file"),
        ("ELASTICSEARCH_CLIENT_CERT", "/no/such/file"),
        ("ELASTICSEARCH_CERT_FINGERPRINT", "abc"),
        ("ELASTICSEARCH_TIMEOUT", "0"),
        ("AUTHORIZATION_CACHE_SECONDS", "-1"),
        ("COMPATIBILITY", "kibana"),
        ("REFRESH", "often"),
        ("CLAIM_RESEND_WINDOW", "-1"),
        ("MAX_BODY_BYTES", "1"),
        ("TRACING", "often"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("SECRETS_KEYS", "the-secret"),
    ],
)
def test_invalid_setting_is_named_in_the_error(monkeypatch, variable, value) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(settings.SettingsError) as refused:
        settings.load()
    assert variable in str(refused.value)
    assert "the-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("compatibility", "refresh", "refreshing"),
    [
        (None, None, "search"),
        ("documented", None, "search"),
        ("elasticsearch", None, "write"),
        ("elasticsearch", "", "write"),
        ("documented", "write", "write"),
        ("elasticsearch", "search", "search"),
    ],
)
def test_refresh_is_what_compatibility_says_unless_set(
    monkeypatch, compatibility, refresh, refreshing
) -> None:
    for name, value in (("COMPATIBILITY", compatibility), ("REFRESH", refresh)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert settings.load().refreshing == refreshing


def test_user_and_api_key_cannot_be_combined(monkeypatch) -> None:
    monkeypatch.setenv("ELASTICSEARCH_USERNAME", "user")
    monkeypatch.setenv("ELASTICSEARCH_PASSWORD", "the-secret")
    monkeypatch.setenv("ELASTICSEARCH_API_KEY", "the-secret")
    with pytest.raises(settings.SettingsError, match="ELASTICSEARCH_API_KEY and ELASTICSEARCH_USERNAME"):
        settings.load()


def test_repr_of_the_settings_has_no_secrets(monkeypatch) -> None:
    monkeypatch.setenv("ELASTICSEARCH_API_KEY", "the-secret")
    monkeypatch.setenv("SECRETS_KEYS", KEY)
    shown = repr(settings.load())
    assert "the-secret" not in shown
    assert "kkkk" not in shown
