"""The page while Elasticsearch is killed and comes back."""

from __future__ import annotations

from elasticsearch import Elasticsearch
from playwright.sync_api import expect

from app.store.index_definitions import SYNC_JOBS
from scripts.elasticsearch import EmbeddedNode
from tests.browser import chromium, new_page
from tests.documents import Stored, a_job
from tests.service import Service

RENEWED_MS = 11_000


def test_open_page_says_so_and_recovers_by_itself(
    killable_node: EmbeddedNode, surviving_service: Service
) -> None:
    with Elasticsearch(killable_node.url, request_timeout=30) as client:
        Stored(client, SYNC_JOBS).put("on-the-page", a_job("completed"))
    with chromium() as browser, new_page(browser, base_url=surviving_service.url) as page:
        page.clock.install()
        page.goto("/_connector/_ui/jobs")
        job = page.get_by_role("link", name="on-the-page")
        expect(job).to_be_visible()
        killable_node.kill()
        try:
            page.clock.run_for(RENEWED_MS)
            expect(page.get_by_role("heading", name="Elasticsearch does not answer")).to_be_visible()
        finally:
            killable_node.start()
        surviving_service.wait_until_ready()
        page.clock.run_for(RENEWED_MS)
        expect(job).to_be_visible()
