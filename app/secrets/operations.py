"""What can be done with secrets: one function per use case, plain values in and out, else an `ApiError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from app.errors import ApiError, not_found, status_error
from app.secrets.encryption import DecryptionError, Keyring
from app.store import Store
from app.store.document_ids import new_id
from app.store.documents import Documents
from app.store.failures import IndexMissing
from app.store.scripts import Verdict, load

PUT = load(__package__, "put")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Vault:
    """Where secrets are kept, and the keys they are kept under."""

    documents: Documents
    keyring: Keyring


def open_vault(store: Store, keys: Sequence[bytes]) -> Vault:
    """The store's secrets under `keys`. Raises `ApiError` 501 where there is no key."""
    if not keys:
        raise status_error(
            501,
            "Secrets are stored encrypted, and this service has no key: its setting SECRETS_KEYS is empty.",
        )
    return Vault(store.secrets, Keyring(keys))


def create(vault: Vault, value: str) -> str:
    """Store a value; its new id."""
    secret_id = new_id()
    vault.documents.create(secret_id, vault.keyring.seal(secret_id, value))
    return secret_id


def put(vault: Vault, secret_id: str, value: str) -> str:
    """Store a value under that id, in place of the one before; the result, `created` or `updated`."""
    outcome = vault.documents.transition_or_create(secret_id, PUT, vault.keyring.seal(secret_id, value))
    return outcome.respond({Verdict.CREATED: "created", Verdict.UPDATED: "updated", Verdict.DONE: "updated"})


def get(vault: Vault, secret_id: str) -> str:
    """The value as it was given."""
    try:
        document = vault.documents.get(secret_id)
    except IndexMissing:
        raise _missing(secret_id) from None
    if document is None:
        raise _missing(secret_id)
    try:
        return vault.keyring.open(secret_id, document)
    except DecryptionError as error:
        log.error("secret_not_opened", secret_id=secret_id, reason=str(error))
        # 500, and no status that clients retry: only the operator can fix it.
        raise status_error(500, f"The secret [{secret_id}] cannot be decrypted: {error}") from None


def delete(vault: Vault, secret_id: str) -> None:
    """Delete the value."""
    try:
        deleted = vault.documents.delete(secret_id)
    except IndexMissing:
        raise _missing(secret_id) from None
    if not deleted:
        raise _missing(secret_id)


def _missing(secret_id: str) -> ApiError:
    return not_found(f"No secret with id [{secret_id}]")
