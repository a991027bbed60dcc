"""The page of the API reference: what is served, with which headers, and what a browser makes of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.api_reference.assets import ASSETS, FOLDER, PAGE
from app.api_reference.example_values import JOB_ID
from tests.browser import chromium, new_page
from tests.documents import a_job
from tests.reference.world import World
from tests.service import Http

URL = "/_connector/_openapi"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CLAIM = "#operations-Sync_jobs-sync_jobs_claim"


@pytest.mark.parametrize("path", [URL, *(f"{URL}/{name}" for name in ASSETS)])
def test_files_are_served_as_they_are_with_strict_headers(http: Http, path: str) -> None:
    # As browsers ask for pages, style sheets and scripts.
    response = http.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    name = path.removeprefix(URL).lstrip("/") or PAGE.name
    assert (response.status_code, response.content) == (200, FOLDER.joinpath(name).read_bytes())
    assert response.headers["Content-Type"].startswith(ASSETS.get(name, "text/html"))
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "private" in response.headers["Cache-Control"]
    again = http.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "README.md",
        "index.html",
        "../views.py",
        "..%2fviews.py",
        "%2e%2e/views.py",
        "swagger-ui.css/",
        "NOTICE%00",
    ],
)
def test_nothing_else_is_served(http: Http, name: str) -> None:
    response = http.get(f"{URL}/{name}")
    if name in ("", "swagger-ui.css/"):  # a slash at the end makes no difference, here as in all paths
        assert response.status_code == 200
    else:
        assert response.status_code == 400
        assert response.json()["error"].startswith("no handler found for uri [")


def test_page_loads_only_what_is_served_with_it() -> None:
    links = re.findall(r'(?:src|href)="([^"]*)"', PAGE.read_text("utf-8"))
    assert links
    assert {link.removeprefix(f"{URL}/") for link in links} - {"/_connector/_openapi.json"} <= ASSETS.keys()


def test_page_works_in_a_browser_without_breaking_its_policy(world: World) -> None:
    """All operations are listed, one is opened, and its example is sent."""
    world.jobs.put(JOB_ID, a_job("pending"))
    with chromium() as browser, new_page(browser, base_url=world.http.url) as page:
        page.goto(URL)
        operations = page.locator(".opblock")
        count = sum(len(methods) for methods in world.http.get(f"{URL}.json").json()["paths"].values())
        expect(operations).to_have_count(count)
        claim = page.locator(CLAIM)
        claim.locator(".opblock-summary-control").click()
        claim.locator(".try-out__btn").click()
        claim.locator(".execute").click()
        expect(claim.locator(".live-responses-table .response").first).to_contain_text("updated")
        assert world.jobs.source(JOB_ID)["status"] == "in_progress"
        loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
        assert all(each.startswith(world.http.url) for each in loaded), loaded
