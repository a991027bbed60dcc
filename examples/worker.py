"""A worker: it claims sync jobs and calls `sync` for each. Replace `sync` by your own; docs/workers.md explains the rest.

It needs nothing but Python: `python3 examples/worker.py`. Environment variables: CONNECTORS_URL is the address of the service,
CONNECTORS_AUTHORIZATION on a secured cluster the header, such as `ApiKey …` or `Basic …`. On SIGTERM the worker suspends its
jobs, and others go on with them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

URL = os.environ.get("CONNECTORS_URL", "http://127.0.0.1:9280") + "/_connector/_sync_job"
HEADERS = {"Content-Type": "application/json"}
if "CONNECTORS_AUTHORIZATION" in os.environ:
    HEADERS["Authorization"] = os.environ["CONNECTORS_AUTHORIZATION"]
HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "10"))
JOBS_AT_ONCE = 2
NAME = f"{socket.gethostname()}-{uuid.uuid4()}"  # no other process may have it

running: dict[str, Run] = {}
stopping = threading.Event()


def sync(job: dict[str, Any], progress: Callable[..., None]) -> None:
    """Bring into the index what is new in the source from the cursor on. Replace this: it only counts.

    Call `progress` with the new cursor, and the counters to raise, after each batch: another worker may go on from there. It
    raises `Stop` when the job has to stop. Any other exception fails the job.
    """
    connector = job["connector"]
    settings = {name: field["value"] for name, field in connector.get("configuration", {}).items()}
    cursor = connector.get("sync_cursor") or {"next": 0}
    for number in range(cursor["next"], int(settings.get("numbers", 10))):
        time.sleep(float(settings.get("seconds", 1)))
        progress({"next": number + 1}, indexed_document_count=1)


class Stop(BaseException):
    """The job has to stop. It is no `Exception`, so that `sync` doesn't catch it by accident."""


class Run:
    """A job that this worker runs. Heartbeats find out that it is `canceled`, or `lost`: deleted, ended, or another worker's."""

    def __init__(self, job: dict[str, Any]) -> None:
        names = ("indexed_document_count", "indexed_document_volume", "deleted_document_count")
        self.counters: dict[str, int] = {name: job.get(name) or 0 for name in names}
        self.job, self.cursor = job, job["connector"].get("sync_cursor")
        self.canceled = self.lost = False

    def progress(self, cursor: dict[str, Any], **counts: int) -> None:
        """Note and report how far the job is."""
        self.cursor = cursor
        for name, count in counts.items():
            self.counters[name] += count
        self.put("_stats", self.counters)
        self.check()

    def check(self) -> None:
        """Raise `Stop` where the job has to stop."""
        if self.canceled or self.lost or stopping.is_set():
            raise Stop

    def execute(self) -> None:
        """Run the job to its end, or until it has to stop."""
        running[self.job["id"]] = self
        try:
            self.check()  # a claim may have waited while the process began to stop
            sync(self.job, self.progress)
            self.leave("_complete")
        except Stop:
            if not self.lost:
                self.leave("_confirm_cancel" if self.canceled else "_suspend")
        except Exception as error:
            self.put("_error", {"error": f"{type(error).__name__}: {error}"})
        finally:
            del running[self.job["id"]]

    def leave(self, how: str) -> None:
        """End or suspend the job, with a last report."""
        cursor = {"sync_cursor": self.cursor} if self.cursor and how != "_confirm_cancel" else {}
        if self.put(how, self.counters | cursor) == 400 and how != "_confirm_cancel":
            self.put("_confirm_cancel", self.counters)  # it was canceled since the last heartbeat

    def put(self, action: str, body: dict[str, Any]) -> int:
        """Send what only the worker that holds the job may send; the status of the response."""
        job_id = quote(self.job["id"], safe="")
        return send("PUT", f"/{job_id}/{action}?worker_hostname={NAME}", body)[0]


def heartbeats() -> None:
    """Say for all jobs at once that their worker is alive, and learn what became of them."""
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        if runs := dict(running):
            status, answer = send("POST", "/_check_in", {"worker_hostname": NAME, "ids": list(runs)})
            for item in answer["items"] if status == 200 else []:
                runs[item["id"]].canceled = item.get("status") == "canceling"
                runs[item["id"]].lost = item.get("status_code") in (404, 409)


def send(method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and content of the response. Where there is none, or a 503, the same request is sent again and again."""
    request = Request(URL + path, json.dumps(body).encode(), HEADERS, method=method)
    pause = 0.5
    while True:
        try:
            with response_to(request) as response:
                status, answer = response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            status, answer = 503, str(error)
        if status == 200:
            return status, json.loads(answer)
        print(f"{method} {path}: {status} {answer}", flush=True)
        if status not in (429, 502, 503, 504) or (stopping.is_set() and pause > 8):
            return status, answer
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, 10)


def response_to(request: Request) -> Any:
    """The response, whatever its status."""
    try:
        return urlopen(request, timeout=30)  # longer than `wait`
    except HTTPError as error:
        return error


def work() -> None:
    """Claim a job and run it, one after the other, until the process stops."""
    while not stopping.is_set():
        claim = {"worker_hostname": NAME, "wait": "10s", "request_id": str(uuid.uuid4())}
        status, answer = send("POST", "/_claim", claim)
        if status != 200:
            stopping.set()
            sys.exit(f"No claim: {status}")
        for job in answer["results"]:
            Run(job).execute()
        if not answer["results"]:
            stopping.wait(1)  # the service doesn't wait where too many do


def main() -> None:
    """Work until SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=heartbeats, daemon=True).start()
    with ThreadPoolExecutor(JOBS_AT_ONCE) as threads:
        for each in [threads.submit(work) for _ in range(JOBS_AT_ONCE)]:
            each.result()


if __name__ == "__main__":
    main()
