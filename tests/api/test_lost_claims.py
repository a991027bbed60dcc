"""Claims of the next job that meet others between two of their steps, lose requests or responses, stall or die.

In all cases a job is claimed once at most, and its connector is locked for it, free, or locked for a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.protocol import SyncKind
from app.store import Store
from app.store.index_definitions import CONNECTORS, LEASES, SYNC_JOBS
from app.sync_jobs import endings, locks, updates
from app.sync_jobs.claiming import ClaimRequest, Claims
from app.sync_jobs.queries import ClaimFilter
from tests.cases import named
from tests.documents import Stored, a_connector, a_job, empty
from tests.fault_proxy import FaultProxy, Request, Which, nth, to

STATUS, OTHER_STATUS = "last_sync_status", "last_access_control_sync_status"
SEARCH, REFRESH, MGET = to("/_search"), to("/_refresh"), to("/_mget")
LOCK, CLAIM = to(f"/{CONNECTORS.alias}/_bulk"), to(f"/{SYNC_JOBS.alias}/_bulk")
LEASE = to(f"/{LEASES.alias}/")

ASKED = ClaimRequest("worker-1")
REPEATABLE = ClaimRequest("worker-1", request_id="r1", resend_window=60)


def gone() -> bool:
    """The worker does not wait any longer."""
    return False


@pytest.fixture(scope="module")
def proxied_store(store: Store, proxy: FaultProxy) -> Store:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        return Store(settings.load())


@pytest.fixture
def claims(proxied_store: Store) -> Claims:
    """Claims whose requests go through the proxy."""
    return Claims(proxied_store, 4, Event())


@pytest.fixture
def others(store: Store) -> Claims:
    """The claims of another process, whose requests do not."""
    return Claims(store, 4, Event())


@pytest.fixture
def jobs(store: Store, elasticsearch: Elasticsearch) -> Stored:
    """There are no documents."""
    store.indices.ensure()
    empty(elasticsearch)
    return Stored(elasticsearch, SYNC_JOBS)


@pytest.fixture
def connectors(jobs: Stored, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, CONNECTORS)


def waiting(connector_id: str = "c1", minute: int = 0, **other: Any) -> dict[str, Any]:
    return a_job(
        **{"connector": {"id": connector_id}, "created_at": f"2024-01-01T00:{minute:02}:00Z", **other}
    )


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [job["id"] for job in found]


def meanwhile(which: Which, act: Callable[[], Any]) -> Which:
    """For `FaultProxy.losing`: loses nothing, but acts before such a request reaches Elasticsearch."""

    def matches(request: Request) -> bool:
        if which(request):
            act()
        return False

    return matches


def from_the(number: int, which: Which) -> Which:
    """Matches the `number`th (from 1) of such requests and all later ones."""
    met = 0

    def matches(request: Request) -> bool:
        nonlocal met
        met += which(request)
        return which(request) and met >= number

    return matches


def lock_of(connectors: Stored, connector_id: str = "c1", kind: SyncKind = SyncKind.CONTENT) -> str | None:
    """The job that the connector is locked for; None where it is free."""
    connector = connectors.source(connector_id)
    note = connector.get("sync_locks", {}).get(kind)
    assert (note is not None) == (connector.get(kind.status_field) == "in_progress"), connector
    return note and str(note["job"])


# --- Somebody else comes between two steps ---


FORMER = named(
    [
        ("none", {}),
        ("completed", {STATUS: "completed", "last_synced": "2024-01-01T00:00:00Z"}),
        # The clock of Elasticsearch is behind that of a worker whose job has just ended.
        ("error", {STATUS: "error", "last_synced": "2099-01-01T00:00:00.000001Z"}),
        ("odd", {STATUS: ["x", "y"], "last_synced": None, "sync_locks": {"other": 1}}),
    ]
)


@pytest.mark.parametrize("former", FORMER)
@pytest.mark.parametrize(
    "touch",
    named(
        [
            ("heartbeat", lambda store, jobs: updates.check_in(store, "j1", compatibility=DOCUMENTED)),
            ("cancellation", lambda store, jobs: updates.cancel(store, "j1")),
            ("deletion", lambda store, jobs: store.sync_jobs.delete("j1")),
            ("raw write", lambda store, jobs: jobs.put("j1", waiting(note="new"))),
        ]
    ),
)
def test_job_that_was_written_meanwhile_is_not_claimed(
    claims: Claims,
    store: Store,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    touch: Callable[[Store, Stored], Any],
    former: dict[str, Any],
) -> None:
    """Its connector becomes what it was. The next job is claimed instead."""
    connector = connectors.put("c1", a_connector(**former))
    connectors.put("c2", a_connector())
    jobs.put_all({"j1": waiting(), "j2": waiting("c2", 1)})
    with proxy.losing(meanwhile(nth(1, CLAIM), lambda: touch(store, jobs))):
        assert ids(claims.claim_next(ASKED)) == ["j2"]
    if jobs.exists("j1"):
        assert "claim_token" not in jobs.source("j1")
    assert connectors.source("c1") == connector


@pytest.mark.parametrize(
    "running",
    named(
        [
            ("full", {"job_type": "full"}),
            ("canceling", {"job_type": "full", "status": "canceling"}),
            ("no job type", {"job_type": None}),
            ("list of a job type", {"job_type": ["full"]}),
            ("several connectors", {"connector": [{"id": "a9"}, {"id": "c1"}]}),
            ("connector id as a path", {"connector": None, "connector.id": "c1"}),
        ]
    ),
)
def test_lock_is_handed_to_a_job_that_was_claimed_by_its_id_meanwhile(
    claims: Claims,
    store: Store,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    running: dict[str, Any],
) -> None:
    """Also where the time of a takeover has come: the job runs. Its end frees the connector."""
    connectors.put("c1", a_connector(**{STATUS: "completed"}))
    jobs.put("j1", waiting())
    raw = waiting(status="in_progress") | running
    with proxy.losing(meanwhile(nth(1, LOCK), lambda: jobs.put("j0", raw))):
        assert claims.claim_next(ASKED) == []
    assert lock_of(connectors) == "j0"
    assert jobs.source("j1") == waiting()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks, "TAKEOVER_SECONDS", 0)
        assert claims.claim_next(ASKED) == []
        assert lock_of(connectors) == "j0"
    jobs.put("j0", waiting(status="in_progress", job_type="full"))
    assert endings.complete(store, "j0", endings.Report()) == "updated"
    assert ids(claims.claim_next(ASKED)) == ["j1"]


def test_job_of_the_other_kind_may_start_meanwhile(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    other = waiting(status="in_progress", job_type="access_control")
    with proxy.losing(meanwhile(nth(1, LOCK), lambda: jobs.put("j0", other))):
        assert ids(claims.claim_next(ASKED)) == ["j1"]
    assert lock_of(connectors) == "j1"


@pytest.mark.parametrize(
    "fields", named([("locked", {STATUS: "in_progress"}), ("deleted", {"deleted": True}), ("gone", None)])
)
def test_connector_that_was_locked_or_deleted_meanwhile_is_passed_over(
    claims: Claims,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    elasticsearch: Elasticsearch,
    fields: dict[str, Any] | None,
) -> None:
    for connector_id in ("c1", "c2"):
        connectors.put(connector_id, a_connector())
    jobs.put_all({"j1": waiting(), "j2": waiting("c2", 1)})
    changed = a_connector(**(fields or {}))

    def change() -> None:
        if fields is None:
            elasticsearch.delete(index=CONNECTORS.alias, id="c1")
        else:
            connectors.put("c1", changed)

    with proxy.losing(meanwhile(nth(1, LOCK), change)):
        assert ids(claims.claim_next(ASKED)) == ["j2"]
    assert jobs.source("j1") == waiting()
    if fields is not None:
        assert connectors.source("c1") == changed


def test_index_of_jobs_that_was_deleted_meanwhile_is_no_error(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch
) -> None:
    connector = connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    delete = meanwhile(nth(1, LOCK), lambda: elasticsearch.indices.delete(index=SYNC_JOBS.name))
    with proxy.losing(delete):
        assert claims.claim_next(ASKED) == []
    assert connectors.source("c1") == connector


# --- A request or response is lost once ---


ONCE = pytest.mark.parametrize("responses", [False, True], ids=["lost request", "lost response"])


def step(name: str) -> Which:
    """A rule that counts from now on."""
    number, which = {
        "refresh": (1, REFRESH),
        "candidates": (1, SEARCH),
        "connectors": (1, MGET),
        "lock": (1, LOCK),
        "second refresh": (2, REFRESH),
        "running jobs": (2, SEARCH),
        "claim": (1, CLAIM),
        "give back": (2, CLAIM),
        "unlock": (2, LOCK),
        "lease": (1, LEASE),
        "release": (2, LEASE),
        "earlier jobs": (1, SEARCH),
    }[name]
    return nth(number, which)


@ONCE
@pytest.mark.parametrize(
    ("sent", "name"),
    [
        *((ASKED, name) for name in ("refresh", "candidates", "connectors", "lock", "second refresh")),
        *((ASKED, name) for name in ("running jobs", "claim")),
        *((REPEATABLE, name) for name in ("lease", "earlier jobs", "lock", "claim", "release")),
    ],
    ids=lambda value: value if isinstance(value, str) else "repeatable" * value.repeatable,
)
def test_claim_that_loses_a_step_claims_one_job_once(
    claims: Claims,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    elasticsearch: Elasticsearch,
    sent: ClaimRequest,
    name: str,
    responses: bool,
) -> None:
    for connector_id in ("c1", "c2"):
        connectors.put(connector_id, a_connector())
    jobs.put_all({"j1": waiting(), "j2": waiting("c2", 1)})
    before = jobs.version("j1")[1], connectors.version("c1")[1], jobs.version("j2"), connectors.version("c2")
    with proxy.losing(step(name), responses=responses):
        [job] = claims.claim_next(sent)
    assert job == {"id": "j1", **jobs.source("j1")}
    assert lock_of(connectors) == "j1"
    after = jobs.version("j1")[1], connectors.version("c1")[1], jobs.version("j2"), connectors.version("c2")
    assert after == (before[0] + 1, before[1] + 1, *before[2:])
    if sent.repeatable:
        assert claims.claim_next(sent) == [job]


@pytest.mark.parametrize(
    "job",
    named(
        [
            ("pending", waiting()),
            (
                "suspended",
                waiting(
                    status="suspended",
                    worker_hostname="worker-0",
                    started_at="2024-01-01T01:00:00+00:00",
                    claimed_at="2024-01-01T02:00:00Z",
                    claim_token="old",
                ),
            ),
            ("with nulls", waiting(worker_hostname=None, started_at=None, last_seen=None)),
        ]
    ),
)
@pytest.mark.parametrize("connector", FORMER)
@pytest.mark.parametrize("sent", [ASKED, REPEATABLE], ids=["once", "repeatable"])
def test_job_that_nobody_received_is_given_back(
    claims: Claims,
    jobs: Stored,
    connectors: Stored,
    sent: ClaimRequest,
    job: dict[str, Any],
    connector: dict[str, Any],
) -> None:
    """Job and connector become what they were."""
    before = connectors.put("c1", a_connector(**connector))
    jobs.put("j1", job)
    asked = ClaimRequest("worker-1", request_id=sent.request_id, resend_window=60, is_connected=gone)
    assert claims.claim_next(asked) == []
    assert jobs.source("j1") == job
    assert connectors.source("c1") == before
    assert ids(claims.claim_next(sent)) == ["j1"]


@ONCE
@pytest.mark.parametrize("name", ["lock", "claim", "give back", "unlock"])
def test_job_is_given_back_where_a_step_is_lost(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored, name: str, responses: bool
) -> None:
    connector = connectors.put("c1", a_connector(**{STATUS: "completed"}))
    jobs.put("j1", waiting())
    with proxy.losing(step(name), responses=responses):
        assert claims.claim_next(ClaimRequest("worker-1", is_connected=gone)) == []
    assert jobs.source("j1") == waiting()
    assert connectors.source("c1") == connector


@ONCE
def test_job_that_was_touched_is_not_given_back(
    claims: Claims, store: Store, proxy: FaultProxy, jobs: Stored, connectors: Stored, responses: bool
) -> None:
    """Whoever touched it has its id. It stays claimed, and its connector locked; also where giving it back is sent twice."""
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    with (
        proxy.losing(meanwhile(step("give back"), lambda: updates.cancel(store, "j1"))),
        proxy.losing(step("give back"), responses=responses),
    ):
        assert claims.claim_next(ClaimRequest("worker-1", is_connected=gone)) == []
    assert jobs.source("j1")["status"] == "canceling"
    assert lock_of(connectors) == "j1"


def test_job_that_was_given_back_and_claimed_again_stays_with_its_worker(
    claims: Claims, others: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    """The response to giving it back is lost, and another worker comes before it is sent again."""
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    found: list[dict[str, Any]] = []

    def claim_it() -> None:
        connectors.put("c1", a_connector())
        found.extend(others.claim_next(ClaimRequest("worker-2")))

    with (
        proxy.losing(step("give back"), responses=True),
        proxy.losing(meanwhile(nth(3, CLAIM), claim_it)),
    ):
        assert claims.claim_next(ClaimRequest("worker-1", is_connected=gone)) == []
    assert ids(found) == ["j1"]
    assert jobs.source("j1")["worker_hostname"] == "worker-2"
    assert lock_of(connectors) == "j1"


# --- A repeat of a request, and a worker that has gone ---


def test_repeat_gets_no_job_that_is_being_given_back(
    claims: Claims, others: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    """The first request's worker has gone: it waits for the repeat's response. Else both would give and take the same job."""
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    first = ClaimRequest("worker-1", request_id="r1", resend_window=60, is_connected=gone)
    with ThreadPoolExecutor(1) as threads:
        repeated = []

        def repeat() -> None:
            repeated.append(threads.submit(others.claim_next, REPEATABLE))
            # The repeat has to wait for its turn.
            with pytest.raises(TimeoutError):
                repeated[0].result(timeout=0.5)

        with proxy.losing(meanwhile(step("give back"), repeat)):
            assert claims.claim_next(first) == []
        [job] = repeated[0].result(timeout=60)
    assert job == {"id": "j1", **jobs.source("j1")}
    assert (job["status"], lock_of(connectors)) == ("in_progress", "j1")


def test_job_is_not_given_back_after_its_turn(
    claims: Claims,
    others: Claims,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first request stalled for so long that its repeat got the job."""
    monkeypatch.setattr("app.store.leases.LEASE_SECONDS", 4.0)
    monkeypatch.setattr("app.store.leases.MARGIN_SECONDS", 0.2)
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    first = ClaimRequest("worker-1", request_id="r1", resend_window=60, is_connected=gone)
    repeated: list[dict[str, Any]] = []

    def stall() -> None:
        repeated.extend(others.claim_next(REPEATABLE))

    with proxy.losing(meanwhile(step("give back"), stall)):
        assert claims.claim_next(first) == []
    assert repeated == [{"id": "j1", **jobs.source("j1")}]
    assert (jobs.source("j1")["status"], lock_of(connectors)) == ("in_progress", "j1")


