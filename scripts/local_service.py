"""The service as its own processes, for commands that need one for a while."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.elasticsearch.source import http_get


@contextmanager
def service_beside(elasticsearch_url: str, **settings: str) -> Iterator[str]:
    """The address of a service that is ready, at a free port. `settings` are environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "ELASTICSEARCH_URL": elasticsearch_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "warning",
    }
    repository = Path(__file__).resolve().parent.parent
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"], cwd=repository, env=os.environ | own | settings
    )
    try:
        while not _is_ready(f"http://127.0.0.1:{port}/readyz"):
            if process.poll() is not None:
                raise SystemExit("the service did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return http_get(url, timeout=60)[0] == 200
    except OSError:
        return False
