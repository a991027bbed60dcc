"""A value is only in the response to its GET, never in a log, in an error or unencrypted in Elasticsearch."""

from __future__ import annotations

import json
import traceback

import pytest
import requests

from app.secrets.encryption import DecryptionError, Keyring, new_key
from app.store.index_definitions import CONNECTORS, SECRETS, SYNC_JOBS
from tests.documents import empty
from tests.endpoints import SECRETS_PATH
from tests.no_leaks import JSON, MARKER, assert_no_leak, failing_bodies
from tests.service import SECRETS_KEY

FAILING_BODIES = [
    *failing_bodies('{"value": ', "}"),
    f'{{"value": "{MARKER}", "value": "{MARKER}"}}',
    f'{{"value": "{MARKER}", "other": "{MARKER}"}}',
    f'{{"value": ["{MARKER}"]}}',
    f'{{"value": {{"value": "{MARKER}"}}}}',
]


def send_everywhere(http) -> list[requests.Response]:
    """Send the marker to every endpoint, in valid and invalid requests; returns responses that must not show it."""
    responses = [
        http.post(SECRETS_PATH, json={"value": MARKER}),
        http.put(f"{SECRETS_PATH}/a", json={"value": MARKER}),
    ]
    for body in FAILING_BODIES:
        for method, path in (("POST", SECRETS_PATH), ("PUT", f"{SECRETS_PATH}/a")):
            responses.append(http.request(method, path, data=body.encode(), headers=JSON))
            responses.append(
                http.request(method, path, data=body.encode(), headers={"Content-Type": "text/plain"})
            )
    whole = {"json": {"value": MARKER}}
    responses += [
        http.get(f"{SECRETS_PATH}/a", **whole),
        http.delete(f"{SECRETS_PATH}/a", **whole),
        http.put(SECRETS_PATH, **whole),
        http.get(f"{SECRETS_PATH}/none?value={MARKER}"),
        http.put(f"{SECRETS_PATH}/a?value={MARKER}", **whole),
        http.put(f"{SECRETS_PATH}/{'x' * 600}", **whole),
        http.post(f"{SECRETS_PATH}?refresh={MARKER}", **whole),
    ]
    return responses


def test_value_is_in_no_other_response_and_in_no_log(service, elasticsearch):
    http = service.http
    responses = send_everywhere(http)
    shown = http.get(f"{SECRETS_PATH}/a")
    assert shown.json()["value"] == MARKER  # the value was stored, and a leaked marker would be found
    assert MARKER in shown.text
    elasticsearch.indices.put_settings(index=SECRETS.alias, settings={"index.blocks.write": True})
    try:
        responses += [http.put(f"{SECRETS_PATH}/a", json={"value": MARKER}), http.delete(f"{SECRETS_PATH}/a")]
    finally:
        elasticsearch.indices.put_settings(index=SECRETS.alias, settings={"index.blocks.write": None})
    assert responses[-1].status_code == 503
    responses.append(http.get("/readyz"))

    assert_no_leak(responses, service.log())
    assert SECRETS_KEY not in service.log()
    assert SECRETS_PATH in service.log()


def test_value_is_in_no_document(service, elasticsearch):
    empty(elasticsearch)  # remove documents of other tests from the other indices
    send_everywhere(service.http)
    indices = [SECRETS.alias, CONNECTORS.alias, SYNC_JOBS.alias]
    elasticsearch.indices.refresh(index=indices)
    found = elasticsearch.search(index=indices, size=10_000)["hits"]["hits"]
    assert SECRETS.name in {hit["_index"] for hit in found}
    assert MARKER not in json.dumps([dict(hit) for hit in found])


def test_error_of_an_undecryptable_value_shows_neither_value_nor_ciphertext(
    service, elasticsearch, stored_secret
):
    service.http.put(f"{SECRETS_PATH}/a", json={"value": MARKER})
    document = stored_secret("a")
    elasticsearch.index(index=SECRETS.alias, id="b", document=document)
    response = service.http.get(f"{SECRETS_PATH}/b")
    assert response.status_code == 500
    for text in (response.text, service.log()):
        assert document["value"] not in text
        assert MARKER not in text


def test_representations_and_tracebacks_show_neither_values_nor_keys():
    key = bytes(range(32))
    ring = Keyring([key])
    document = ring.seal("a", MARKER)
    with pytest.raises(DecryptionError) as raised:
        ring.open("b", document)
    shown = "".join(traceback.format_exception(raised.value)) + repr(ring) + str(vars(ring))
    for secret in (MARKER, document["value"], repr(key), key.hex(), new_key()):
        assert secret not in shown


def test_syntax_error_has_its_position_and_cause(service):
    response = service.http.post(SECRETS_PATH, data=b'{"value": bare}', headers=JSON)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "x_content_parse_exception")
    assert error["reason"].startswith("[1:16] Unrecognized token [not shown]: was expecting (JSON String, ")
    assert error["caused_by"]["reason"].startswith("Unrecognized token [not shown]: was expecting")
    response = service.http.post(SECRETS_PATH, data=b'{"value": 12345e999}', headers=JSON)
    assert response.json()["error"]["reason"] == "[1:20] Numeric value [not shown] out of range of double"
