"""`POST /_connector/_sync_job?if_active=…`: one active job of a type for each connector, where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.errors import ApiError
from app.store import Store, leases
from app.store.index_definitions import LEASES, SYNC_JOBS
from app.sync_jobs import creating
from app.sync_jobs.creating import Created, JobRequest
from tests.documents import FINISHED, ID, STATUSES, Stored, a_connector, a_job
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy, nth, to
from tests.responses import OWN_ID, envelope, error_body, illegal, not_found
from tests.service import Http, Service

ACTIVE = [status for status in STATUSES if status not in FINISHED]
BODY = {"id": ID, "job_type": "incremental"}  # the type of `a_job`


def refused(job: str = "j1", status: str = "pending", connector: str = ID) -> dict[str, Any]:
    return envelope(
        409,
        "status_exception",
        f"Connector [{connector}] already has an active sync job [{job}] of type [incremental] with status [{status}].",
    )


@pytest.fixture(autouse=True)
def connector(connectors: Stored) -> None:
    connectors.put(ID, a_connector())


@pytest.mark.parametrize("status", ACTIVE)
def test_job_is_refused_while_another_is_active(http: Http, jobs: Stored, status: str) -> None:
    jobs.put("j1", a_job(status))
    assert error_body(http.post(f"{JOBS}?if_active=refuse", json=BODY)) == refused("j1", status)
    assert jobs.ids() == {"j1"}


@pytest.mark.parametrize("status", ACTIVE)
def test_active_job_is_returned(http: Http, jobs: Stored, writes: Callable[[], int], status: str) -> None:
    jobs.put("j1", a_job(status))
    before = writes()
    response = http.post(f"{JOBS}?if_active=return", json=BODY)
    assert (response.status_code, response.json()) == (200, {"id": "j1"})
    assert writes() == before


@pytest.mark.parametrize("status", FINISHED)
@pytest.mark.parametrize("way", ["refuse", "return"])
def test_finished_job_is_no_obstacle(http: Http, jobs: Stored, way: str, status: str) -> None:
    jobs.put("j1", a_job(status))
    response = http.post(f"{JOBS}?if_active={way}", json=BODY)
    assert response.status_code == 201
    assert OWN_ID.fullmatch(response.json()["id"])
    assert jobs.ids() == {"j1", response.json()["id"]}


@pytest.mark.parametrize("way", ["refuse", "return"])
def test_active_job_of_another_type_or_connector_is_no_obstacle(http: Http, jobs: Stored, way: str) -> None:
    jobs.put_all({"type": a_job(job_type="full"), "connector": a_job(connector={"id": "c2"})})
    assert http.post(f"{JOBS}?if_active={way}", json=BODY).status_code == 201


def test_created_job_is_the_same_however_it_was_asked_for(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    connectors.put(ID, a_connector(filtering={"active": {"rules": []}}))  # the default one has timestamps
    made = []
    for way in ("create", "refuse"):
        job_id = http.post(f"{JOBS}?if_active={way}", json=BODY).json()["id"]
        job = jobs.source(job_id)
        made.append({key: value for key, value in job.items() if key not in ("created_at", "last_seen")})
        assert http.delete(f"{JOBS}/{job_id}").status_code == 200
    assert made[0] == made[1]


@pytest.mark.parametrize("query", ["", "?if_active=create", "?if_active=CREATE"])
def test_job_is_created_beside_an_active_one_unless_asked_otherwise(
    http: Http, jobs: Stored, query: str
) -> None:
    jobs.put("j1", a_job())
    assert http.post(f"{JOBS}{query}", json=BODY).status_code == 201


def test_oldest_of_several_active_jobs_is_named(http: Http, jobs: Stored) -> None:
    for number, status in enumerate(["completed", "suspended", "in_progress", "pending"]):
        jobs.put(f"j{number}", a_job(status, created_at=f"2024-01-0{number + 1}T00:00:00Z"))
    jobs.put("a", {key: value for key, value in a_job().items() if key != "created_at"})
    assert error_body(http.post(f"{JOBS}?if_active=refuse", json=BODY)) == refused("j1", "suspended")
    assert http.post(f"{JOBS}?if_active=return", json=BODY).json() == {"id": "j1"}


def test_errors_of_the_connector_come_before_those_of_active_jobs(
    http: Http, jobs: Stored, connectors: Stored
) -> None:
    jobs.put("j1", a_job())
    for way in ("refuse", "return"):
        for connector, status in ((a_connector(index_name=None), 400), (a_connector(deleted=True), 404)):
            connectors.put(ID, connector)
            assert http.post(f"{JOBS}?if_active={way}", json=BODY).status_code == status
        assert error_body(http.post(f"{JOBS}?if_active={way}", json={"id": "nobody"})) == not_found(
            "Connector with id 'nobody' does not exist."
        )


@pytest.mark.parametrize("sent", ["", "refuse,return", "true"])
def test_unknown_choice_is_a_bad_request(http: Http, jobs: Stored, sent: str) -> None:
    reason = (
        f"Failed to parse parameter [if_active] with value [{sent}] "
        "as only [create] or [refuse] or [return] are allowed."
    )
    assert error_body(http.post(f"{JOBS}?if_active={sent}", json=BODY)) == illegal(reason)
    assert jobs.ids() == set()


def test_near_miss_of_the_parameter_is_suggested(http: Http) -> None:
    reason = f"request [{JOBS}] contains unrecognized parameter: [if_activ] -> did you mean [if_active]?"
    assert error_body(http.post(f"{JOBS}?if_activ=refuse", json=BODY)) == illegal(reason)


@pytest.mark.parametrize("connector", ["c" * 512, "ü€" * 100, "a:b/'"])
def test_connector_may_have_any_id(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch, connector: str
) -> None:
    connectors.put(connector, a_connector())
    made = http.post(f"{JOBS}?if_active=refuse", json=BODY | {"id": connector})
    assert made.status_code == 201
    again = http.post(f"{JOBS}?if_active=refuse", json=BODY | {"id": connector})
    assert error_body(again) == refused(made.json()["id"], connector=connector)
    assert no_lease(elasticsearch)


def no_lease(elasticsearch: Elasticsearch) -> bool:
    elasticsearch.indices.refresh(index=LEASES.alias)
    return elasticsearch.count(index=LEASES.alias)["count"] == 0


@pytest.fixture
def compatible(node_url: str, elasticsearch: Elasticsearch) -> Iterator[Http]:
    """A service that leaves refreshing to writes, with indices that nobody else refreshes."""
    with Service(node_url, WORKERS="1", COMPATIBILITY="elasticsearch", REFRESH="") as service:
        service.wait_until_ready()
        elasticsearch.indices.put_settings(index=SYNC_JOBS.alias, settings={"refresh_interval": "-1"})
        yield service.http
        elasticsearch.indices.put_settings(index=SYNC_JOBS.alias, settings={"refresh_interval": None})


def test_job_that_another_program_wrote_a_moment_ago_is_seen_in_both_modes(
    http: Http, compatible: Http, jobs: Stored
) -> None:
    """Fails where the search leaves refreshing to writes."""
    for number, client in enumerate((http, compatible)):
        jobs.put(f"j{number}", a_job())
        assert error_body(client.post(f"{JOBS}?if_active=refuse", json=BODY)) == refused(f"j{number}")
        jobs.put(f"j{number}", a_job("completed"))
        made = client.post(f"{JOBS}?if_active=return", json=BODY)
        assert made.status_code == 201
        jobs.put(made.json()["id"], a_job("completed"))


# --- Rare interleavings, in this process ---

REFUSE, RETURN = (JobRequest(ID, "incremental", "on_demand", way) for way in ("refuse", "return"))


def attempt(act: Callable[[], Created]) -> tuple[int, str]:
    """The status, and the id or the reason."""
    try:
        made = act()
    except ApiError as error:
        return error.status, error.cause.reason or ""
    return made.status, made.id


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.6)


@pytest.mark.parametrize("request_", [REFUSE, RETURN], ids=["refuse", "return"])
def test_creation_under_an_expired_lease_is_given_up(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch, short_leases: None, request_: JobRequest
) -> None:
    """The request stalls between search and creation until another one has taken over the lease and created a job.

    Fails where `create.painless` does not look at the lease.
    """
    search, searches, others = store.sync_jobs.search, [], []

    def stall(sought: Any) -> Any:
        page = search(sought)
        searches.append(sought)
        if len(searches) == 2:  # the one under the lease
            others.append(creating.create(store, REFUSE).id)
        return page

    monkeypatch.setattr(store.sync_jobs, "search", stall)
    outcome = attempt(lambda: creating.create(store, request_))
    assert outcome == (
        (200, others[0]) if request_ is RETURN else (409, refused(others[0])["error"]["reason"])
    )
    assert jobs.ids() == set(others)


def test_lease_that_never_lasts_long_enough_is_503(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0)
    monkeypatch.setattr(creating, "TIMEOUT_SECONDS", 0)
    outcome = attempt(lambda: creating.create(store, REFUSE))
    assert outcome == (503, "The sync job could not be created in time. The request can be sent again.")
    assert jobs.ids() == set()


@pytest.fixture
def proxied(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that reaches Elasticsearch through the proxy."""
    monkeypatch.setenv("ELASTICSEARCH_URL", proxy.url)
    return Store(settings.load())


