"""The service as real processes, and an HTTP client for it."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

REPOSITORY = Path(__file__).resolve().parents[1]
SECRETS_KEY = base64.b64encode(b"k" * 32).decode()  # for services that store secrets


class Http:
    """An HTTP client with persistent connections. Paths are sent exactly as given, without further encoding.

    `headers` are sent with each request.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers or {})

    def request(self, method: str, path: str, *, timeout: float = 60, **options: Any) -> requests.Response:
        prepared = self._session.prepare_request(requests.Request(method, self.url, **options))
        _, separator, query = (prepared.url or "").partition("?")
        prepared.url = self.url + path + separator + query
        return self._session.send(prepared, timeout=timeout, allow_redirects=False)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.request("PUT", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.request("DELETE", path, **options)

    def close(self) -> None:
        """Close the connections now; a session alone leaves that to the garbage collector."""
        pools = self._session.get_adapter(self.url).poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - it cannot be iterated
            pools[key].close()
        self._session.close()


class Service:
    """The service under gunicorn, on a free port, beside the Elasticsearch at `elasticsearch_url`.

    Settings are environment variables. A context manager: the service runs inside the block and then stops gracefully.
    """

    def __init__(self, elasticsearch_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = Http(self.url)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ELASTICSEARCH_")}
        self._environment = (
            inherited
            | {
                "ELASTICSEARCH_URL": elasticsearch_url,
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                "MAINTENANCE_INTERVAL": "0",  # tests write jobs that nobody works on, and that must stay as they are
                **settings,
            }
        )
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn"], cwd=REPOSITORY, env=self._environment, stderr=self._log
        )
        try:
            self.wait_for(lambda: self.http.get("/healthz").status_code == 200)
        except BaseException:
            self.close()
            raise
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
        """Everything that the service has logged so far."""
        # Opened again: reading through the same descriptor would move the position at which the service writes.
        return Path(f"/proc/self/fd/{self._log.fileno()}").read_text()

    def workers(self) -> list[int]:
        """The ids of its worker processes."""
        assert self._process is not None
        pid = self._process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> int | None:
        """Stop it with SIGTERM; its exit status."""
        self.http.close()  # a stopping service waits two seconds for connections that clients keep open
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(40)

    def kill(self) -> None:
        """Kill all its processes at once with SIGKILL; `start` starts it again at the same address."""
        assert self._process is not None
        self.http.close()
        self._process.send_signal(signal.SIGSTOP)  # it would replace the processes that are killed first
        for pid in [*self.workers(), self._process.pid]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        self.stop()
        self._log.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
