"""Every setting of the service: one environment variable each, typed, checked once at the start."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError, validate

_KEY_BYTES = 32  # of AES-256
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


class SettingsError(Exception):
    """A setting that cannot be. The message is one sentence that names the variable and never shows a secret."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service was told by its environment. `load` documents each variable."""

    host: str
    port: int
    workers: int
    threads: int
    elasticsearch_urls: tuple[str, ...]
    elasticsearch_username: str | None
    elasticsearch_password: str | None = field(repr=False)
    elasticsearch_api_key: str | None = field(repr=False)
    elasticsearch_ca_certs: str | None
    elasticsearch_client_cert: str | None
    elasticsearch_client_key: str | None
    elasticsearch_cert_fingerprint: str | None
    elasticsearch_timeout: float
    secrets_keys: tuple[bytes, ...] = field(repr=False)
    authorization_cache_seconds: float
    refresh: str
    claim_resend_window: float
    max_body_bytes: int
    log_level: str
    log_format: str

    @property
    def uses_tls_options(self) -> bool:
        """Whether anything is said about certificates."""
        return any(
            (self.elasticsearch_ca_certs, self.elasticsearch_client_cert, self.elasticsearch_cert_fingerprint)
        )


def load() -> Settings:
    """Read the settings from the environment. Raises `SettingsError` on the first value that cannot be."""
    env = Env()
    try:
        settings = Settings(
            # The address to listen on.
            host=env.str("HOST", "127.0.0.1", validate=validate.Length(min=1)),
            port=env.int("PORT", 9280, validate=validate.Range(0, 65535)),
            # Processes, and threads in each; a thread carries one request at a time.
            workers=env.int("WORKERS", 2, validate=validate.Range(1, 64)),
            threads=env.int("THREADS", 32, validate=validate.Range(1, 512)),
            # The cluster: one address or several of the same cluster, separated by commas.
            elasticsearch_urls=_urls(env.str("ELASTICSEARCH_URL", "http://127.0.0.1:9200")),
            # The service's own credentials: a user, or an API key (base64 as Elasticsearch's `encoded`).
            elasticsearch_username=env.str("ELASTICSEARCH_USERNAME", None) or None,
            elasticsearch_password=env.str("ELASTICSEARCH_PASSWORD", None) or None,
            elasticsearch_api_key=env.str("ELASTICSEARCH_API_KEY", None) or None,
            # A file with the certificates of the authority that signed the cluster's.
            elasticsearch_ca_certs=env.str("ELASTICSEARCH_CA_CERTS", None) or None,
            # Files with a certificate of the service's own, and its key.
            elasticsearch_client_cert=env.str("ELASTICSEARCH_CLIENT_CERT", None) or None,
            elasticsearch_client_key=env.str("ELASTICSEARCH_CLIENT_KEY", None) or None,
            # Instead of an authority: the SHA-256 fingerprint of the cluster's certificate, in hexadecimal digits.
            elasticsearch_cert_fingerprint=env.str("ELASTICSEARCH_CERT_FINGERPRINT", None) or None,
            # Seconds to wait for one answer of Elasticsearch before the client gets a 503.
            elasticsearch_timeout=env.float("ELASTICSEARCH_TIMEOUT", 10.0, validate=validate.Range(0.1, 300)),
            # The keys of secrets, separated by commas: the first encrypts, all decrypt. None: no secrets.
            secrets_keys=_keys(env.str("SECRETS_KEYS", "")),
            # Seconds for which what a caller may do is remembered. 0: Elasticsearch is asked for every request.
            authorization_cache_seconds=env.float(
                "AUTHORIZATION_CACHE_SECONDS", 5.0, validate=validate.Range(0, 3600)
            ),
            # `search`: searches refresh first, writes are cheap. `write`: every write refreshes, as in the original.
            refresh=env.str("REFRESH", "search", validate=validate.OneOf(["search", "write"])),
            # Seconds within which a worker may send the claim that it won once more. 0: never.
            claim_resend_window=env.float("CLAIM_RESEND_WINDOW", 60.0, validate=validate.Range(0, 86_400)),
            # The largest request body in bytes, counted after decompression.
            max_body_bytes=env.int("MAX_BODY_BYTES", 100 * 1024 * 1024, validate=validate.Range(1024, 2**31)),
            log_level=env.str(
                "LOG_LEVEL", "info", validate=validate.OneOf(["debug", "info", "warning", "error"])
            ),
            # `json`, `console` or `auto`: console when standard error is a terminal.
            log_format=env.str("LOG_FORMAT", "auto", validate=validate.OneOf(["auto", "json", "console"])),
        )
    except EnvError as error:
        raise SettingsError(str(error)) from None
    _check_credentials(settings)
    return settings


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(url.strip().rstrip("/") for url in text.split(",") if url.strip())
    for url in urls:
        parts = urlsplit(url)
        try:
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if "@" in parts.netloc:
            raise SettingsError(
                "ELASTICSEARCH_URL must not contain credentials: "
                "use ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY."
            )
        if not usable:
            raise SettingsError(
                f"ELASTICSEARCH_URL must be http://host:port or https://host:port, not [{url}]."
            )
    if not urls:
        raise SettingsError(
            "ELASTICSEARCH_URL is empty: name at least one address, such as http://127.0.0.1:9200."
        )
    return urls