# --- Elasticsearch is away from some step on ---


def faults(name: str, request: ClaimRequest) -> list[tuple[Which, bool]]:
    """Rules, and whether they lose the responses."""
    # The first search of a repeatable claim is for what it got before.
    second_look = from_the(3 if request.repeatable else 2, SEARCH)
    return {
        "candidates": [(SEARCH, False)],
        "connectors": [(MGET, False)],
        "lock": [(LOCK, False)],
        "response to the lock": [(LOCK, True)],
        "running jobs": [(second_look, False)],
        "running jobs and unlock": [(second_look, False), (from_the(2, LOCK), False)],
        "claim": [(CLAIM, False)],
        "response to the claim": [(CLAIM, True)],
        "response to the claim, and the job": [(CLAIM, True), (from_the(2, MGET), False)],
    }[name]


@pytest.mark.parametrize(
    ("name", "then"),
    [
        ("candidates", "free"),
        ("connectors", "free"),
        ("lock", "free"),
        ("response to the lock", "locked for a time"),
        ("running jobs", "free"),
        ("running jobs and unlock", "locked for a time"),
        ("claim", "locked for a time"),
        ("response to the claim", "claimed"),
        ("response to the claim, and the job", "claimed, unknown"),
    ],
)
@pytest.mark.parametrize("sent", [ASKED, REPEATABLE], ids=["once", "repeatable"])
def test_claim_during_an_interruption_loses_no_job(
    claims: Claims,
    others: Claims,
    store: Store,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    then: str,
    sent: ClaimRequest,
) -> None:
    """A job whose claim is unknown to its worker is found by a repeat; without a request id, by a rescue."""
    before = connectors.put("c1", a_connector(**{STATUS: "completed"}))
    jobs.put("j1", waiting())
    with ExitStack() as stack:
        for which, responses in faults(name, sent):
            stack.enter_context(proxy.losing(which, responses=responses))
        if then == "claimed":
            assert claims.claim_next(sent) == [{"id": "j1", **jobs.source("j1")}]
        else:
            with pytest.raises(ApiError) as failed:
                claims.claim_next(sent)
            assert failed.value.status == 503
    other = ClaimRequest("worker-2")
    if then.startswith("claimed"):
        monkeypatch.setattr(locks, "TAKEOVER_SECONDS", 0)
        assert others.claim_next(other) == []
        assert (jobs.source("j1")["worker_hostname"], lock_of(connectors)) == ("worker-1", "j1")
        if sent.repeatable:
            assert ids(others.claim_next(sent)) == ["j1"]
    else:
        assert jobs.source("j1") == waiting()
        if then == "free":
            assert connectors.source("c1") == before
        else:
            assert lock_of(connectors) == "j1"
            assert others.claim_next(other) == []
            monkeypatch.setattr(locks, "TAKEOVER_SECONDS", 0)
        assert ids(others.claim_next(other)) == ["j1"]
        assert lock_of(connectors) == "j1"
    assert endings.complete(store, "j1", endings.Report()) == "updated"
    assert lock_of(connectors) is None


