"""`GET /_connector/_sync_job`: filters, order, pages and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cases import named
from tests.documents import SECRET, STATUSES, Stored, a_job
from tests.endpoints import JOBS
from tests.responses import error_body, ids_of, illegal
from tests.service import Http

BAD_NUMBER = "number_format_exception"


def test_list_without_jobs_is_empty(http: Http) -> None:
    response = http.get(JOBS)
    assert (response.status_code, response.json()) == (200, {"count": 0, "results": []})


def test_each_job_is_listed_as_get_returns_it(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job(error=None))
    jobs.put("j2", a_job("completed", created_at="2024-01-02T00:00:00Z"))
    response = http.get(JOBS)
    each = [http.get(f"{JOBS}/{job}").json() for job in ("j1", "j2")]
    assert response.json() == {"count": 2, "results": each}
    assert [next(iter(job)) for job in response.json()["results"]] == ["id", "id"]
    assert each[0]["connector"]["configuration"]["password"]["value"] == SECRET


# id: connector, status, job type
FILTERED = {
    "a": ("c1", "pending", "full"),
    "b": ("c1", "pending", "incremental"),
    "c": ("c1", "error", "full"),
    "d": ("c2", "pending", "access_control"),
    "e": ("C1", "suspended", "full"),
    "f": ("c1 ", "in_progress", "incremental"),
    "g": ("", "canceling", "full"),
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcdefg"),
        ("connector_id=c1", "abc"),
        ("connector_id=c", ""),
        ("connector_id=c*", ""),
        ("connector_id=c1,c2", ""),
        ("connector_id=c1%20", "f"),
        ("connector_id=nobody", ""),
        ("status=pending", "abd"),
        ("status=PENDING", "abd"),
        ("status=In_Progress", "f"),
        ("status=completed", ""),
        ("status=pending,error", "abcd"),
        ("status=Suspended,CANCELING,suspended", "eg"),
        ("job_type=full", "aceg"),
        ("job_type=FULL", "aceg"),
        ("job_type=incremental,access_control", "bdf"),
        ("job_type=full%2CIncremental", "abcefg"),
        ("job_type=", "abcdefg"),
        ("job_type", "abcdefg"),
        ("connector_id=c1&status=pending", "ab"),
        ("connector_id=c1&job_type=full", "ac"),
        ("status=pending&job_type=full,access_control", "ad"),
        ("connector_id=c1&status=pending,error&job_type=full,incremental", "abc"),
        ("connector_id=c2&status=error", ""),
    ],
)
def test_filters_are_combined_with_and(http: Http, filtered: None, query: str, found: str) -> None:
    response = http.get(f"{JOBS}?{query}").json()
    assert "".join(job["id"] for job in response["results"]) == found
    assert response["count"] == len(found)


def test_filters_order_and_pages_can_be_combined(http: Http, filtered: None) -> None:
    response = http.get(
        f"{JOBS}?connector_id=c1&status=pending,error&job_type=full&order=desc&from=1&size=1"
    ).json()
    assert (response["count"], [job["id"] for job in response["results"]]) == (2, ["c"])


@pytest.mark.parametrize("query", ["connector_id=", "connector_id"])
def test_empty_connector_id_matches_nothing(http: Http, jobs: Stored, query: str) -> None:
    jobs.put("a", a_job())
    assert http.get(f"{JOBS}?{query}").json() == {"count": 0, "results": []}


@pytest.fixture
def filtered(jobs: Stored) -> None:
    jobs.put_all(
        {
            job: a_job(
                status,
                connector={"id": connector},
                job_type=job_type,
                created_at="2024-01-01T00:00:00Z",
            )
            for job, (connector, status, job_type) in FILTERED.items()
        }
    )


def at(second: int, rest: str = "Z") -> str:
    return f"2024-01-01T00:00:{second:02d}{rest}"


ORDERED = {
    "z-first": at(1),
    "y-offset": "2024-01-01T02:00:02+02:00",
    "x-millis": at(3, ".001+00:00"),
    "w-more": at(3, ".002Z"),
    "v-epoch": "1704067204000",
    "u-number": 1704067205000,
    "t-last": "2025-01-01",
}


def test_decision_7_list_is_ordered_by_created_at(http: Http, jobs: Stored) -> None:
    jobs.put_all({job: {"created_at": created_at} for job, created_at in reversed(ORDERED.items())})
    assert ids_of(http.get(JOBS)) == list(ORDERED)
    assert ids_of(http.get(f"{JOBS}?order=asc")) == list(ORDERED)
    assert ids_of(http.get(f"{JOBS}?order=desc")) == list(reversed(ORDERED))
    assert ids_of(http.get(f"{JOBS}?order=DESC")) == list(reversed(ORDERED))


TIED = ["-", "A", "Z", "_", "a", "a/b", "aa", "ä", "\U0001f525"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("created_at", [at(1), at(1, ".0004Z"), None], ids=["equal", "within one ms", "none"])
def test_decision_7_jobs_of_the_same_time_are_ordered_by_id_also_after_updates(
    http: Http, jobs: Stored, order: str, created_at: str | None
) -> None:
    for number, job in enumerate([*TIED[::2], *TIED[1::2]]):
        fields = {"created_at": at(1) if created_at and number % 2 else created_at} if created_at else {}
        jobs.put(job, {"status": "in_progress", **fields})
    assert ids_of(http.get(f"{JOBS}?order={order}")) == TIED
    for job in ("a", "_", "-"):
        assert http.put(f"{JOBS}/{job}/_check_in").status_code == 200
    assert ids_of(http.get(f"{JOBS}?order={order}")) == TIED
    pages = [ids_of(http.get(f"{JOBS}?order={order}&from={start}&size=4")) for start in (0, 4, 8)]
    assert [job for page in pages for job in page] == TIED


@pytest.mark.parametrize(("order", "found"), [("asc", "abcd"), ("desc", "bacd")])
def test_decision_9_jobs_without_created_at_come_last_in_both_orders(
    http: Http, jobs: Stored, order: str, found: str
) -> None:
    jobs.put_all({"d": {"created_at": None}, "c": {}, "b": {"created_at": at(2)}, "a": {"created_at": at(1)}})
    assert "".join(ids_of(http.get(f"{JOBS}?order={order}"))) == found


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", 0, 100),
        ("size=0", 0, 0),
        ("size=1", 0, 1),
        ("size=105", 0, 105),
        ("size=10000", 0, 105),
        ("from=100", 100, 105),
        ("from=104&size=5", 104, 105),
        ("from=105", 105, 105),
        ("from=9999&size=1", 105, 105),
        ("from=10000&size=0", 105, 105),
        ("from=%2B3&size=007", 3, 10),
    ],
)
def test_page_is_selected_by_from_and_size(http: Http, many: None, query: str, first: int, last: int) -> None:
    response = http.get(f"{JOBS}?{query}").json()
    assert [job["id"] for job in response["results"]] == [f"j{number:03d}" for number in range(first, last)]
    assert response["count"] == 105
    assert response.keys() == {"count", "results"}


@pytest.fixture
def many(jobs: Stored) -> None:
    jobs.put_all({f"j{number:03d}": {"created_at": at(1)} for number in range(105)})


def test_decision_8_count_is_exact_beyond_10_000(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            f"{number:05d}": {"created_at": 1_700_000_000_000 + number, "status": STATUSES[number % 3 == 0]}
            for number in range(10_050)
        }
    )
    assert http.get(f"{JOBS}?size=0").json() == {"count": 10_050, "results": []}
    assert http.get(f"{JOBS}?status=pending&size=0").json()["count"] == 6700
    last = http.get(f"{JOBS}?from=9999&size=1").json()
    assert (last["count"], last["results"][0]["id"]) == (10_050, "09999")
    assert http.get(f"{JOBS}?search_after=&size=1").json()["count"] == 10_050


def unknown_status(value: str) -> dict[str, Any]:
    return illegal(f"Unknown ConnectorSyncStatus [{value}].")


def unknown_type(value: str) -> dict[str, Any]:
    return illegal(f"Unknown ConnectorSyncJobType [{value}].")


def bad_number(name: str, value: str) -> dict[str, Any]:
    reason = f"Failed to parse int parameter [{name}] with value [{value}]"
    return illegal(reason, (BAD_NUMBER, f'For input string: "{value}"'))


NEGATIVE_FROM = illegal("Parameter [from] cannot be < 0")
NEGATIVE_SIZE = illegal("Parameter [size] cannot be < 0")


@pytest.mark.parametrize(
    ("query", "response"),
    named(
        [
            ("unknown status", "status=x", unknown_status("x")),
            ("empty status", "status=", unknown_status("")),
            ("unknown status in a list", "status=pending,x", unknown_status("x")),
            ("blank in a list of statuses", "status=pending,%20error", unknown_status(" error")),
            ("status spelled otherwise", "status=cancelled", unknown_status("cancelled")),
            ("unknown type", "job_type=x", unknown_type("x")),
            ("unknown type in a list", "job_type=full,x", unknown_type("x")),
            ("blank in a list of types", "job_type=full,%20incremental", unknown_type(" incremental")),
            ("negative from", "from=-1", NEGATIVE_FROM),
            ("negative size", "size=-1", NEGATIVE_SIZE),
            ("both negative", "size=-1&from=-1", NEGATIVE_FROM),
            ("no number", "from=x", bad_number("from", "x")),
            ("empty number", "size=", bad_number("size", "")),
            ("fraction", "size=1.5", bad_number("size", "1.5")),
            ("beyond 32 bits", "from=2147483648", bad_number("from", "2147483648")),
            ("from before size", "size=x&from=y", bad_number("from", "y")),
            ("size before status", "status=x&size=y", bad_number("size", "y")),
            ("status before type", "job_type=x&status=y", unknown_status("y")),
            ("status before a negative from", "from=-1&status=x", unknown_status("x")),
            ("type before a negative from", "from=-1&job_type=x", unknown_type("x")),
        ]
    ),
)
def test_invalid_parameter_is_refused(http: Http, query: str, response: object) -> None:
    assert error_body(http.get(f"{JOBS}?{query}")) == response


@pytest.mark.parametrize("order", ["", "up", "ascending"])
def test_decision_7_unknown_order_is_refused(http: Http, order: str) -> None:
    response = http.get(f"{JOBS}?order={order}")
    error = error_body(response)["error"]
    assert response.status_code == 400
    assert error["type"] == "illegal_argument_exception"
    assert "[order]" in error["reason"]


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("index_name=x", "parameter: [index_name]"),
        ("sort=x&trigger_method=y", "parameters: [sort], [trigger_method]"),
        ("statu=x", "parameter: [statu] -> did you mean [status]?"),
        ("hostname=x&order=asc", "parameter: [hostname]"),
    ],
)
def test_unknown_parameters_are_refused(http: Http, query: str, listed: str) -> None:
    assert error_body(http.get(f"{JOBS}?{query}")) == illegal(
        f"request [{JOBS}] contains unrecognized {listed}"
    )


def test_list_writes_nothing(http: Http, filtered: None, writes: Callable[[], int]) -> None:
    before = writes()
    assert len(ids_of(http.get(JOBS))) == 7
    assert writes() == before
