"""`POST /_connector/_sync_job/_prune`: deletes jobs that ended long ago."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock, settings
from app.errors import ApiError
from app.store import Store
from app.store.index_definitions import SYNC_JOBS
from app.sync_jobs import retention, walks
from app.sync_jobs.retention import prune
from tests.cases import named
from tests.documents import FINISHED, STATUSES, Stored, a_running_job, empty
from tests.endpoints import JOBS
from tests.fault_proxy import FaultProxy
from tests.responses import error_body, invalid
from tests.service import Http

PRUNE = f"{JOBS}/_prune"
NOW = datetime.now(UTC)


def at(days: float) -> str:
    """So many days ago."""
    return clock.iso(NOW - timedelta(days=days))


def ended(days: float, status: str = "completed", **other: Any) -> dict[str, Any]:
    """A job that ended so many days ago, and was created a little before."""
    times = {"created_at": at(days + 0.01), "completed_at": at(days), "last_seen": at(days)}
    return a_running_job(status, **(times | other))


def deleted(http: Http, **body: Any) -> int:
    """How many jobs a request deletes; a dry run says the same before, and deletes none."""
    dry = http.post(PRUNE, json=body | {"dry_run": True})
    response = http.post(PRUNE, json=body | {"dry_run": False})
    assert (dry.status_code, response.status_code) == (200, 200), dry.text + response.text
    assert list(response.json()) == ["deleted"]
    assert dry.json() == {"would_delete": response.json()["deleted"]}
    return int(response.json()["deleted"])


def test_jobs_that_ended_long_ago_are_deleted(http: Http, jobs: Stored) -> None:
    jobs.put_all({f"j{days}": ended(days) for days in (29, 31, 33)})
    assert deleted(http, keep_last=0) == 2
    assert jobs.ids() == {"j29"}


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"dry_run": True}}], ids=str)
def test_request_is_a_dry_run_unless_it_says_otherwise(
    http: Http, jobs: Stored, writes: Callable[[], int], options: Any
) -> None:
    """By default the last ten stay."""
    jobs.put_all({f"j{number}": ended(31 + number) for number in range(12)})
    before = writes()
    response = http.post(PRUNE, **options)
    assert (response.status_code, response.json()) == (200, {"would_delete": 2})
    assert writes() == before


@pytest.mark.parametrize("status", [*STATUSES, "resting", None])
def test_only_finished_jobs_are_deleted(http: Http, jobs: Stored, status: Any) -> None:
    jobs.put("a", ended(99, status))
    assert deleted(http, keep_last=0, finished_for="0s") == (status in FINISHED)
    assert jobs.ids() == (set() if status in FINISHED else {"a"})


def ends(**days: float | None) -> dict[str, Any]:
    none = dict.fromkeys(["completed_at", "canceled_at", "last_seen"])
    return none | {field: None if each is None else at(each) for field, each in days.items()}


ENDS = [
    ("completed long ago", ends(completed_at=31, canceled_at=1, last_seen=1), True),
    ("completed just now", ends(completed_at=29, canceled_at=99, last_seen=99), False),
    ("canceled long ago", ends(canceled_at=31, last_seen=1), True),
    ("canceled just now", ends(canceled_at=29, last_seen=99), False),
    ("last seen long ago", ends(last_seen=31), True),
    ("last seen just now", ends(last_seen=29), False),
    ("completed in the future", ends(completed_at=-1, last_seen=99), False),
    ("it does not say", ends(), False),
    ("epoch milliseconds", ends() | {"completed_at": 1704067200000}, True),
    ("epoch text", ends() | {"completed_at": "1704067200000"}, True),
    ("before 1970", ends() | {"completed_at": "1969-12-31T23:59:59Z"}, True),
    ("a list", ends() | {"completed_at": [at(99), at(1)]}, False),
]


@pytest.mark.parametrize(("times", "old"), named(ENDS))
def test_end_of_a_job(http: Http, jobs: Stored, times: dict[str, Any], old: bool) -> None:
    jobs.put("a", ended(0, "canceled", **times, created_at=at(100)))
    assert deleted(http, keep_last=0, finished_for="30d") == old
    assert jobs.exists("a") is not old


@pytest.mark.parametrize(
    ("finished_for", "left"),
    [
        ("0s", set()),
        ("36h", {"j1"}),
        ("2d", {"j1"}),
        ("3000m", {"j1", "j2"}),
        ("9999999999d", {"j1", "j2", "j3"}),
    ],
)
def test_duration_is_the_callers(http: Http, jobs: Stored, finished_for: str, left: set[str]) -> None:
    jobs.put_all({f"j{days}": ended(days) for days in (1, 2, 3)})
    assert deleted(http, keep_last=0, finished_for=finished_for) == 3 - len(left)
    assert jobs.ids() == left


@pytest.mark.parametrize(("keep_last", "left"), [(0, 0), (1, 1), (2, 2), (4, 4), (5, 4), (2**31 - 1, 4)])
def test_newest_jobs_of_each_connector_and_type_stay(
    http: Http, jobs: Stored, keep_last: int, left: int
) -> None:
    """Newest by `created_at`, in whatever order they ended."""
    groups = [(connector, kind) for connector in ("c1", "c2") for kind in ("full", "incremental")]
    jobs.put_all(
        {
            f"{connector}-{kind}-{number}": ended(
                40,
                connector={"id": connector},
                job_type=kind,
                created_at=at(50 + number),
                completed_at=at(45 - number),
            )
            for connector, kind in groups
            for number in range(4)
        }
    )
    assert deleted(http, keep_last=keep_last) == len(groups) * (4 - left)
    assert jobs.ids() == {
        f"{connector}-{kind}-{number}" for connector, kind in groups for number in range(left)
    }


def test_all_finished_jobs_count_among_the_newest_and_no_others(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            "running": ended(1, "in_progress"),
            "pending": ended(2, "pending"),
            "recent": ended(3, "error"),
            "kept": ended(50, "canceled"),
            "old": ended(51, "completed"),
        }
    )
    assert deleted(http, keep_last=2) == 1
    assert jobs.ids() == {"running", "pending", "recent", "kept"}


def test_jobs_that_lack_fields_have_groups_of_their_own(http: Http, jobs: Stored) -> None:
    """Other programs wrote them. A job that does not say when it was created is the oldest."""
    odd = {"status": "error", "completed_at": at(99)}
    jobs.put_all(
        {
            "bare-1": odd,
            "bare-2": odd | {"created_at": None},
            "bare-new": odd | {"created_at": at(100)},
            "no type": odd | {"connector": {"id": "c1"}},
            "no connector": odd | {"job_type": "full"},
            "whole": ended(99),
        }
    )
    assert deleted(http, keep_last=1) == 2
    assert jobs.ids() == {"bare-new", "no type", "no connector", "whole"}


def test_thousands_of_jobs_are_deleted(
    http: Http, put_jobs: Callable[..., list[str]], elasticsearch: Elasticsearch
) -> None:
    """Most with equal timestamps: which of them stay does not matter, but so many do."""
    old = {"completed_at": at(99)}
    put_jobs(1_500, "completed", job_type="full", **old)
    put_jobs(2_600, "error", connector_id="c2", job_type="full", created_at="2024-02-01T00:00:00Z", **old)
    assert deleted(http, keep_last=3) == 4_094
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    assert elasticsearch.count(index=SYNC_JOBS.alias)["count"] == 6


def test_without_an_index_there_is_nothing_to_delete(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert deleted(http) == 0
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


def test_negative_number_is_refused(http: Http, jobs: Stored) -> None:
    jobs.put("a", ended(99))
    body = {"keep_last": -1, "dry_run": False}
    assert error_body(http.post(PRUNE, json=body)) == invalid("[keep_last] cannot be negative.")
    assert jobs.exists("a")


@pytest.mark.parametrize(
    "body",
    [
        {"finished_for": "x"}, {"finished_for": "-1"}, {"finished_for": 30}, {"finished_for": None}, {"keep_last": None},
        {"keep_last": 2**31}, {"dry_run": None}, {"dry_run": "no"}, {"older_than": "30d"}, [],
    ],
    ids=str,
)  # fmt: skip
def test_unreadable_body_is_refused(http: Http, jobs: Stored, body: Any) -> None:
    jobs.put("a", ended(99))
    sent = {"keep_last": 0, "dry_run": False} | body if isinstance(body, dict) else body
    assert error_body(http.post(PRUNE, json=sent))["status"] == 400
    assert jobs.exists("a")


# --- With a store in this process ---


@pytest.fixture
def proxied(proxy: FaultProxy, elasticsearch: Elasticsearch, store: Store) -> Iterator[Store]:
    """A store behind the proxy; there are no documents."""
    store.indices.ensure()
    empty(elasticsearch)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        yield Store(settings.load())


@pytest.fixture
def stored(proxied: Store, elasticsearch: Elasticsearch) -> Stored:
    return Stored(elasticsearch, SYNC_JOBS)


def run(store: Store, keep_last: int = 0) -> int:
    return prune(store, timedelta(days=30), keep_last, dry_run=False)


@pytest.mark.parametrize("page", [1, 2, 3, 5])
@pytest.mark.parametrize("keep_last", [0, 1, 3])
def test_groups_go_on_across_pages(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch, page: int, keep_last: int
) -> None:
    monkeypatch.setattr(retention, "PAGE", page)
    kinds = [
        ("c1", "full"),
        ("c1", "incremental"),
        ("c1", None),
        ("c2", "full"),
        (None, "full"),
        (None, None),
    ]
    times: list[Any] = [at(70), at(80), at(80), None]
    stored.put_all(
        {
            f"{connector}-{kind}-{number}": ended(
                60, connector={"id": connector}, job_type=kind, created_at=created
            )
            for connector, kind in kinds
            for number, created in enumerate(times)
        }
    )
    assert prune(proxied, timedelta(days=30), keep_last, dry_run=True) == len(kinds) * (
        len(times) - keep_last
    )
    assert run(proxied, keep_last) == len(kinds) * (len(times) - keep_last)
    assert stored.ids() == {
        f"{connector}-{kind}-{number}" for connector, kind in kinds for number in range(keep_last)
    }


def test_job_that_is_written_after_it_was_found_stays(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance where a finished job may start again."""
    stored.put_all({"a": ended(60), "b": ended(61)})
    remove = proxied.sync_jobs.delete_unchanged

    def write_first(versions: Any) -> int:
        stored.put("a", ended(60, "in_progress"))
        return remove(versions)

    monkeypatch.setattr(proxied.sync_jobs, "delete_unchanged", write_first)
    assert run(proxied) == 1
    assert stored.ids() == {"a"}


def test_request_ends_in_time_and_can_be_repeated(
    proxied: Store, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAGE", 2)
    monkeypatch.setattr(walks, "SECONDS", 0.0)
    stored.put_all({f"j{number}": ended(60 + number) for number in range(5)})
    for _ in range(2):
        with pytest.raises(ApiError) as refused:
            run(proxied)
        assert refused.value.status == 503
        assert "can be sent again" in (refused.value.cause.reason or "")
    assert run(proxied) == 1


def test_searches_ask_for_no_documents(proxied: Store, stored: Stored, proxy: FaultProxy) -> None:
    """A job carries the whole configuration of its connector."""
    stored.put("a", ended(60))
    with proxy.recording() as recorded:
        run(proxied)
    [search] = [request.body for request in recorded if "/_search" in request.path]
    assert b'"_source":false' in search.replace(b" ", b"")
