"""A write that Elasticsearch carried out although its answer was lost: the result says what the request did."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.endpoints import SECRETS_PATH
from tests.service import SECRETS_KEY, Service
from tests.wiretap import Which, Wiretap, nth, to

DOCUMENT = to("/_doc/", "/_create/")


@pytest.fixture(scope="module")
def tapped(tap: Wiretap) -> Iterator[Service]:
    """A service that reaches Elasticsearch through the tap."""
    with Service(tap.url, SECRETS_KEYS=SECRETS_KEY, WORKERS="1") as service:
        service.wait_until_ready()
        yield service


WRITES: list[Callable[[], Which]] = [
    lambda: nth(1, DOCUMENT),
    lambda: nth(2, DOCUMENT),
]


@pytest.mark.parametrize("lost", WRITES, ids=["first", "second"])
@pytest.mark.parametrize("before", [None, "old"], ids=["new", "replaced"])
def test_the_result_of_a_put_whose_answer_was_lost(service, tap, tapped, lost, before) -> None:
    path = f"{SECRETS_PATH}/mine"
    if before is not None:
        service.http.put(path, json={"value": before})
    with tap.losing(lost(), answers=True):
        answer = tapped.http.put(path, json={"value": "new"})
    expected = (201, {"result": "created"}) if before is None else (200, {"result": "updated"})
    assert (answer.status_code, answer.json()) == expected
    assert service.http.get(path).json()["value"] == "new"
