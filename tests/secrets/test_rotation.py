"""Key rotation: repeated, during writes of the service, and with values that cannot be decrypted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from app.secrets import operations
from app.secrets.encryption import new_key
from app.secrets.rotation import rotate
from app.store.index_definitions import SECRETS
from tests.service import REPOSITORY, SECRETS_KEY

NEW = new_key()


@pytest.fixture
def old_vault(service, open_vault):
    return open_vault(SECRETS_KEY)


@pytest.fixture
def two_key_vault(service, open_vault):
    return open_vault(NEW, SECRETS_KEY)


def test_all_secrets_are_reencrypted_once_page_by_page(old_vault, two_key_vault, open_vault):
    values = {f"secret-{number}": f"value {number}" for number in range(130)}
    for secret_id, value in values.items():
        operations.put(old_vault, secret_id, value)
    already = operations.create(two_key_vault, "under the new key")

    first, second = rotate(two_key_vault), rotate(two_key_vault)

    assert (first.reencrypted, first.untouched, first.failed) == (130, 1, {})
    assert (second.reencrypted, second.untouched, second.failed) == (0, 131, {})
    new = open_vault(NEW)
    assert {secret_id: operations.get(new, secret_id) for secret_id in values} == values
    assert operations.get(new, already) == "under the new key"


def test_rotation_without_an_index_does_nothing(two_key_vault, elasticsearch):
    elasticsearch.indices.delete(index=SECRETS.name)
    assert rotate(two_key_vault).untouched == 0


def interrupt(monkeypatch, vault, act) -> None:
    """Call `act` once, between the read of a secret and its write."""
    transition = vault.documents.transition
    pending = [act]

    def late(*arguments):
        if pending:
            pending.pop()()
        return transition(*arguments)

    monkeypatch.setattr(vault.documents, "transition", late)


def test_concurrent_put_under_the_new_key_is_kept(old_vault, two_key_vault, open_vault, monkeypatch):
    operations.put(old_vault, "a", "before")
    interrupt(monkeypatch, two_key_vault, lambda: operations.put(two_key_vault, "a", "meanwhile"))
    rotation = rotate(two_key_vault)
    assert (rotation.reencrypted, rotation.untouched) == (0, 1)
    assert operations.get(open_vault(NEW), "a") == "meanwhile"


def test_concurrent_put_under_the_old_key_is_kept_and_reencrypted(
    old_vault, two_key_vault, open_vault, monkeypatch
):
    operations.put(old_vault, "a", "before")
    interrupt(monkeypatch, two_key_vault, lambda: operations.put(old_vault, "a", "meanwhile"))
    rotation = rotate(two_key_vault)
    assert (rotation.reencrypted, rotation.untouched) == (1, 0)
    assert operations.get(open_vault(NEW), "a") == "meanwhile"


def test_concurrent_delete_is_kept(old_vault, two_key_vault, monkeypatch, elasticsearch):
    operations.put(old_vault, "a", "before")
    interrupt(monkeypatch, two_key_vault, lambda: operations.delete(two_key_vault, "a"))
    assert rotate(two_key_vault).reencrypted == 0
    assert not elasticsearch.exists(index=SECRETS.alias, id="a")


def test_concurrent_deletion_of_the_index_is_no_error(old_vault, two_key_vault, monkeypatch, elasticsearch):
    operations.put(old_vault, "a", "before")
    interrupt(monkeypatch, two_key_vault, lambda: elasticsearch.indices.delete(index=SECRETS.name))
    assert rotate(two_key_vault).reencrypted == 0


def test_undecryptable_values_are_listed_and_the_others_reencrypted(old_vault, two_key_vault, open_vault):
    operations.put(open_vault(new_key()), "b-lost", "lost")
    for secret_id in ("a", "c"):
        operations.put(old_vault, secret_id, "v")
    rotation = rotate(two_key_vault)
    assert rotation.reencrypted == 2
    assert list(rotation.failed) == ["b-lost"]


def test_no_concurrent_write_is_lost(old_vault, two_key_vault, service):
    """Writes under the old key go on during the rotation."""
    stop = threading.Event()
    last: dict[str, str] = {}

    def write(secret_id: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            operations.put(old_vault, secret_id, f"{secret_id} {number}")
            last[secret_id] = f"{secret_id} {number}"

    writers = [threading.Thread(target=write, args=(f"s{number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        service.wait_for(lambda: len(last) == 4)
        while not rotate(two_key_vault).reencrypted:
            pass
        for _ in range(10):
            rotate(two_key_vault)
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    rotate(two_key_vault)
    assert {secret_id: operations.get(two_key_vault, secret_id) for secret_id in last} == last


def command(node_url: str, *keys: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ELASTICSEARCH_")}
    return subprocess.run(
        [sys.executable, "-m", "scripts.secrets", "rotate"],
        cwd=REPOSITORY,
        env={**inherited, "ELASTICSEARCH_URL": node_url, "SECRETS_KEYS": ",".join(keys)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_command_prints_counts(old_vault, two_key_vault, node_url, http):
    for secret_id in ("a", "b"):
        operations.put(old_vault, secret_id, "v")
    done = command(node_url, NEW, SECRETS_KEY)
    again = command(node_url, NEW)
    prefix = f"Secrets under the key [{two_key_vault.keyring.first}]: 2, "
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{prefix}2 of them re-encrypted.\n", "")
    assert (again.returncode, again.stdout) == (0, f"{prefix}0 of them re-encrypted.\n")
    # The service still has the old key only.
    assert http.get("/_connector/_secret/a").status_code == 500


def test_command_names_undecryptable_secrets_and_fails(two_key_vault, node_url, open_vault):
    lost = open_vault(new_key())
    operations.put(lost, "a", "v")
    ended = command(node_url, NEW, SECRETS_KEY)
    assert ended.returncode == 1
    assert ended.stderr == (
        "The secret [a] cannot be decrypted: "
        f"it is encrypted with the key [{lost.keyring.first}], which is none of SECRETS_KEYS.\n"
    )


@pytest.mark.parametrize(
    ("keys", "url", "message"),
    [
        ((), None, "this service has no key"),
        (("x",), None, "SECRETS_KEYS must be keys"),
        ((NEW,), "http://127.0.0.1:9", "Elasticsearch cannot be reached"),
    ],
)
def test_command_fails_with_an_error_message(node_url, keys, url, message):
    ended = command(url or node_url, *keys)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
