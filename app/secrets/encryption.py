"""Values encrypted for storage: AES-256-GCM from the library `cryptography`, under keys that can be changed.

The same library's Fernet would be less code, but binds a value to nothing: who may write the index, without any key, could
copy one secret's value into another secret's document and have the service hand it out there. GCM authenticates the id
along with the value, so that a copy does not open. Beside each value stands the id of its key, a fingerprint: it says which
key is missing where a value does not open, and which values a rotation still has before it.

Each value gets a random nonce of 96 bits, good for 2**32 values a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class DecryptionError(Exception):
    """A stored value cannot be decrypted. The text says why, and shows neither the value nor what is stored."""


def new_key() -> str:
    """A new random key, as the settings take it."""
    return base64.b64encode(AESGCM.generate_key(256)).decode()


class Keyring:
    """Keys of 32 bytes, at least one: the first one encrypts, all of them decrypt."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_fingerprint(key): AESGCM(key) for key in keys}
        self.first = next(iter(self._ciphers))

    def seal(self, secret_id: str, value: str) -> dict[str, str]:
        """The document that keeps `value` under the first key: its `key_id`, and nonce and ciphertext in base64."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[self.first].encrypt(nonce, value.encode(), _bound_to(secret_id))
        return {"key_id": self.first, "value": base64.b64encode(nonce + ciphertext).decode()}

    def open(self, secret_id: str, document: Mapping[str, Any]) -> str:
        """The value that `seal` made the document of. Raises `DecryptionError`."""
        key_id, stored = document.get("key_id"), document.get("value")
        if not isinstance(key_id, str) or not isinstance(stored, str):
            raise DecryptionError("its document was not written by this service.")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DecryptionError(f"it is encrypted with the key [{key_id}], which is none of SECRETS_KEYS.")
        try:
            sealed = base64.b64decode(stored, validate=True)
            value = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(secret_id))
        except (binascii.Error, ValueError, InvalidTag):
            raise DecryptionError("its document was changed, or copied from another secret.") from None
        return value.decode()


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"connector-secrets key id:" + key).hexdigest()[:16]


def _bound_to(secret_id: str) -> bytes:
    return b"connector-secrets:" + secret_id.encode("utf-8", "surrogatepass")
