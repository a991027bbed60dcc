"""A marker value that must not leak: request bodies that fail around it, and the check for leaks."""

from __future__ import annotations

from collections.abc import Iterable

import requests

MARKER = "Zm4rk3rZ"
JSON = {"Content-Type": "application/json"}


def failing_bodies(opening: str, closing: str) -> list[str]:
    """Bodies that cannot be parsed, with the marker as the value between `opening` and `closing`."""
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
    """Assert that the marker is neither in a response nor in the log."""
    for response in responses:
        assert MARKER not in response.text, response.request.body
        assert not any(MARKER in value for value in response.headers.values())
    assert MARKER not in log
