"""The service as processes of its own, and requests to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import requests

REPOSITORY = Path(__file__).resolve().parents[1]


class Http(requests.Session):
    """A session whose paths begin at one address. Paths go out as they are written, percent signs and all."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.trust_env = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", 60)
        prepared = self.prepare_request(
            requests.Request(method, self.url, **{k: v for k, v in options.items() if k not in ("timeout",)})
        )
        query = prepared.url.partition("?")[2] if prepared.url else ""
        prepared.url = self.url + path + ("&" if query and "?" in path else "?" if query else "") + query
        return self.send(prepared, timeout=options["timeout"])


class Service:
    """The service under its production server, at a port of its own, beside the Elasticsearch at `elasticsearch_url`.

    Settings are environment variables. A context manager: it runs inside the block, and then ends gracefully.
    """

    def __init__(self, elasticsearch_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = Http(self.url)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ELASTICSEARCH_")}
        self._environment = inherited | {
            "ELASTICSEARCH_URL": elasticsearch_url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            **settings,
        }
        self._log = tempfile.TemporaryFile("w+")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn"], cwd=REPOSITORY, env=self._environment, stderr=self._log
        )
        self.wait_for(lambda: self.http.get("/healthz").status_code == 200)
        return self

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: self.http.get("/readyz").status_code == 200)

    def wait_for(self, condition: Any, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except requests.ConnectionError:
                pass
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        """All that the service has written so far."""
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(40)
        self.http.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._log.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
