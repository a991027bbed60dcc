"""`examples/worker.py` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.service import REPOSITORY, Http

EXAMPLE = REPOSITORY / "examples" / "worker.py"


class ExampleWorker:
    """The example, started; its heartbeats are a fifth of a second apart. A context manager that kills it at the end."""

    def __init__(self, url: str, **environment: str) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, EXAMPLE],
            env=os.environ | {"CONNECTORS_URL": url, "HEARTBEAT_SECONDS": "0.2", **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def output(self) -> str:
        """Everything that it has printed so far."""
        return Path(f"/proc/self/fd/{self._output.fileno()}").read_text()

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        return self._process.wait(60)

    def terminate(self) -> int:
        """Send SIGTERM; the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def close(self) -> None:
        self.kill()
        self._output.close()

    def __enter__(self) -> ExampleWorker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def configure(http: Http, connector_id: str, numbers: Any, seconds: float = 0) -> None:
    """Let the example's source of this connector have so many numbers, and take so many seconds for each."""
    configuration = {
        name: {"label": name, "order": 1, "type": "str", "value": str(value)}
        for name, value in (("numbers", numbers), ("seconds", seconds))
    }
    response = http.put(f"/_connector/{connector_id}/_configuration", json={"configuration": configuration})
    assert response.status_code == 200, response.text


def new_connector(http: Http, connector_id: str, numbers: Any, seconds: float = 0) -> None:
    """A connector whose source is that of the example."""
    body = {"index_name": f"search-{connector_id}", "service_type": "numbers"}
    assert http.put(f"/_connector/{connector_id}", json=body).status_code == 201
    configure(http, connector_id, numbers, seconds)


def new_job(http: Http, connector_id: str, job_type: str = "full") -> str:
    """A job that waits; its id."""
    response = http.post("/_connector/_sync_job", json={"id": connector_id, "job_type": job_type})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def wait_until(condition: Callable[[], Any], *workers: ExampleWorker) -> None:
    """Wait until the condition is met. Where it takes too long, the failure shows what the workers printed."""
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, [each.output() for each in workers]
        time.sleep(0.05)
