"""Profiles: addresses and credentials in a file, by name."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import click

SETTINGS = frozenset({"url", "api_key", "username", "password", "ca_certs", "fingerprint", "timeout"})
_SECRETS = frozenset({"api_key", "password"})
_DEFAULT = "default"


def load(context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Make the settings of a profile the defaults of the options; the callback of `--profile`.

    Raises:
        click.BadParameter: The file or the profile cannot be read, or the one that was named is missing.
    """
    file = _file()
    try:
        text = file.read_text("utf-8")
        profiles = tomllib.loads(text)
    except FileNotFoundError:
        profiles = {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise click.BadParameter(f"{file} is no TOML: {error}") from error
    profile = profiles.get(name or _DEFAULT, None if name else {})
    if profile is None:
        raise click.BadParameter(f"there is no profile {name!r} in {file}.")
    _reject_unknown(profile, f"{name or _DEFAULT!r} in {file}")
    if not context.resilient_parsing and any(_SECRETS & table.keys() for table in profiles.values()):
        _warn_if_others_may_read(file)
    context.default_map = profile
    return name


def _file() -> Path:
    return Path(
        os.environ.get("SYNC_JOBS_PROFILES") or Path(click.get_app_dir("sync-jobs")) / "profiles.toml"
    )


def _reject_unknown(profile: Any, place: str) -> None:
    if not isinstance(profile, dict):
        raise click.BadParameter(f"{place} is no table.")
    unknown = profile.keys() - SETTINGS
    if unknown:
        raise click.BadParameter(
            f"{place} has an unknown setting, {min(unknown)!r}; known are {', '.join(sorted(SETTINGS))}."
        )


def _warn_if_others_may_read(file: Path) -> None:
    if file.stat().st_mode & 0o077:
        click.echo(
            f"Warning: {file} has credentials, and other users may read it: chmod 600 {file}", err=True
        )
