"""make screenshots: pictures of the page with a day of syncs, for the documentation."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from elasticsearch import Elasticsearch
from playwright.sync_api import sync_playwright

from scripts import demo
from scripts.elasticsearch import EmbeddedNode
from scripts.local_service import service_beside

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
# What each shows: the address, the width in pixels, and whether it is dark.
PICTURES = {
    "overview": ("", 1280, False),
    "jobs": ("/jobs", 1280, False),
    "job": ("/job?id=handbook-running", 1280, False),
    "connectors": ("/connectors", 1280, False),
    "workers": ("/workers", 1280, True),
    "small": ("", 360, True),
}


def main() -> None:
    """Write the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is needed")
    FOLDER.mkdir(exist_ok=True)
    with (
        EmbeddedNode() as node,
        Elasticsearch(node.url) as client,
        service_beside(node.url, MAINTENANCE_INTERVAL="1h") as url,
        sync_playwright() as playwright,
    ):
        demo.write(client, *demo.documents(datetime.now(UTC)))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (address, width, is_dark) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": width, "height": 900}, color_scheme="dark" if is_dark else "light"
            )
            page.goto(f"{url}/_connector/_ui{address}")
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
        browser.close()
    print(f"{len(PICTURES)} pictures are in {FOLDER}")


if __name__ == "__main__":
    main()
