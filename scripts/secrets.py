"""make secrets-key, make secrets-rotate: a new key for the stored secrets, and all of them under the first key."""

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
    """Read the key that a file keeps; make both where there is none.

    Args:
        file: Only its owner may read it. Its folder exists.

    Returns:
        The key, as the settings take it. Of several processes that make one at once, all get the same.

    Raises:
        OSError: The file can be neither read nor written.
    """
    if not file.exists():
        with tempfile.NamedTemporaryFile("w", dir=file.parent) as made:  # open to nobody else
            made.write(new_key())
            made.flush()
            os.fsync(made.fileno())
            with suppress(FileExistsError):
                os.link(made.name, file)  # whole from the first moment, and never over another one
    return file.read_text("ascii")


def main() -> int:
    """Carry out one command.

    Returns:
        The exit status: 0, or 1 when something is left for the operator to do.
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
        f"Secrets under the key [{vault.keyring.first}]: {total}, {rotation.reencrypted} of them encrypted anew."
    )
    for secret_id, error in rotation.failed.items():
        print(f"The secret [{secret_id}] cannot be decrypted: {error}", file=sys.stderr)
    return 1 if rotation.failed else 0


if __name__ == "__main__":
    sys.exit(main())
