"""How long the suites run, and with which seed."""

from __future__ import annotations

import os
import secrets

import pytest

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
"""How long each load runs: `make soak` says so. What comes after it takes a minute or two more."""
LONG = SECONDS >= 300
"""Long enough to see that the leader frees what no claim takes over, which takes five minutes."""
TIMEOUT = pytest.mark.timeout(600 + 2 * SECONDS)


@pytest.fixture
def seed() -> str:
    """SOAK_SEED, or a new one. It decides what each thread does, not in which order all of them do it."""
    seed = os.environ.get("SOAK_SEED") or secrets.token_hex(4)
    print(f"SOAK_SEED={seed}")
    return seed
