"""Every setting of the service: one environment variable each, typed, checked once at the start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from environs import Env, EnvError, validate

from app.compatibility import DOCUMENTED, MODES, Compatibility
from app.settings import values
from app.settings.values import SettingsError, setting

__all__ = ["Settings", "SettingsError", "load"]

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")
_TRACING_PACKAGES = (
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.flask",
    "opentelemetry.sdk",
)


def _or_none(text: str) -> str | None:
    return text or None


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the service, from its environment: each field is a variable of the same name in capitals."""

    host: str = setting("str", "127.0.0.1", "The address to listen on.", check=validate.Length(min=1))
    port: int = setting("int", 9280, "The port to listen on.", check=validate.Range(0, 65535))
    workers: int = setting("int", 2, "Processes.", check=validate.Range(1, 64))
    threads: int = setting(
        "int", 32, "Threads in each process; one carries one request at a time.", check=validate.Range(1, 512)
    )
    elasticsearch_url: tuple[str, ...] = setting(
        "str",
        "http://127.0.0.1:9200",
        "The cluster: one address, or several of the same cluster separated by commas.",
        convert=values.urls,
    )
    elasticsearch_username: str | None = setting("str", "", "The service's own user.", convert=_or_none)
    elasticsearch_password: str | None = setting(
        "str", "", "The password of that user.", convert=_or_none, secret=True
    )
    elasticsearch_api_key: str | None = setting(
        "str",
        "",
        "Instead of a user: an API key, in base64 as Elasticsearch's `encoded`.",
        convert=_or_none,
        secret=True,
    )
    elasticsearch_ca_certs: str | None = setting(
        "str", "", "A file with the certificates of the cluster's authority.", convert=_or_none
    )
    elasticsearch_client_cert: str | None = setting(
        "str", "", "A file with a client certificate of the service.", convert=_or_none
    )
    elasticsearch_client_key: str | None = setting(
        "str", "", "A file with the key of that certificate.", convert=_or_none
    )
    elasticsearch_cert_fingerprint: str | None = setting(
        "str",
        "",
        "Instead of an authority: the SHA-256 fingerprint of the cluster's certificate, in hexadecimal digits.",
        convert=_or_none,
    )
    elasticsearch_timeout: float = setting(
        "float",
        10.0,
        "Seconds to wait for one response of Elasticsearch before the client gets a 503.",
        check=validate.Range(0.1, 300),
    )
    secrets_keys: tuple[bytes, ...] = setting(
        "str",
        "",
        "The keys of secrets, separated by commas: the first encrypts, all decrypt. None: no secrets.",
        convert=values.keys,
        secret=True,
    )
    authorization_cache_seconds: float = setting(
        "float",
        5.0,
        "How long a caller's privileges are remembered. 0: Elasticsearch is asked for every request.",
        check=validate.Range(0, 3600),
    )
    compatibility: Compatibility = setting(
        "str",
        DOCUMENTED.name,
        "`documented`, or `elasticsearch` for clients that rely on what the original does instead.",
        check=validate.OneOf(list(MODES)),
        convert=MODES.__getitem__,
    )
    refresh: str = setting(
        "str",
        "",
        "`search`: searches refresh first. `write`: every write does. None: as COMPATIBILITY says.",
        check=validate.OneOf(["", "search", "write"]),
    )
    claim_resend_window: float = setting(
        "float",
        60.0,
        "Seconds within which a worker may send the claim that it won once more. 0: never.",
        check=validate.Range(0, 86_400),
    )
    maintenance_interval: timedelta = setting(
        "str",
        "30s",
        "How often the leader of all replicas looks for what hangs or is due. 0: these processes never lead.",
        convert=partial(values.duration, "MAINTENANCE_INTERVAL"),
    )
    rescue_idle_after: timedelta = setting(
        "str",
        "10m",
        "The leader ends jobs whose worker was not heard of for longer. 0: it does not.",
        convert=partial(values.duration, "RESCUE_IDLE_AFTER"),
    )
    retention: timedelta = setting(
        "str",
        "0",
        "The leader deletes jobs that ended longer ago, once an hour. 0: it does not.",
        convert=partial(values.duration, "RETENTION"),
    )
    retention_keep_last: int = setting(
        "int",
        10,
        "How many finished jobs of each connector and job type stay in any case.",
        check=validate.Range(0, 2**31),
    )
    scheduler: bool = setting(
        "bool", False, "Whether the leader creates the jobs that connectors' schedules ask for."
    )
    max_body_bytes: int = setting(
        "int",
        100 * 1024 * 1024,
        "The largest request body, counted after decompression.",
        check=validate.Range(1024, 2**31),
    )
    ui: str = setting(
        "str",
        "on",
        "The page at `/_connector/_ui/`: `on`, `read-only` without any action, or `off`.",
        check=validate.OneOf(["on", "read-only", "off"]),
    )
    metrics_public: bool = setting(
        "bool", False, "Whether `/metrics` is shown without credentials; else it needs `monitor_connector`."
    )
    tracing: bool = setting(
        "bool", False, "Requests are traced with OpenTelemetry, as its OTEL_ variables say."
    )
    log_level: str = setting(
        "str", "info", "What is logged.", check=validate.OneOf(["debug", "info", "warning", "error"])
    )
    log_format: str = setting(
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
