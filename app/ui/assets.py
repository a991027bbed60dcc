"""The files of the page. Nothing else is served."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("static")
ASSETS: Final = {
    "htmx.LICENSE": "text/plain",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "idiomorph-ext.min.js": "text/javascript",
    "idiomorph.LICENSE": "text/plain",
    "page.css": "text/css",
    "page.js": "text/javascript",
}
"""What the page loads, and whose it is, with the media types."""


@cache
def version(name: str) -> str:
    """A text that changes whenever the file does: browsers keep the file for as long as its address stays the same."""
    return sha256(FOLDER.joinpath(name).read_bytes()).hexdigest()[:12]