def _keys(text: str) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    for part in text.split(",") if text.strip() else ():
        try:
            key = base64.b64decode(part.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        # Which key it is must do: what is wrong with a key is as secret as the key.
        if len(key) != _KEY_BYTES:
            raise SettingsError(
                f"SECRETS_KEYS must be keys of {_KEY_BYTES} bytes in base64, separated by commas; number "
                f"{len(keys) + 1} is none. `make secrets-key` prints a new one."
            )
        if key in keys:
            raise SettingsError(f"SECRETS_KEYS names the same key twice: number {len(keys) + 1} is not new.")
        keys.append(key)
    return tuple(keys)


def _check_credentials(settings: Settings) -> None:
    user, password, key = (
        settings.elasticsearch_username,
        settings.elasticsearch_password,
        settings.elasticsearch_api_key,
    )
    if bool(user) != bool(password):
        raise SettingsError(
            "ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD go together: one of them is missing."
        )
    if bool(settings.elasticsearch_client_cert) != bool(settings.elasticsearch_client_key):
        raise SettingsError(
            "ELASTICSEARCH_CLIENT_CERT and ELASTICSEARCH_CLIENT_KEY go together: one of them is missing."
        )
    for variable, file in (
        ("ELASTICSEARCH_CA_CERTS", settings.elasticsearch_ca_certs),
        ("ELASTICSEARCH_CLIENT_CERT", settings.elasticsearch_client_cert),
        ("ELASTICSEARCH_CLIENT_KEY", settings.elasticsearch_client_key),
    ):
        if file and not Path(file).is_file():
            raise SettingsError(f"{variable} must name a file, but there is none at [{file}].")
    fingerprint = settings.elasticsearch_cert_fingerprint
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise SettingsError(
            "ELASTICSEARCH_CERT_FINGERPRINT must be 64 hexadecimal digits, with or without colons."
        )
    if settings.uses_tls_options and not all(url.startswith("https:") for url in settings.elasticsearch_urls):
        raise SettingsError(
            "ELASTICSEARCH_URL must be https:// where ELASTICSEARCH_CA_CERTS, ELASTICSEARCH_CLIENT_CERT or "
            "ELASTICSEARCH_CERT_FINGERPRINT is set."
        )
    if key and user:
        raise SettingsError(
            "ELASTICSEARCH_API_KEY and ELASTICSEARCH_USERNAME exclude each other: set one of them."
        )
