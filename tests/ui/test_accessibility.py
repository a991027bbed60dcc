"""Who cannot see, use a mouse, or has a small screen, uses the page like everybody else."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import new_page
from tests.documents import Stored
from tests.service import Service
from tests.ui.conftest import URL

VIEWS = [
    "",
    "?range=7d",
    "/jobs",
    "/jobs?status=error",
    "/jobs?status=nonsense",
    "/job?id=handbook-running",
    "/job?id=missing",
    "/connectors",
    "/connectors?locked=without_job",
    "/connector?id=handbook",
    "/workers",
    "/jobs/cancel?id=handbook-running",
    "/jobs/rescue",
    "/job/delete?id=handbook-running",
    "/connector/sync?id=handbook&type=full",
    "/nothing",
]
IMPACTS = ("serious", "critical")


def found_by_axe(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes']][:3]}"
        for each in violations
        if each["impact"] in IMPACTS
    ]


def open_all_details(page: Page) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, service: Service, day: Any, scheme: Any) -> None:
    """Seen to fail with text of too little contrast, and with an input without a label."""
    with new_page(browser, base_url=service.url, color_scheme=scheme) as page:
        found = {}
        for view in VIEWS:
            page.goto(URL + view)
            open_all_details(page)
            found[view] = found_by_axe(page)
        assert {view: each for view, each in found.items() if each} == {}


def test_axe_finds_nothing_without_any_job(page: Page) -> None:
    for view in ("", "/jobs", "/connectors", "/workers"):
        page.goto(URL + view)
        assert found_by_axe(page) == [], view


def test_open_question_is_a_dialog_that_axe_likes(page: Page, day: Any) -> None:
    page.goto(f"{URL}/job?id=handbook-running")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert found_by_axe(page) == []


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_nothing_is_wider_than_the_screen(browser: Browser, service: Service, day: Any, width: int) -> None:
    """Also with long words: what is too long breaks, or scrolls by itself."""
    with new_page(browser, base_url=service.url, viewport={"width": width, "height": 800}) as page:
        for view in VIEWS:
            page.goto(URL + view)
            open_all_details(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view


def test_job_is_canceled_by_keyboard_alone(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(URL)

    def focused() -> str:
        return str(page.evaluate("document.activeElement.textContent.trim()"))

    def tab_to(text: str) -> None:
        for _ in range(200):
            if focused().startswith(text):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{text} cannot be reached")

    page.keyboard.press("Tab")
    assert focused() == "Skip to the content"
    tab_to("Jobs")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs")
    tab_to("orders-waiting")
    page.keyboard.press("Enter")
    page.wait_for_url("**/job?id=orders-waiting")
    tab_to("Cancel")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Leave it as it is")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("button", name="Cancel 1 job")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("link", name="Close")).to_be_focused()
    assert jobs.source("orders-waiting")["status"] == "canceled"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_page_works_without_scripts(browser: Browser, service: Service, day: Any, jobs: Stored) -> None:
    with new_page(browser, base_url=service.url, java_script_enabled=False) as page:
        page.goto(f"{URL}/jobs")
        page.get_by_label("Choose orders-waiting").check()
        page.get_by_role("button", name="Cancel the chosen jobs").click()
        page.get_by_role("button", name="Cancel 1 job").click()
        expect(page.get_by_role("status")).to_contain_text("1 job canceled.")
        assert jobs.source("orders-waiting")["status"] == "canceled"
        page.get_by_role("link", name="Close").click()
        page.wait_for_url("**/jobs")
