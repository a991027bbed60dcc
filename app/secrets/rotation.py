"""All secrets under the first key, while the service runs: afterwards the other keys are no longer needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.secrets.encryption import DecryptionError
from app.secrets.operations import Vault
from app.store.failures import IndexMissing
from app.store.scripts import Responses, Verdict, load
from app.store.search import DOCUMENT_ID, Hit, Search

REENCRYPT = load(__package__, "reencrypt")

_RESULTS: Responses = {
    Verdict.UPDATED: "reencrypted",
    Verdict.DONE: "reencrypted",
    Verdict.OVERTAKEN: "overtaken",
}


@dataclass(slots=True)
class Rotation:
    """What became of the secrets, counted; `failed` says by id why a secret cannot be decrypted."""

    reencrypted: int = 0
    untouched: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def rotate(vault: Vault) -> Rotation:
    """Encrypt again every secret that is not under the first key, and open all the others to see that it can be done.

    May be repeated, and run beside services that write: what they write counts.
    """
    rotation = Rotation()
    for hit in _all(vault):
        try:
            reencrypted = _reencrypt(vault, hit)
        except DecryptionError as error:
            rotation.failed[hit.id] = str(error)
        else:
            rotation.reencrypted += reencrypted
            rotation.untouched += not reencrypted
    return rotation


def _all(vault: Vault) -> Iterator[Hit]:
    after = None
    while hits := vault.documents.search(Search(filters=(), sort_field=DOCUMENT_ID, after=after)).hits:
        yield from hits
        after = hits[-1].sort_values


def _reencrypt(vault: Vault, hit: Hit) -> bool:
    """Whether the secret needed it; one that was deleted meanwhile needs nothing."""
    document: dict[str, object] | None = hit.source
    while document is not None:
        value = vault.keyring.open(hit.id, document)
        if document["key_id"] == vault.keyring.first:
            return False
        params = {"read": document["value"], **vault.keyring.seal(hit.id, value)}
        try:
            outcome = vault.documents.transition(hit.id, REENCRYPT, params)
            if outcome is not None and outcome.respond(_RESULTS) == "reencrypted":
                return True
            document = vault.documents.get(hit.id)
        except IndexMissing:
            return False
    return False
