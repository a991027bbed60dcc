"""No key, no secrets; all the rest works."""

from __future__ import annotations

import pytest

from app.store import index_problems
from app.store.index_definitions import SECRETS
from tests.endpoints import OF_SECRETS, SECRETS_PATH
from tests.responses import unplaced_error

REASON = "Secrets are stored encrypted, and this service has no key: its setting SECRETS_KEYS is empty."


@pytest.mark.parametrize("endpoint", OF_SECRETS, ids=lambda endpoint: endpoint.action)
def test_every_endpoint_is_501_and_says_which_setting(keyless, endpoint):
    assert unplaced_error(endpoint.of("a").send(keyless.http)) == (501, "status_exception", REASON)


def test_what_is_wrong_with_a_request_is_told_first(keyless):
    assert keyless.http.put(f"{SECRETS_PATH}/a", json={}).status_code == 400


def test_a_missing_index_is_told_with_the_setting_that_asks_for_it():
    text = index_problems.absent(SECRETS).text
    assert text.startswith(
        "There is no index behind the alias [connector-secrets], which the setting SECRETS_KEYS asks for: "
    )
    assert "has the privilege [manage] on [connector-secrets*]" in text
