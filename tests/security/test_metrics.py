"""Who may scrape the metrics of a secured cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy, Request
from tests.secured import Start
from tests.service import Service


@pytest.fixture(scope="module")
def scraped(start_service: Start, set_up: None, proxy: FaultProxy) -> Iterator[Service]:
    """A service with one process that remembers no privileges."""
    with start_service("run", proxy.url, AUTHORIZATION_CACHE_SECONDS="0") as service:
        service.wait_until_ready()
        yield service


def everything(_request: Request) -> bool:
    return True


def test_metrics_need_the_privilege_to_monitor(guarded: Service, callers) -> None:
    statuses = {
        user: guarded.http.get("/metrics", headers=getattr(callers, user)).status_code
        for user in ("none", "wrong", "nothing", "secret_reader", "monitor", "manager", "restricted_key")
    }
    assert statuses == {
        "none": 401,
        "wrong": 401,
        "nothing": 403,
        "secret_reader": 403,
        "monitor": 200,
        "manager": 200,
        "restricted_key": 200,
    }


def test_public_metrics_need_no_credentials(start_service: Start, set_up: None, proxy: FaultProxy) -> None:
    with start_service("run", proxy.url, METRICS_PUBLIC="1") as service:
        assert service.http.get("/metrics").status_code == 200
        assert service.http.get("/_connector").status_code == 401
        with proxy.losing(everything):
            assert service.http.get("/metrics").status_code == 200


def test_known_callers_may_scrape_while_elasticsearch_is_away(
    scraped: Service, proxy: FaultProxy, callers
) -> None:
    users = ("none", "wrong", "nothing", "monitor", "manager")
    for user in users[:-1]:
        scraped.http.get("/metrics", headers=getattr(callers, user))
    with proxy.losing(everything):
        statuses = {u: scraped.http.get("/metrics", headers=getattr(callers, u)).status_code for u in users}
        assert scraped.http.get("/_connector", headers=callers.monitor).status_code == 503
    # `manager` has never been seen.
    assert statuses == {"none": 503, "wrong": 503, "nothing": 503, "monitor": 200, "manager": 503}


def test_caller_who_was_refused_since_is_no_longer_known(
    scraped: Service, proxy: FaultProxy, callers, admin
) -> None:
    made = admin.security.create_api_key(name="scraper")
    headers = {"Authorization": f"ApiKey {made['encoded']}"}
    assert scraped.http.get("/metrics", headers=headers).status_code == 200
    admin.security.invalidate_api_key(ids=[made["id"]])
    assert scraped.http.get("/metrics", headers=headers).status_code == 401
    with proxy.losing(everything):
        assert scraped.http.get("/metrics", headers=headers).status_code == 503
