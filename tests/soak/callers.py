"""Callers: what people and programs do that want syncs."""

from __future__ import annotations

import time
from typing import Any

from tests.soak.client import JOBS, Client
from tests.soak.workers import KINDS

BY_ONE = [f"load-{number}" for number in range(20)]
"""Connectors whose jobs are canceled one at a time, by who created them."""
TOGETHER = [f"together-{number}" for number in range(2)]
"""Connectors whose jobs are canceled by requests about all of them."""

_BACKLOG = 100


def call_at_random(client: Client) -> None:
    """What people and programs do that want syncs."""
    load, random = client.load, client.random
    time.sleep(random.uniform(0, 0.1))
    if load.calm.is_set():
        load.over.wait()
    elif len(load.record.unfinished) > _BACKLOG:
        time.sleep(0.1)
    else:
        calls = {create: 80, cancel: 8, cancel_together: 2, look: 10}
        random.choices(list(calls), list(calls.values()))[0](client)


def create(client: Client) -> None:
    connector = client.random.choice([*BY_ONE, *TOGETHER])
    create_job(client, connector, client.random.choice(list(KINDS)))


def create_job(client: Client, connector: str, job_type: str) -> None:
    if_active = client.random.choice(["create", "create", "create", "return", "refuse"])
    body = {"id": connector, "job_type": job_type}
    headers = {"Idempotency-Key": client.new_name()}
    answer = client.send("POST", f"{JOBS}?if_active={if_active}", body, headers=headers)
    if answer.status in (200, 201):
        client.load.record.creation(answer.body["id"])
        if answer.status == 201 and connector in BY_ONE:
            client.own.append(answer.body["id"])
    elif not (answer.status == 409 and if_active == "refuse"):
        client.wrong("create", answer)


def cancel(client: Client) -> None:
    """Cancel a job that nobody else cancels."""
    if not client.own:
        return
    job_id = client.own.pop(client.random.randrange(max(0, len(client.own) - 10), len(client.own)))
    answer = client.send("PUT", f"{JOBS}/{job_id}/_cancel")
    if answer.status == 200:
        client.load.record.canceled(job_id, "acknowledged")
    elif answer.status == 400 and answer.resent:
        client.load.record.canceled(job_id, "unclear")
    elif answer.status != 400:
        client.wrong("cancel", answer)


def cancel_together(client: Client) -> None:
    body = {"connector_id": client.random.choice(TOGETHER)}
    answer = client.send("POST", f"{JOBS}/_cancel", body)
    if answer.status == 200:
        client.load.record.counts["canceled together"] += answer.body["canceled"] + answer.body["canceling"]
    else:
        client.wrong("cancel together", answer)


def look(client: Client) -> None:
    """Requests that change nothing."""
    connector = client.random.choice(BY_ONE)
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"{JOBS}?connector_id={connector}&size=20", None),
        ("GET", f"{JOBS}/_summary", None),
        ("GET", f"/_connector/{connector}", None),
        ("POST", f"{JOBS}/_prune", {"finished_for": "1s"}),
    ]
    method, path, body = client.random.choice(requests)
    answer = client.send(method, path, body)
    if answer.status != 200:
        client.wrong(path, answer)
