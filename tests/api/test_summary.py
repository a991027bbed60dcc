"""`GET /_connector/_sync_job/_summary`: how the jobs are doing, all in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.cases import named
from tests.documents import SECRET, STATUSES, Stored, a_connector, a_job, a_running_job, empty
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy
from tests.responses import error_body, illegal
from tests.service import Http, Service

SUMMARY = f"{JOBS}/_summary"
NO_JOBS = dict.fromkeys(STATUSES, 0)
NOTHING = {
    "by_status": NO_JOBS,
    "by_connector": [],
    "oldest_pending": None,
    "longest_idle": None,
    "unclaimed": 0,
    "idle": 0,
    "locked_without_job": 0,
    "leader": ...,
}


def ago(**duration: float) -> str:
    return clock.iso(datetime.now(UTC) - timedelta(**duration))


def summary(http: Http, query: str = "") -> dict[str, Any]:
    response = http.get(SUMMARY + query)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_summary_of_no_jobs(http: Http) -> None:
    found = summary(http)
    assert found == NOTHING | {"leader": found["leader"]}
    assert list(found) == list(NOTHING)


@pytest.mark.parametrize("definition", [SYNC_JOBS, CONNECTORS], ids=["jobs", "connectors"])
def test_summary_without_an_index(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch, definition: Any
) -> None:
    jobs.put("a", a_job())
    connectors.put("c1", a_connector(last_sync_status="in_progress"))
    elasticsearch.indices.delete(index=definition.name)
    found = summary(http)
    assert found["by_status"]["pending"] == (0 if definition is SYNC_JOBS else 1)
    assert found["locked_without_job"] == (1 if definition is SYNC_JOBS else 0)
    assert not elasticsearch.indices.exists(index=[definition.alias])


def test_jobs_are_counted_by_status(http: Http, jobs: Stored) -> None:
    """In all seven statuses; what other programs made up is not shown."""
    jobs.put_all(
        {
            f"{status}-{number}": a_job(status)
            for number, status in enumerate(STATUSES)
            for number in range(number)
        }
    )
    jobs.put_all({"x": a_job("resting"), "y": a_job(None), "z": {}})
    found = summary(http)
    assert found["by_status"] == {status: number for number, status in enumerate(STATUSES)}
    assert found["by_connector"] == [{"connector_id": "c1", "by_status": found["by_status"]}]


def test_busiest_connectors_come_first(http: Http, jobs: Stored) -> None:
    """Those with the most unfinished jobs, then those with the most jobs, then by id."""
    numbers = {"idle": (0, 9), "busy": (3, 0), "busier": (3, 1), "b": (1, 1), "a": (1, 1)}
    for connector, (waiting, finished) in numbers.items():
        for number in range(waiting + finished):
            status = "suspended" if number < waiting else "error"
            jobs.put(f"{connector}-{number}", a_job(status, connector={"id": connector}))
    found = summary(http)["by_connector"]
    assert [each["connector_id"] for each in found] == ["busier", "busy", "a", "b", "idle"]
    assert found[0] == {"connector_id": "busier", "by_status": NO_JOBS | {"suspended": 3, "error": 1}}
    assert list(found[0]) == ["connector_id", "by_status"]


def test_at_most_a_hundred_connectors_are_shown(http: Http, jobs: Stored) -> None:
    jobs.put_all({f"j{number}": a_job(connector={"id": f"c{number % 110}"}) for number in range(115)})
    found = summary(http)
    assert len(found["by_connector"]) == 100
    assert found["by_status"]["pending"] == 115
    assert {each["connector_id"] for each in found["by_connector"][:5]} == {"c0", "c1", "c2", "c3", "c4"}


def test_oldest_pending_job_is_shown(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            "newer": a_job(created_at="2024-01-02T00:00:00Z"),
            "oldest": a_job(created_at="2024-01-01T00:00:00+00:00"),
            "undated": a_job(created_at=None),
            "suspended": a_job("suspended", created_at="2023-01-01T00:00:00Z"),
        }
    )
    assert summary(http)["oldest_pending"] == {"id": "oldest", "created_at": "2024-01-01T00:00:00+00:00"}


def test_pending_job_without_a_date_is_shown_if_there_is_no_other(http: Http, jobs: Stored) -> None:
    jobs.put("a", {"status": "pending"})
    assert summary(http)["oldest_pending"] == {"id": "a", "created_at": None}


def test_running_job_without_a_heartbeat_for_longest_is_shown(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            "a": a_running_job(last_seen="2024-01-02T00:00:00Z"),
            "b": a_running_job("canceling", last_seen="2024-01-01T00:00:00Z", worker_hostname="w"),
            "pending": a_job(last_seen="2023-01-01T00:00:00Z"),
            "done": a_running_job("completed", last_seen="2023-01-01T00:00:00Z"),
            "never": a_running_job(last_seen=None),
        }
    )
    expected = {"id": "b", "worker_hostname": "w", "last_seen": "2024-01-01T00:00:00Z"}
    assert summary(http)["longest_idle"] == expected


def test_pending_jobs_that_nobody_claims_are_counted(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            "new": a_job(created_at=ago(minutes=4)),
            "old": a_job(created_at=ago(minutes=6)),
            "older": a_job(created_at=ago(hours=2)),
            "undated": a_job(created_at=None),
            "suspended": a_job("suspended", created_at=ago(hours=2)),
        }
    )
    assert summary(http)["unclaimed"] == 2
    assert summary(http, "?unclaimed_for=1h")["unclaimed"] == 1
    assert summary(http, "?unclaimed_for=0s")["unclaimed"] == 3
    assert summary(http, "?unclaimed_for=1000000d")["unclaimed"] == 0


def test_idle_jobs_are_those_that_a_rescue_ends(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            "silent": a_running_job(last_seen=ago(minutes=11)),
            "canceling": a_running_job("canceling", last_seen=ago(hours=2)),
            "alive": a_running_job(last_seen=ago(minutes=9)),
            "never seen": a_running_job(last_seen=None, started_at=ago(hours=2)),
            "future": a_running_job(last_seen=ago(days=-2), started_at=ago(hours=2)),
            "just started": a_running_job(last_seen=None, started_at=ago(minutes=1)),
            "a clock that is a little ahead": a_running_job(last_seen=ago(seconds=-5)),
            "no times": {"status": "in_progress"},
            "pending": a_job(last_seen=ago(hours=2)),
            "done": a_running_job("error", last_seen=ago(hours=2)),
        }
    )
    for query, idle_for, expected in (("", "10m", 5), ("?idle_for=1h", "1h", 4), ("?idle_for=3h", "3h", 1)):
        found = http.post(f"{JOBS}/_rescue", json={"idle_for": idle_for, "dry_run": True}).json()["rescued"]
        assert (
            summary(http, query)["idle"]
            == len([job for job in found if job["status"] != "pending"])
            == expected
        )


LOCKED, FREE = "in_progress", "completed"
# The connector's two statuses, the job on it, and whether it is locked for nothing.
LOCKS = [
    ("free", (FREE, FREE), None, False),
    ("never synced", (None, None), None, False),
    ("locked for content", (LOCKED, FREE), None, True),
    ("locked for access control", (FREE, LOCKED), None, True),
    ("locked for both", (LOCKED, LOCKED), None, True),
    ("a full job runs", (LOCKED, FREE), ("in_progress", "full"), False),
    ("an incremental job runs", (LOCKED, FREE), ("in_progress", "incremental"), False),
    ("an access control job runs", (FREE, LOCKED), ("in_progress", "access_control"), False),
    ("its job is being canceled", (LOCKED, FREE), ("canceling", "full"), False),
    ("a job of the other kind runs", (LOCKED, FREE), ("in_progress", "access_control"), True),
    ("a job of the other kind runs, too", (FREE, LOCKED), ("in_progress", "full"), True),
    ("locked for both, one job", (LOCKED, LOCKED), ("in_progress", "full"), True),
    ("its job waits", (LOCKED, FREE), ("pending", "full"), True),
    ("its job is suspended", (LOCKED, FREE), ("suspended", "full"), True),
    ("its job has ended", (LOCKED, FREE), ("completed", "full"), True),
]


@pytest.mark.parametrize(("statuses", "job", "stuck"), named(LOCKS))
def test_connector_that_is_locked_without_a_job_is_counted(
    http: Http, jobs: Stored, connectors: Stored, statuses: Any, job: Any, stuck: bool
) -> None:
    content, access = statuses
    connector = a_connector(last_sync_status=content, last_access_control_sync_status=access)
    connectors.put("c2", connector)
    connectors.put("deleted", connector | {"deleted": True})
    connectors.put("deleted, too", connector | {"deleted": "true"})
    jobs.put("another", a_job("in_progress", connector={"id": "c1"}, job_type="full"))
    if job is not None:
        jobs.put("a", a_job(job[0], job_type=job[1], connector={"id": "c2"}))
    assert summary(http)["locked_without_job"] == int(stuck)


def test_many_locked_connectors_are_counted(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put_all({f"c{number}": a_connector(last_sync_status=LOCKED) for number in range(1_500)})
    jobs.put_all(
        {f"j{number}": a_job("in_progress", connector={"id": f"c{number}"}) for number in range(0, 1_500, 2)}
    )
    assert summary(http)["locked_without_job"] == 750


@pytest.mark.parametrize("name", ["unclaimed_for", "idle_for"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("10", "failed to parse setting [{}] with value [10] as a time value: unit is missing or unrecognized"),
        ("", "failed to parse setting [{}] with value [] as a time value: unit is missing or unrecognized"),
        ("-5m", "failed to parse setting [{}] with value [-5m] as a time value: negative durations are not supported"),
        ("-1", "failed to parse value [-1] for setting [{}], must be >= [0s]"),
    ],
)  # fmt: skip
def test_invalid_duration_is_refused(http: Http, name: str, value: str, reason: str) -> None:
    assert error_body(http.get(f"{SUMMARY}?{name}={value}")) == illegal(reason.format(name))


def test_fractional_duration_is_refused(http: Http) -> None:
    assert error_body(http.get(f"{SUMMARY}?idle_for=1.5h")) == illegal(
        "failed to parse [1.5h], fractional time values are not supported",
        ("number_format_exception", 'For input string: "1.5"'),
    )


def test_nothing_but_ids_hosts_and_times_is_shown(http: Http, jobs: Stored, connectors: Stored) -> None:
    jobs.put("a", a_job())
    jobs.put("b", a_running_job(error=SECRET))
    connectors.put("c1", a_connector(last_sync_status=LOCKED, error=SECRET, last_sync_error=SECRET))
    assert SECRET not in http.get(SUMMARY).text


def test_filter_path_shows_a_part(http: Http, jobs: Stored) -> None:
    jobs.put("a", a_job())
    found = summary(http, "?filter_path=by_status.pending,idle")
    assert found == {"by_status": {"pending": 1}, "idle": 0}


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    with Service(proxy.url, WORKERS="1", AUTHORIZATION_CACHE_SECONDS="600") as service:
        service.wait_until_ready()
        yield service


def test_summary_takes_two_searches_which_see_every_write(
    proxied: Service, proxy: FaultProxy, elasticsearch: Elasticsearch, put_jobs: Callable[..., list[str]]
) -> None:
    proxied.wait_until_ready()
    empty(elasticsearch)
    put_jobs(30, "in_progress")
    summary(proxied.http)  # who calls is known from now on
    put_jobs(40)
    with proxy.recording() as recorded:
        found = summary(proxied.http)
    assert found["by_status"] == NO_JOBS | {"pending": 40}
    searches = [request.path for request in recorded if "/_search" in request.path]
    assert len(searches) == 2
    ends = {request.path.partition("?")[0].rpartition("/")[2] for request in recorded}
    assert ends == {"_refresh", "_search", "leader"}
