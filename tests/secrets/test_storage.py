"""The stored documents, and errors after other programs changed them."""

from __future__ import annotations

import base64

import pytest

from app.secrets.encryption import new_key
from app.secrets.operations import put
from app.store.index_definitions import SECRETS
from tests.endpoints import SECRETS_PATH
from tests.responses import unplaced_error

VALUE = "correct-horse-battery-staple"


def test_document_has_only_the_id_of_the_key_and_the_ciphertext(http, stored_secret):
    http.put(f"{SECRETS_PATH}/a", json={"value": VALUE})
    document = stored_secret("a")
    assert set(document) == {"key_id", "value"}
    assert VALUE.encode() not in base64.b64decode(document["value"])


def test_equal_values_have_different_ciphertexts(http, stored_secret):
    seen = set()
    for secret_id in ("a", "a", "b"):
        http.put(f"{SECRETS_PATH}/{secret_id}", json={"value": VALUE})
        seen.add(stored_secret(secret_id)["value"])
    assert len(seen) == 3


def test_index_is_hidden_with_a_minimal_mapping(service, elasticsearch):
    index = elasticsearch.indices.get(index=SECRETS.alias)[SECRETS.name]
    assert index["settings"]["index"]["hidden"] == "true"
    assert index["aliases"] == {SECRETS.alias: {"is_hidden": True}}
    assert index["mappings"]["dynamic"] == "false"
    assert index["mappings"]["properties"] == {"key_id": {"type": "keyword"}, "value": {"type": "binary"}}


@pytest.mark.parametrize("pattern", ["*", "connector*"])
def test_wildcard_search_does_not_find_secrets(http, elasticsearch, pattern):
    http.put(f"{SECRETS_PATH}/a", json={"value": VALUE})
    elasticsearch.indices.refresh(index=SECRETS.alias)
    hits = elasticsearch.search(index=pattern, size=1000)["hits"]["hits"]
    assert SECRETS.name not in {hit["_index"] for hit in hits}


def test_removed_alias_is_created_again_as_hidden(service, elasticsearch):
    elasticsearch.indices.delete_alias(index=SECRETS.name, name=SECRETS.alias)
    assert service.http.get("/readyz").status_code == 200
    aliases = elasticsearch.indices.get_alias(index=SECRETS.name)[SECRETS.name]["aliases"]
    assert aliases == {SECRETS.alias: {"is_hidden": True}}


def assert_not_decrypted(http, secret_id: str, because: str) -> None:
    response = http.get(f"{SECRETS_PATH}/{secret_id}")
    reason = f"The secret [{secret_id}] cannot be decrypted: {because}"
    assert unplaced_error(response) == (500, "status_exception", reason)


def test_value_copied_from_another_secret_is_not_decrypted(http, elasticsearch, stored_secret):
    for secret_id in ("public", "private"):
        http.put(f"{SECRETS_PATH}/{secret_id}", json={"value": secret_id})
    elasticsearch.index(index=SECRETS.alias, id="public", document=stored_secret("private"))
    assert_not_decrypted(http, "public", "its document was changed, or copied from another secret.")
    assert http.get(f"{SECRETS_PATH}/private").json()["value"] == "private"


def flipped(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("change", [flipped, lambda _: "", lambda _: "no base64!", lambda text: text[:8]])
def test_changed_value_is_not_decrypted(http, elasticsearch, stored_secret, change):
    http.put(f"{SECRETS_PATH}/a", json={"value": VALUE})
    document = stored_secret("a")
    elasticsearch.index(
        index=SECRETS.alias, id="a", document={**document, "value": change(document["value"])}
    )
    assert_not_decrypted(http, "a", "its document was changed, or copied from another secret.")


@pytest.mark.parametrize("document", [{}, {"value": VALUE}, {"key_id": 1, "value": "x"}, {"key_id": "x"}])
def test_document_of_another_program_is_not_decrypted(http, elasticsearch, document):
    elasticsearch.indices.put_mapping(index=SECRETS.alias, dynamic="false")
    elasticsearch.index(index=SECRETS.alias, id="a", document=document)
    assert_not_decrypted(http, "a", "its document was not written by this service.")


def test_error_names_the_unknown_key_of_a_value(http, open_vault, stored_secret):
    other = open_vault(new_key())
    put(other, "a", VALUE)
    because = f"it is encrypted with the key [{other.keyring.first}], which is none of SECRETS_KEYS."
    assert_not_decrypted(http, "a", because)
    assert http.put(f"{SECRETS_PATH}/a", json={"value": "anew"}).json() == {"result": "updated"}
    assert http.get(f"{SECRETS_PATH}/a").json()["value"] == "anew"
    assert http.delete(f"{SECRETS_PATH}/a").json() == {"deleted": True}


def test_readiness_needs_the_index_only_if_there_is_a_key(service, elasticsearch, keyless):
    elasticsearch.indices.delete(index=SECRETS.name)
    elasticsearch.indices.create(index=SECRETS.alias, settings={"hidden": True})
    try:
        response = service.http.get("/readyz")
        assert response.status_code == 503
        assert f"[{SECRETS.alias}] is an index, but must be an alias" in response.json()["error"]["reason"]
        keyless.wait_until_ready()
    finally:
        elasticsearch.indices.delete(index=SECRETS.alias)
    assert keyless.http.get("/readyz").status_code == 200
    assert not elasticsearch.indices.exists(index=SECRETS.alias)
    assert service.http.get("/readyz").status_code == 200
    assert elasticsearch.indices.exists(index=SECRETS.name)
