"""No request body causes a 5xx response, and a refused one writes nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store.index_definitions import SECRETS
from tests.bodies import TEXTS, VALUES, bodies
from tests.documents import count_writes
from tests.endpoints import SECRETS_PATH

NEAR = st.fixed_dictionaries({"value": TEXTS | VALUES}, optional={"id": VALUES})


@pytest.mark.parametrize(("method", "path"), [("POST", SECRETS_PATH), ("PUT", f"{SECRETS_PATH}/mine")])
def test_body_causes_no_5xx_and_a_refused_one_writes_nothing(http, elasticsearch, method, path) -> None:
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies(NEAR, ["value", "id"]))
    def check(body: bytes) -> None:
        before = count_writes(elasticsearch, [SECRETS.alias])
        response = http.request(method, path, data=body, headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 201, 400), response.text
        if response.status_code == 400:
            assert response.json()["error"]["reason"]
            assert count_writes(elasticsearch, [SECRETS.alias]) == before

    check()
