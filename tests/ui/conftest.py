"""A browser with a page, and a day of jobs to look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Browser, Page

from scripts import demo
from tests.browser import chromium, new_page
from tests.service import Service

URL = "/_connector/_ui"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """A page of a browser, which shows nothing yet; its addresses are those of the service. Fails on any complaint of the browser."""
    with new_page(browser, base_url=service.url) as page:
        yield page


@pytest.fixture
def day(service: Service, elasticsearch: Elasticsearch) -> tuple[dict[str, Any], dict[str, Any]]:
    """A day of syncs, stored: connectors and jobs by their ids, see `scripts.demo`."""
    connectors, jobs = demo.documents(datetime.now(UTC))
    demo.write(elasticsearch, connectors, jobs)
    return connectors, jobs
