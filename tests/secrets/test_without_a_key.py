"""Without a key, the endpoints of secrets respond with 501."""

from __future__ import annotations

import pytest

from app.store import index_problems
from app.store.index_definitions import SECRETS
from tests.endpoints import OF_SECRETS, SECRETS_PATH
from tests.responses import unplaced_error

REASON = "Secrets are stored encrypted, and this service has no key: its setting SECRETS_KEYS is empty."


@pytest.mark.parametrize("endpoint", OF_SECRETS, ids=lambda endpoint: endpoint.action)
def test_every_endpoint_is_501_and_names_the_setting(keyless, endpoint):
    assert unplaced_error(endpoint.of("a").send(keyless.http)) == (501, "status_exception", REASON)


def test_invalid_request_is_reported_before_the_missing_key(keyless):
    assert keyless.http.put(f"{SECRETS_PATH}/a", json={}).status_code == 400


def test_error_for_a_missing_index_names_the_setting_that_needs_it():
    text = index_problems.absent(SECRETS).text
    assert text.startswith(
        "There is no index behind the alias [connector-secrets], which the setting SECRETS_KEYS asks for: "
    )
    assert "has the privilege [manage] on [connector-secrets*]" in text
