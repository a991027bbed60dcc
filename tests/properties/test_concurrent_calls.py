"""Concurrent calls about one job: some order of them explains every response and what is stored in the end."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.endpoints import JOBS
from tests.properties.job_model import HEARTBEATS, RELEASES, Call, Job, Response, explains, stored
from tests.service import Http

# By default few; more with PROPERTY_EXAMPLES.
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "100"))
CLIENTS = 4

WORKERS = st.sampled_from(["w1", "w2"])
COUNTS = st.integers(0, 9)
CALLS = st.one_of(
    st.builds(Call, st.just("_claim"), WORKERS),
    st.builds(Call, st.sampled_from([*HEARTBEATS, *RELEASES, "_error"]), st.none() | WORKERS, COUNTS),
    st.builds(Call, st.sampled_from(["_cancel", "delete"])),
)
STARTS = st.sampled_from(
    [
        Job(),
        Job("in_progress", "w1", 1),
        Job("canceling", "w1", 1),
        Job("suspended", "w1", 1),
        Job("completed", "w1", 1),
    ]
)


def test_some_order_of_concurrent_calls_explains_their_responses(clients, jobs, connectors) -> None:
    """Seen to fail where the scripts of claims and of ends are replaced by a read and an unconditional write."""
    numbers = iter(range(10**9))

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        before=STARTS, calls=st.lists(st.lists(CALLS, min_size=1, max_size=3), min_size=2, max_size=CLIENTS)
    )
    def each(before: Job, calls: list[list[Call]]) -> None:
        job_id = f"j{next(numbers)}"
        holder = {} if before.worker is None else {"worker_hostname": before.worker}
        document = {"status": before.status, "indexed_document_count": before.count, **holder}
        jobs.put(job_id, {**document, "connector": {"id": "none"}, "job_type": "full"})
        start = Barrier(len(calls))

        def client(http: Http, own: list[Call]) -> list[tuple[Call, Response]]:
            start.wait(60)
            return [(call, call.send(http, job_id)) for call in own]

        # Each client has another service, or another process of it.
        made = list(threads.map(client, clients, calls))
        for number, own in enumerate(made):
            note(f"client {number}: {own}")
        found = clients[0].get(f"{JOBS}/{job_id}")
        after = stored(found.json() if found.status_code == 200 else None)
        note(f"after: {after}")
        assert explains(before, made, after)

    with ThreadPoolExecutor(CLIENTS) as threads:
        each()
