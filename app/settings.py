"""Every setting of the service: one environment variable each, typed, checked once at the start."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, EnvError, validate
from marshmallow.validate import Validator

from app.compatibility import DOCUMENTED, MODES, Compatibility

_KEY_BYTES = 32  # of AES-256
_TRACING_PACKAGES = (
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.flask",
    "opentelemetry.sdk",
)
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


class SettingsError(Exception):
    """A setting that cannot be used. The message is one sentence that names the variable and never shows a secret."""


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
        # Only the number of the key: what is wrong with it is as secret as the key itself.
        if len(key) != _KEY_BYTES:
            raise SettingsError(
                f"SECRETS_KEYS must be keys of {_KEY_BYTES} bytes in base64, separated by commas; number "
                f"{len(keys) + 1} is none. `make secrets-key` prints a new one."
            )
        if key in keys:
            raise SettingsError(f"SECRETS_KEYS names the same key twice: number {len(keys) + 1} is not new.")
        keys.append(key)
    return tuple(keys)


def _setting(
    kind: str,
    default: Any,
    text: str,
    *,
    check: Validator | None = None,
    convert: Callable[[Any], Any] = lambda value: value,
    secret: bool = False,
) -> Any:
    """One environment variable, named as the field: how environs reads it, its default, and what it is for."""
    declaration = {"kind": kind, "default": default, "help": text, "check": check, "convert": convert}
    return field(repr=not secret, metadata=declaration)


def _or_none(text: str) -> str | None:
    return text or None


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the service, from its environment: each field is a variable of the same name in capitals."""

    host: str = _setting("str", "127.0.0.1", "The address to listen on.", check=validate.Length(min=1))
    port: int = _setting("int", 9280, "The port to listen on.", check=validate.Range(0, 65535))
    workers: int = _setting("int", 2, "Processes.", check=validate.Range(1, 64))
    threads: int = _setting(
        "int", 32, "Threads in each process; one carries one request at a time.", check=validate.Range(1, 512)
    )
    elasticsearch_url: tuple[str, ...] = _setting(
        "str",
        "http://127.0.0.1:9200",
        "The cluster: one address, or several of the same cluster separated by commas.",
        convert=_urls,
    )
    elasticsearch_username: str | None = _setting("str", "", "The service's own user.", convert=_or_none)
    elasticsearch_password: str | None = _setting(
        "str", "", "The password of that user.", convert=_or_none, secret=True
    )
    elasticsearch_api_key: str | None = _setting(
        "str",
        "",
        "Instead of a user: an API key, in base64 as Elasticsearch's `encoded`.",
        convert=_or_none,
        secret=True,
    )
    elasticsearch_ca_certs: str | None = _setting(
        "str", "", "A file with the certificates of the cluster's authority.", convert=_or_none
    )
    elasticsearch_client_cert: str | None = _setting(
        "str", "", "A file with a client certificate of the service.", convert=_or_none
    )
    elasticsearch_client_key: str | None = _setting(
        "str", "", "A file with the key of that certificate.", convert=_or_none
    )
    elasticsearch_cert_fingerprint: str | None = _setting(
        "str",
        "",
        "Instead of an authority: the SHA-256 fingerprint of the cluster's certificate, in hexadecimal digits.",
        convert=_or_none,
    )
    elasticsearch_timeout: float = _setting(
        "float",
        10.0,
        "Seconds to wait for one response of Elasticsearch before the client gets a 503.",
        check=validate.Range(0.1, 300),
    )
    secrets_keys: tuple[bytes, ...] = _setting(
        "str",
        "",
        "The keys of secrets, separated by commas: the first encrypts, all decrypt. None: no secrets.",
        convert=_keys,
        secret=True,
    )
    authorization_cache_seconds: float = _setting(
        "float",
        5.0,
        "How long a caller's privileges are remembered. 0: Elasticsearch is asked for every request.",
        check=validate.Range(0, 3600),
    )
    compatibility: Compatibility = _setting(  # noqa: RUF009 - a field like the others
        "str",
        DOCUMENTED.name,
        "`documented`, or `elasticsearch` for clients that rely on what the original does instead.",
        check=validate.OneOf(list(MODES)),
        convert=MODES.__getitem__,
    )
    refresh: str = _setting(
        "str",
        "",
        "`search`: searches refresh first. `write`: every write does. None: as COMPATIBILITY says.",
        check=validate.OneOf(["", "search", "write"]),
    )
    claim_resend_window: float = _setting(
        "float",
        60.0,
        "Seconds within which a worker may send the claim that it won once more. 0: never.",
        check=validate.Range(0, 86_400),
    )
    max_body_bytes: int = _setting(
        "int",
        100 * 1024 * 1024,
        "The largest request body, counted after decompression.",
        check=validate.Range(1024, 2**31),
    )
    metrics_public: bool = _setting(
        "bool", False, "Whether `/metrics` is shown without credentials; else it needs `monitor_connector`."
    )
    tracing: bool = _setting(
        "bool", False, "Requests are traced with OpenTelemetry, as its OTEL_ variables say."
    )
    log_level: str = _setting(
        "str", "info", "What is logged.", check=validate.OneOf(["debug", "info", "warning", "error"])
    )
    log_format: str = _setting(
        "str",
        "auto",
        "`json`, `console` or `auto`: console when standard error is a terminal.",
        check=validate.OneOf(["auto", "json", "console"]),
    )

    @property
    def refreshing(self) -> str:
        """Who refreshes, `search` or `write`."""
        return self.refresh or self.compatibility.refresh

    @property
    def uses_tls_options(self) -> bool:
        """Whether any setting is about certificates."""
        return any(
            (self.elasticsearch_ca_certs, self.elasticsearch_client_cert, self.elasticsearch_cert_fingerprint)
        )


def load() -> Settings:
    """Read the settings from the environment. Raises `SettingsError` on the first value that cannot be used."""
    env = Env()
    try:
        settings = Settings(**{each.name: _read(env, each.name, each.metadata) for each in fields(Settings)})
    except EnvError as error:
        raise SettingsError(str(error)) from None
    _check_credentials(settings)
    if settings.tracing and not all(map(_is_installed, _TRACING_PACKAGES)):
        raise SettingsError(
            "TRACING needs packages that are not installed: `make run TRACING=1` installs them, and an image has them "
            "when it is built with `--build-arg TRACING=1`."
        )
    return settings


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a parent
        return False


def _read(env: Env, name: str, declared: Mapping[str, Any]) -> Any:
    read = getattr(env, declared["kind"])
    return declared["convert"](read(name.upper(), declared["default"], validate=declared["check"]))


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
    if settings.uses_tls_options and not all(url.startswith("https:") for url in settings.elasticsearch_url):
        raise SettingsError(
            "ELASTICSEARCH_URL must be https:// where ELASTICSEARCH_CA_CERTS, ELASTICSEARCH_CLIENT_CERT or "
            "ELASTICSEARCH_CERT_FINGERPRINT is set."
        )
    if key and user:
        raise SettingsError(
            "ELASTICSEARCH_API_KEY and ELASTICSEARCH_USERNAME exclude each other: set one of them."
        )