def refused(status: int) -> str:
    """Elasticsearch's error response."""
    error = {"type": "es_rejected_execution_exception", "reason": "busy"}
    return json.dumps({"error": {"root_cause": [error], **error}, "status": status})


@pytest.mark.parametrize(
    ("which", "locked"), [(SEARCH, False), (LOCK, False), (from_the(2, SEARCH), False), (CLAIM, True)]
)
def test_busy_elasticsearch_is_its_own_429(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored, which: Which, locked: bool
) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j1", waiting())
    with proxy.responding(which, 429, refused(429)), pytest.raises(ApiError) as failed:
        claims.claim_next(ASKED)
    assert (failed.value.status, failed.value.cause.reason) == (429, "busy")
    assert jobs.source("j1") == waiting()
    assert lock_of(connectors) == ("j1" if locked else None)


# An item of a bulk response: Elasticsearch cannot store the document, for instance since its mapping has changed.
UNSTORABLE = json.dumps(
    {
        "errors": True,
        "items": [
            {"update": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "odd"}}}
        ],
    }
)


@pytest.mark.parametrize("which", [LOCK, CLAIM], ids=["connector", "job"])
def test_document_that_cannot_be_stored_keeps_no_other_waiting(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored, which: Which
) -> None:
    for connector_id in ("c1", "c2"):
        connectors.put(connector_id, a_connector())
    jobs.put_all({"j1": waiting(), "j2": waiting("c2", 1)})
    with proxy.responding(nth(1, which), 200, UNSTORABLE):
        assert ids(claims.claim_next(ASKED)) == ["j2"]
    assert jobs.source("j1") == waiting()
    assert (lock_of(connectors, "c1"), lock_of(connectors, "c2")) == (None, "j2")


