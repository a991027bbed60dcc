"""make secrets-key prints a new key for secrets; make secrets-rotate encrypts all stored secrets with the first key."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from app import logs
from app.errors import ApiError
from app.secrets.encryption import new_key
from app.secrets.operations import open_vault
from app.secrets.rotation import rotate
from app.settings import SettingsError, load
from app.store import Store


def kept_key(file: Path) -> str:
    """Read the key in a file; make the file with a new key if it does not exist.

    Args:
        file: The file, readable by its owner only. Its folder must exist.

    Returns:
        The key, as in SECRETS_KEYS. Processes that call this at the same time get the same key.

    Raises:
        OSError: The file cannot be read or written.
    """
    if not file.exists():
        with tempfile.NamedTemporaryFile("w", dir=file.parent) as temporary:  # mode 0600
            temporary.write(new_key())
            temporary.flush()
            os.fsync(temporary.fileno())
            with suppress(FileExistsError):
                os.link(temporary.name, file)  # atomic, and never replaces another process's file
    return file.read_text("ascii")


def main() -> int:
    """Run one command.

    Returns:
        The exit status: 0, or 1 if it failed or a secret could not be decrypted.
    """
    parser = argparse.ArgumentParser(prog="python3 -m scripts.secrets", description=__doc__)
    parser.add_argument("command", choices=["key", "rotate"])
    if parser.parse_args().command == "key":
        print(new_key())
        return 0
    try:
        return _rotate()
    except SettingsError as error:
        print(error, file=sys.stderr)
    except ApiError as error:
        print(error.cause.reason, file=sys.stderr)
    return 1


def _rotate() -> int:
    settings = load()
    logs.configure("error", "console")
    vault = open_vault(Store(settings), settings.secrets_keys)
    rotation = rotate(vault)
    total = rotation.reencrypted + rotation.untouched
    print(
        f"Secrets under the key [{vault.keyring.first}]: {total}, {rotation.reencrypted} of them re-encrypted."
    )
    for secret_id, error in rotation.failed.items():
        print(f"The secret [{secret_id}] cannot be decrypted: {error}", file=sys.stderr)
    return 1 if rotation.failed else 0


if __name__ == "__main__":
    sys.exit(main())
