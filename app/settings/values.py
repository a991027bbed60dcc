"""How a setting is declared, and what the texts of some mean."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from marshmallow.validate import Validator

_KEY_BYTES = 32  # of AES-256


class SettingsError(Exception):
    """A setting that cannot be used. The message is one sentence that names the variable and never shows a secret."""


def setting(
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


def urls(text: str) -> tuple[str, ...]:
    """The addresses of one cluster, separated by commas. Raises `SettingsError`, as all of these."""
    found = tuple(url.strip().rstrip("/") for url in text.split(",") if url.strip())
    for url in found:
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
    if not found:
        raise SettingsError(
            "ELASTICSEARCH_URL is empty: name at least one address, such as http://127.0.0.1:9200."
        )
    return found


def keys(text: str) -> tuple[bytes, ...]:
    """Keys of AES-256 in base64, separated by commas; there may be none."""
    found: list[bytes] = []
    for part in text.split(",") if text.strip() else ():
        try:
            key = base64.b64decode(part.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        # Only the number of the key: what is wrong with it is as secret as the key itself.
        if len(key) != _KEY_BYTES:
            raise SettingsError(
                f"SECRETS_KEYS must be keys of {_KEY_BYTES} bytes in base64, separated by commas; number "
                f"{len(found) + 1} is none. `make secrets-key` prints a new one."
            )
        if key in found:
            raise SettingsError(f"SECRETS_KEYS names the same key twice: number {len(found) + 1} is not new.")
        found.append(key)
    return tuple(found)
