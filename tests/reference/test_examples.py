"""Every example of the API reference is a real request, and its response is the real one."""

from __future__ import annotations

from typing import Any

import pytest

from app.api_reference.document import OPERATIONS
from tests.reference.calls import call, comparable, violations
from tests.reference.world import World

EXAMPLES = [(endpoint, name) for endpoint, said in OPERATIONS.items() for name in said.examples]


@pytest.mark.parametrize(("endpoint", "example"), EXAMPLES)
def test_example_gets_the_response_that_the_reference_shows(
    document: dict[str, Any], world: World, endpoint: str, example: str
) -> None:
    documented = call(document, endpoint, example)
    response = documented.of_job(world.prepare(endpoint, example)).send(world.http)
    assert response.status_code == documented.status, response.text
    assert response.headers["Content-Type"].partition(";")[0] == documented.media_type
    if documented.media_type != "application/json":
        assert response.text.startswith(documented.response)
        return
    assert comparable(response.json()) == comparable(documented.response)
    assert violations(document, documented, response) == []