CREATION = to(f"/{SYNC_JOBS.alias}/_update/")


@pytest.mark.parametrize("reached", [True, False], ids=["created", "not created"])
def test_request_after_one_that_failed_half_way_waits_for_its_lease_and_searches(
    store: Store, proxied: Store, proxy: FaultProxy, jobs: Stored, short_leases: None, reached: bool
) -> None:
    """The first does not know whether it has created its job."""
    outage = Event()

    def and_all_that_follow(request: Any) -> bool:
        if CREATION(request):
            outage.set()
        return outage.is_set()

    with proxy.losing(and_all_that_follow, responses=reached):
        assert attempt(lambda: creating.create(proxied, REFUSE, "first"))[0] == 503
    outcome = attempt(lambda: creating.create(store, RETURN, "second"))
    assert outcome == ((200, "first") if reached else (201, "second"))
    assert jobs.ids() == {outcome[1]}


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
def test_lost_creation_makes_one_job(
    proxied: Store, proxy: FaultProxy, jobs: Stored, elasticsearch: Elasticsearch, responses: bool
) -> None:
    """Fails where `create.painless` takes a job of its id for somebody else's."""
    with proxy.losing(nth(1, CREATION), responses=responses):
        made = creating.create(proxied, REFUSE)
    assert made.status == 201
    assert jobs.ids() == {made.id}
    assert jobs.version(made.id)[1] == 1
    assert no_lease(elasticsearch)


def test_lease_is_taken_only_where_no_job_is_active(proxied: Store, proxy: FaultProxy) -> None:
    with proxy.recording() as recorded:
        made = creating.create(proxied, RETURN)
    lease = to(f"/{LEASES.alias}/_update/")
    assert len(list(filter(lease, recorded))) == 2  # taken and released
    with proxy.recording() as recorded:
        assert creating.create(proxied, RETURN) == Created(made.id, 200)
    assert not list(filter(lease, recorded))


def test_own_job_is_no_obstacle(store: Store, jobs: Stored) -> None:
    """A request sent again under the same id, as one with a key."""
    for _ in range(2):
        assert creating.create(store, REFUSE, "own") == Created("own", 201)
        assert creating.create(store, RETURN, "own") == Created("own", 201)
    assert jobs.ids() == {"own"}
