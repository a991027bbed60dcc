"""The page, opened at the gateway's address."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import chromium, new_page
from tests.documents import Stored, a_connector, a_job


def test_job_is_canceled_on_the_page(gateway_url: str, jobs: Stored, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j", a_job("pending"))
    with chromium() as browser, new_page(browser, base_url=gateway_url) as page:
        page.goto("/_connector/_ui/")
        page.get_by_role("link", name="Jobs", exact=True).click()
        page.get_by_role("link", name="j", exact=True).click()
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("button", name="Cancel 1 job").click()
        expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("1 job canceled.")
        assert jobs.source("j")["status"] == "canceled"
        assert page.url.startswith(gateway_url)