def test_jobs_that_are_claimed_are_returned_though_more_cannot_be(
    claims: Claims, proxy: FaultProxy, jobs: Stored, connectors: Stored
) -> None:
    """Two of three are dealt; one of them is lost to a worker, and then Elasticsearch is away."""
    for connector_id in ("c1", "c2", "c3"):
        connectors.put(connector_id, a_connector())
    jobs.put_all({"j1": waiting(), "j2": waiting("c2", 1), "j3": waiting("c3", 2)})

    def lock() -> None:
        connectors.put("c2", a_connector(**{STATUS: "in_progress"}))

    with (
        proxy.losing(meanwhile(nth(1, LOCK), lock)),
        proxy.losing(from_the(2, LOCK)),
    ):
        assert ids(claims.claim_next(ClaimRequest("worker-1", limit=2))) == ["j1"]
    assert jobs.source("j3") == waiting("c3", 2)


# --- A claimant stalls or dies ---


FULL, INCREMENTAL = (ClaimFilter(job_types=(job_type,)) for job_type in ("full", "incremental"))


def test_claim_that_stalled_until_another_took_over_is_refused(
    claims: Claims,
    others: Claims,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is fenced by time: nobody has written its job meanwhile, since the other claim is for another one."""
    monkeypatch.setattr(locks, "CLAIM_SECONDS", 0.5)
    monkeypatch.setattr(locks, "TAKEOVER_SECONDS", 1.0)
    connectors.put("c1", a_connector(**{STATUS: "completed"}))
    jobs.put_all({"j1": waiting(job_type="full"), "j2": waiting(minute=1, job_type="incremental")})
    before = jobs.version("j1")
    taken: list[dict[str, Any]] = []

    def stall() -> None:
        asked = ClaimRequest("worker-2", wanted=INCREMENTAL, wait=60)
        taken.extend(others.claim_next(asked))

    with proxy.losing(meanwhile(nth(1, CLAIM), stall)):
        assert claims.claim_next(ClaimRequest("worker-1", wanted=FULL)) == []
    assert ids(taken) == ["j2"]
    assert jobs.version("j1") == before
    assert jobs.source("j2")["worker_hostname"] == "worker-2"
    assert lock_of(connectors) == "j2"


def test_lock_of_a_claimant_that_died_is_taken_over_and_given_back_to_what_it_was(
    claims: Claims,
    others: Claims,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = connectors.put("c1", a_connector(**{STATUS: "error", "last_synced": "2024-01-01T00:00:00Z"}))
    jobs.put("j1", waiting())
    with proxy.losing(LOCK, responses=True), pytest.raises(ApiError):
        claims.claim_next(ASKED)
    assert lock_of(connectors) == "j1"
    monkeypatch.setattr(locks, "TAKEOVER_SECONDS", 0)
    assert others.claim_next(ClaimRequest("worker-2", is_connected=gone)) == []
    assert jobs.source("j1") == waiting()
    assert connectors.source("c1") == before


def test_lock_of_a_claimant_that_died_outlives_the_end_of_the_other_kind(
    claims: Claims,
    others: Claims,
    store: Store,
    proxy: FaultProxy,
    jobs: Stored,
    connectors: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That end changes the connector's last sync, which is the sign of a lock that was freed."""
    connectors.put("c1", a_connector())
    jobs.put("j0", waiting(job_type="access_control"))
    assert ids(others.claim_next(ASKED)) == ["j0"]
    jobs.put("j1", waiting())
    with proxy.losing(CLAIM), pytest.raises(ApiError):
        claims.claim_next(ASKED)
    assert endings.complete(store, "j0", endings.Report()) == "updated"
    assert lock_of(connectors, kind=SyncKind.ACCESS_CONTROL) is None
    assert lock_of(connectors) == "j1"
    monkeypatch.setattr(locks, "TAKEOVER_SECONDS", 0)
    assert ids(others.claim_next(ASKED)) == ["j1"]
