"""Threads that use the service, and send again what was not answered."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import requests

from tests.service import Http
from tests.soak.record import Record, Unanswered

JOBS = "/_connector/_sync_job"
AGAIN = (429, 502, 503, 504)


class Load:
    """The threads and what they share: the addresses of the services (tests change `urls`), and the record of what they are told.

    `acts` are what the threads do again and again, and how many of them.
    """

    def __init__(self, urls: list[str], seed: str, acts: Mapping[Act, int]) -> None:
        self.urls = urls
        self.seed = seed
        self.run_id = uuid4().hex[:8]  # no key or name is one of an earlier load
        self.record = Record()
        self.calm = Event()
        """Nobody creates or cancels anything any more, and workers complete what they get."""
        self.over = Event()
        self.repeated_until = 0.0
        """What was sent before, a time of the monotonic clock, Elasticsearch itself may have carried out twice."""
        self._threads = [
            Thread(target=self._run, args=(Client(self, f"{act.__name__}-{number}"), act), daemon=True)
            for act, count in acts.items()
            for number in range(count)
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The threads run inside the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in self._threads:
                thread.join(60)

    def _run(self, client: Client, act: Act) -> None:
        try:
            while not self.over.is_set():
                act(client)
        except Abandoned:
            pass
        except Exception:
            self.record.wrong.append(traceback.format_exc())
        finally:
            client.close()


class Abandoned(Exception):
    """The load was over before a request was answered."""


@dataclass(frozen=True)
class Answer:
    """A response; `resent`: the same request may have been carried out before."""

    status: int
    body: Any
    resent: bool


class Client:
    """Sends requests to any of the services, again until they are answered."""

    def __init__(self, load: Load, name: str) -> None:
        self.load, self.name = load, name
        self.random = Random(f"{load.seed} {name}")
        self.own: list[str] = []  # jobs that it has created, and may cancel
        self._number = 0
        self._https: dict[str, Http] = {}

    def new_name(self) -> str:
        self._number += 1
        return f"{self.name}.{self._number}.{self.load.run_id}"

    def send(self, method: str, path: str, json: Any = None, **options: Any) -> Answer:
        """Raises `Abandoned`."""
        record, resent = self.load.record, False
        while True:
            url = self.random.choice(tuple(self.load.urls))
            began = time.monotonic()
            with record.lock:
                record.under_way[url] += 1
            try:
                response = self._http(url).request(method, path, json=json, **options)
                status, body = response.status_code, response.json()
            except requests.RequestException as error:
                status, body = 0, {}
                record.unanswered.append(Unanswered(url, began, time.monotonic(), repr(error)))
            with record.lock:
                record.under_way[url] -= 1
                record.counts[f"responses {status}"] += 1
            resent = resent or began < self.load.repeated_until
            if status not in (0, *AGAIN):
                return Answer(status, body, resent)
            resent = True
            if self.load.over.is_set():
                raise Abandoned
            time.sleep(self.random.uniform(0.05, 0.5))

    def wrong(self, call: str, answer: Answer) -> None:
        """Note a response that this call should never get."""
        self.load.record.wrong.append(f"{call}: {answer}")

    def close(self) -> None:
        for http in self._https.values():
            http.close()

    def _http(self, url: str) -> Http:
        if url not in self._https:
            self._https[url] = Http(url)
        return self._https[url]


Act = Callable[[Client], None]
