"""A headless Chromium, driven by WebDriver's own protocol."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from typing import Any, Self

import requests

from tests.environment import skip_or_fail

_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """A context manager; the browser has a new profile, which is deleted at the end."""

    def __enter__(self) -> Self:
        driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
        if driver is None or chromium is None:
            skip_or_fail("chromium and chromedriver are needed")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        self._session = ""
        assert self._driver.stdout is not None
        port = next(
            filter(
                None, (re.search(r"started successfully on port (\d+)", line) for line in self._driver.stdout)
            )
        )
        self._url = f"http://127.0.0.1:{port[1]}"
        options = {"binary": chromium, "args": [*_OPTIONS, f"--user-data-dir={self._profile.name}"]}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        started = self._call("POST", "/session", capabilities={"alwaysMatch": capabilities})
        self._session = f"/session/{started['sessionId']}"
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self._session:
                self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.communicate(timeout=30)
            self._profile.cleanup()

    def open(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def run(self, script: str) -> Any:
        """The result of a function's body in JavaScript."""
        return self._call("POST", "/execute/sync", script=script, args=[])

    def wait_for(self, condition: str, seconds: float = 30) -> None:
        """Wait until the expression in JavaScript is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"return !!({condition})"):
            assert time.monotonic() < deadline, (condition, self.console())
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        self.wait_for(f"document.querySelector({selector!r})")
        self.run(f"document.querySelector({selector!r}).click()")

    def console(self) -> list[str]:
        """The messages since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", type="browser")]

    def _call(self, method: str, path: str, **body: Any) -> Any:
        options = {"json": body} if method == "POST" else {}
        response = requests.request(method, self._url + self._session + path, timeout=60, **options)
        assert response.ok, response.text
        return response.json()["value"]
