"""A value that must be shown nowhere: bodies that fail around it, and where it is looked for."""

from __future__ import annotations

from collections.abc import Iterable

import requests

MARKER = "Zm4rk3rZ"
JSON = {"Content-Type": "application/json"}


def failing_bodies(opening: str, closing: str) -> list[str]:
    """Bodies that cannot be read, with the marker where a value stands between `opening` and `closing`."""
    wrong = [
        MARKER,
        f'"x" {MARKER}',
        f"7{MARKER}",
        f"-{MARKER}",
        f"tru{MARKER}",
        f'"{MARKER}\\q"',
        f'"{MARKER}\\ud800"',
        f'"{MARKER}\\u12{MARKER}"',
        f'"{MARKER}\n"',
        f"'{MARKER}'",
        f'"{MARKER}"]',
    ]
    cut_off = [f'{opening}"{MARKER}', f'{opening}"{MARKER}"', f"{opening}{MARKER}"]
    no_object = [f'["{MARKER}"]', f'"{MARKER}"', MARKER]
    return [*(f"{opening}{each}{closing}" for each in wrong), *cut_off, *no_object]


def assert_no_leak(responses: Iterable[requests.Response], log: str) -> None:
    """Neither in an answer nor in the log."""
    for response in responses:
        assert MARKER not in response.text, response.request.body
        assert not any(MARKER in value for value in response.headers.values())
    assert MARKER not in log
