"""The files of the page. Nothing else is served."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("static")
PAGE: Final = FOLDER / "index.html"
ASSETS: Final = {
    "NOTICE": "text/plain",
    "LICENSE": "text/plain",
    "swagger-ui-bundle.js.LICENSE.txt": "text/plain",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "page.css": "text/css",
    "favicon-32x32.png": "image/png",
}
"""What the page loads, and whose it is, with the media types."""
