"""After a write whose response from Elasticsearch was lost, the result still says what the request did."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.endpoints import SECRETS_PATH
from tests.fault_proxy import FaultProxy, Which, nth, to
from tests.service import SECRETS_KEY, Service

DOCUMENT = to("/_doc/", "/_create/")


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    """A service that reaches Elasticsearch through the proxy."""
    with Service(proxy.url, SECRETS_KEYS=SECRETS_KEY, WORKERS="1") as service:
        service.wait_until_ready()
        yield service


WRITES: list[Callable[[], Which]] = [
    lambda: nth(1, DOCUMENT),
    lambda: nth(2, DOCUMENT),
]


@pytest.mark.parametrize("lost", WRITES, ids=["first", "second"])
@pytest.mark.parametrize("before", [None, "old"], ids=["new", "replaced"])
def test_put_whose_response_was_lost_has_the_right_result(service, proxy, proxied, lost, before) -> None:
    path = f"{SECRETS_PATH}/mine"
    if before is not None:
        service.http.put(path, json={"value": before})
    with proxy.losing(lost(), responses=True):
        response = proxied.http.put(path, json={"value": "new"})
    expected = (201, {"result": "created"}) if before is None else (200, {"result": "updated"})
    assert (response.status_code, response.json()) == expected
    assert service.http.get(path).json()["value"] == "new"
