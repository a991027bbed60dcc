"""Keys: the setting, the roles of the first key and the others, and the key file of `make run`."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import settings
from app.secrets.encryption import DecryptionError, Keyring, new_key
from scripts.secrets import kept_key
from tests.service import REPOSITORY

ONE, TWO = new_key(), new_key()


def load(monkeypatch, text: str) -> settings.Settings:
    monkeypatch.setenv("SECRETS_KEYS", text)
    return settings.load()


def test_keys_are_parsed_in_order_and_not_in_the_repr(monkeypatch):
    loaded = load(monkeypatch, f"{ONE}, {TWO}")
    assert [len(key) for key in loaded.secrets_keys] == [32, 32]
    assert loaded.secrets_keys == load(monkeypatch, f"{TWO},{ONE}").secrets_keys[::-1]
    assert "secrets_keys" not in repr(loaded)
    assert load(monkeypatch, " ").secrets_keys == ()


@pytest.mark.parametrize(
    "wrong",
    ["no base64!", "é", "", new_key()[:-4], new_key() + new_key()],
    ids=["no base64", "no ASCII", "empty", "short", "two"],
)
def test_error_names_an_invalid_key_by_its_number_only(monkeypatch, wrong):
    with pytest.raises(settings.SettingsError) as raised:
        load(monkeypatch, f"{ONE},{wrong}")
    assert str(raised.value) == (
        "SECRETS_KEYS must be keys of 32 bytes in base64, separated by commas; number 2 is none. "
        "`make secrets-key` prints a new one."
    )


def test_duplicate_key_is_refused(monkeypatch):
    with pytest.raises(settings.SettingsError, match="names the same key twice: number 3 is"):
        load(monkeypatch, f"{ONE},{TWO},{ONE}")


def test_service_with_an_invalid_key_does_not_start_and_shows_no_key(monkeypatch):
    monkeypatch.setenv("SECRETS_KEYS", "the-wrong-key")
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "SECRETS_KEYS must be keys" in ended.stderr
    assert "the-wrong-key" not in ended.stderr


def keyring(monkeypatch, *keys: str) -> Keyring:
    return Keyring(load(monkeypatch, ",".join(keys)).secrets_keys)


def test_first_key_encrypts_and_all_keys_decrypt(monkeypatch):
    old, new = keyring(monkeypatch, ONE), keyring(monkeypatch, TWO, ONE)
    document = old.seal("a", "v")
    assert new.open("a", document) == "v"
    assert document["key_id"] == old.first != new.first == new.seal("a", "v")["key_id"]
    with pytest.raises(DecryptionError):
        old.open("a", new.seal("a", "v"))


def test_id_of_a_key_is_not_part_of_the_key(monkeypatch):
    ring = keyring(monkeypatch, ONE)
    key = load(monkeypatch, ONE).secrets_keys[0]
    assert len(ring.first) == 16
    assert ring.first not in key.hex()


def test_key_file_of_make_run_is_readable_by_its_owner_only(tmp_path, monkeypatch):
    file = tmp_path / "secrets.key"
    key = kept_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kept_key(file) == key
    assert len(load(monkeypatch, key).secrets_keys) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_processes_that_create_the_key_file_at_once_get_the_same_key(tmp_path):
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: kept_key(tmp_path / "secrets.key"), range(64)))
    assert len(keys) == 1


def test_command_prints_only_a_key(monkeypatch):
    output = subprocess.check_output(
        [sys.executable, "-m", "scripts.secrets", "key"], cwd=REPOSITORY, text=True
    )
    assert output.endswith("\n")
    assert len(load(monkeypatch, output.strip()).secrets_keys) == 1
