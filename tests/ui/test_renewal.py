"""What pages cost Elasticsearch, and what they show while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Browser, expect

from app.ui.shared_results import NotNow, SharedResults
from tests.browser import new_page
from tests.documents import Stored, a_job, empty
from tests.fault_proxy import Fault, FaultProxy
from tests.service import Service
from tests.ui.conftest import URL

RENEWAL = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def behind(proxy: FaultProxy) -> Iterator[Service]:
    """A service of one process that reaches Elasticsearch through the proxy."""
    with Service(proxy.url, WORKERS="1", THREADS="8") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(autouse=True)
def without_documents(behind: Service, elasticsearch: Elasticsearch) -> None:
    empty(elasticsearch)


def test_jobs_page_asks_elasticsearch_for_no_more_than_the_list(
    behind: Service, proxy: FaultProxy, jobs: Stored
) -> None:
    jobs.put("j", a_job())
    asked = []
    for path in ("/_connector/_sync_job", f"{URL}/jobs"):
        behind.http.get(path)
        with proxy.recording() as requests:
            assert behind.http.get(path).status_code == 200
        asked.append([each.path.partition("?")[0] for each in requests if "_security" not in each.path])
    assert asked[0] == asked[1]


def test_renewals_share_what_was_found(behind: Service, proxy: FaultProxy) -> None:
    behind.http.get(f"{URL}/jobs")
    with proxy.recording() as requests:
        for _ in range(100):
            assert behind.http.get(f"{URL}/jobs", headers=RENEWAL).status_code == 200
    # None, unless a hundred responses take longer than a result is shared: then one each five seconds.
    assert sum("_search" in each.path for each in requests) < 10


def test_renewals_of_many_pages_wait_for_their_turn() -> None:
    """By a clock of the test: a hundred pages of different addresses, each renewed every ten seconds, for a minute."""
    now, found = 0.0, 0

    def find() -> int:
        nonlocal found
        found += 1
        return found

    results = SharedResults(lambda: now)
    shown = [results.get(page, find, renewal=False).value for page in range(100)]
    assert shown == list(range(1, 101))
    renewed = set()
    for tenth in range(600):
        now = tenth / 10
        page = tenth % 100
        try:
            if results.get(page, find, renewal=True).value > 100:
                renewed.add(page)
        except NotNow:
            pass
    assert 50 <= found - 100 <= 61
    # Whoever has just acted does not wait.
    assert results.get(0, find, renewal=False).value == found


def test_who_has_acted_sees_it(behind: Service, jobs: Stored) -> None:
    for number in range(5):
        jobs.put(f"j{number}", a_job())
        response = behind.http.get(f"{URL}/jobs", headers=RENEWAL | {"Cache-Control": "no-cache"})
        assert f"j{number}" in response.text


def test_page_says_that_elasticsearch_is_away_and_recovers(
    behind: Service, proxy: FaultProxy, browser: Browser, jobs: Stored
) -> None:
    jobs.put("j", a_job())
    with new_page(browser, base_url=behind.url) as page:
        page.clock.install()
        page.goto(f"{URL}/jobs")
        expect(page.get_by_role("link", name="j", exact=True)).to_be_visible()
        with proxy.choosing(lambda _: Fault(cut="request")):
            page.clock.run_for(31_000)
            expect(page.get_by_role("heading", name="Elasticsearch does not answer")).to_be_visible()
            expect(page.get_by_role("status")).to_have_text("This page tries again every ten seconds.")
        page.clock.run_for(31_000)
        expect(page.get_by_role("link", name="j", exact=True)).to_be_visible()


def test_page_that_is_opened_while_elasticsearch_is_away(
    behind: Service, proxy: FaultProxy, browser: Browser, jobs: Stored
) -> None:
    jobs.put("j", a_job())
    with ExitStack() as stack:
        page = stack.enter_context(new_page(browser, base_url=behind.url))
        page.clock.install()
        with proxy.choosing(lambda _: Fault(cut="request")):
            response = page.goto(f"{URL}/jobs")
            assert response is not None
            assert response.status == 503
        page.clock.run_for(31_000)
        expect(page.get_by_role("link", name="j", exact=True)).to_be_visible()
