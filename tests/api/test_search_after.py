"""Reading the whole list with `search_after`: each job exactly once, in spite of concurrent updates."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from itertools import count as counter
from typing import Any
from urllib.parse import quote

import pytest

from tests.documents import Stored
from tests.endpoints import JOBS
from tests.responses import error_body, ids_of, illegal
from tests.service import Http

EQUAL = "2024-01-01T00:00:00.123Z"


def ids_of_all_pages(
    http: Http, size: int, query: str = "", between: Callable[[], None] = lambda: None
) -> list[str]:
    """The ids of all pages, in order."""
    ids: list[str] = []
    for page in pages(http, size, query):
        ids += [job["id"] for job in page["results"]]
        between()
    return ids


def pages(http: Http, size: int, query: str = "") -> Iterator[dict[str, Any]]:
    token = ""
    for _ in range(100):
        response = http.get(f"{JOBS}?size={size}&search_after={quote(token, safe='')}&{query}")
        assert response.status_code == 200, response.text
        page = response.json()
        assert page.keys() - {"search_after"} == {"count", "results"}
        assert len(page["results"]) <= size
        yield page
        if "search_after" not in page:
            return
        token = page["search_after"]
        assert isinstance(token, str)
        assert token
    pytest.fail("the pages do not end")


def one_timestamp() -> dict[str, dict[str, Any]]:
    return {f"j{number:02d}": {"created_at": EQUAL} for number in range(30)}


def mixed() -> dict[str, dict[str, Any]]:
    """Jobs with the same timestamp, some in other notations, and jobs without one."""
    timestamps: list[dict[str, Any]] = [
        {"created_at": EQUAL},
        {"created_at": "2024-01-01T00:00:00.123456+00:00"},
        {"created_at": "2024-01-01T02:00:00.123+02:00"},
        {"created_at": 1704067200123},
        {"created_at": "1969-12-31T23:59:59Z"},
        {"created_at": "2025-01-01"},
        {},
        {"created_at": None},
    ]
    return {f"j{number:02d}": timestamps[number % len(timestamps)] for number in range(40)}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [6, 10])
@pytest.mark.parametrize("documents", [one_timestamp, mixed])
def test_decision_9_each_job_is_listed_once_while_heartbeats_and_claims_go_on(
    http: Http, jobs: Stored, documents: Callable[[], dict[str, dict[str, Any]]], size: int, order: str
) -> None:
    stored = documents()
    jobs.put_all({job: {"status": "pending"} | fields for job, fields in stored.items()})
    turn = counter()
    names = list(stored)

    def disturb() -> None:
        number = next(turn)
        held, waiting = names[number * 3 % len(names)], names[-1 - number * 2 % len(names)]
        assert http.put(f"{JOBS}/{held}/_check_in").status_code == 200
        assert http.put(f"{JOBS}/{waiting}/_claim", json={"worker_hostname": "w"}).status_code in (200, 409)

    expected = ids_of(http.get(f"{JOBS}?order={order}&size=1000"))
    assert ids_of_all_pages(http, size, f"order={order}", disturb) == expected
    assert sorted(expected) == names


def test_decision_9_pages_of_one_job_list_every_job(http: Http, jobs: Stored) -> None:
    jobs.put_all(dict(list(mixed().items())[:9]))
    assert ids_of_all_pages(http, 1) == ids_of(http.get(JOBS))


def test_decision_9_token_is_absent_on_the_last_page_and_in_other_lists(http: Http, jobs: Stored) -> None:
    jobs.put_all(one_timestamp())
    for size, with_token in ((30, 1), (29, 1), (31, 0), (15, 2), (20, 1)):
        responses = list(pages(http, size))
        assert sum("search_after" in page for page in responses) == with_token
        assert all(page["count"] == 30 for page in responses)
    assert "search_after" not in http.get(f"{JOBS}?size=10").json()


def test_decision_9_empty_list_has_no_token(http: Http) -> None:
    assert http.get(f"{JOBS}?search_after=").json() == {"count": 0, "results": []}
    assert http.get(f"{JOBS}?search_after").json() == {"count": 0, "results": []}


def test_decision_9_pages_keep_the_filters(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            f"j{number:02d}": {"created_at": EQUAL, "status": ("pending", "error", "suspended")[number % 3]}
            for number in range(30)
        }
    )
    ids = ids_of_all_pages(http, 4, "status=pending,error")
    assert ids == [f"j{number:02d}" for number in range(30) if number % 3 != 2]


def test_decision_9_next_page_is_found_after_its_job_was_deleted(http: Http, jobs: Stored) -> None:
    jobs.put_all(one_timestamp())
    ids: list[str] = []
    for page in pages(http, 4):
        ids += [job["id"] for job in page["results"]]
        assert http.delete(f"{JOBS}/{ids[-1]}").status_code == 200
    assert ids == list(one_timestamp())


def test_decision_9_pages_reach_beyond_the_result_window(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {f"{number:05d}": {"created_at": 1_700_000_000_000 + number // 7} for number in range(10_050)}
    )
    assert ids_of_all_pages(http, 5000) == [f"{number:05d}" for number in range(10_050)]


@pytest.mark.parametrize("created_at", [[EQUAL], [EQUAL, "2025-01-01T00:00:00Z"]])
def test_decision_9_jobs_with_several_timestamps_are_listed_once(
    http: Http, jobs: Stored, created_at: list[str]
) -> None:
    jobs.put_all({f"j{number}": {"created_at": created_at} for number in range(5)})
    assert (
        ids_of_all_pages(http, 2)
        == ids_of_all_pages(http, 2, "order=desc")
        == [f"j{number}" for number in range(5)]
    )


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD = {
    "text": "x",
    "blank": "%20",
    "words": "not a token",
    "plain JSON": '["asc",1,"j"]',
    "truncated": encoded(["asc", 1, "j"])[:-2],
    "prolonged": encoded(["asc", 1, "j"]) + "AAAA",
    "not UTF-8": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "an object": encoded({"a": 1}),
    "a number": encoded(1),
    "empty": encoded([]),
    "too few": encoded(["asc", 1]),
    "too many": encoded(["asc", 1, "j", 2]),
    "no such order": encoded(["up", 1, "j"]),
    "the other order": encoded(["desc", 1, "j"]),
    "timestamp as string": encoded(["asc", "now", "j"]),
    "timestamp as fraction": encoded(["asc", 1.5, "j"]),
    "timestamp as boolean": encoded(["asc", True, "j"]),
    "no timestamp": encoded(["asc", None, "j"]),
    "timestamp beyond 64 bits": encoded(["asc", 2**63, "j"]),
    "timestamp far beyond 64 bits": encoded(["asc", -(2**80), "j"]),
    "id as number": encoded(["asc", 1, 2]),
    "no id": encoded(["asc", 1, None]),
    "deep": encoded(["asc", 1, json.loads("[" * 400 + "]" * 400)]),
    "NaN": base64.urlsafe_b64encode(b'["asc",NaN,"j"]').decode(),
    "long": "A" * 5000,
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_decision_9_invalid_token_is_a_bad_request(http: Http, jobs: Stored, token: str) -> None:
    jobs.put("j1", {"created_at": EQUAL})
    response = http.get(f"{JOBS}?search_after={quote(token, safe='%')}")
    error = error_body(response)["error"]
    assert response.status_code == 400
    assert error["type"] == "illegal_argument_exception"
    assert "[search_after]" in error["reason"]


def test_decision_9_forged_token_causes_no_5xx(http: Http, jobs: Stored) -> None:
    jobs.put("j1", {"created_at": EQUAL})
    for job in ("", "\ud800", "\x00", "j" * 1000):
        assert http.get(f"{JOBS}?search_after={encoded(['asc', 1, job])}").status_code < 500


def test_decision_9_token_of_the_other_order_is_refused(http: Http, jobs: Stored) -> None:
    jobs.put_all(one_timestamp())
    token = http.get(f"{JOBS}?size=5&search_after=").json()["search_after"]
    assert http.get(f"{JOBS}?size=5&search_after={token}").status_code == 200
    assert http.get(f"{JOBS}?size=5&search_after={token}&order=desc").status_code == 400


def test_decision_9_from_cannot_be_combined_with_search_after(http: Http, jobs: Stored) -> None:
    jobs.put_all(one_timestamp())
    token = http.get(f"{JOBS}?size=5&search_after=").json()["search_after"]
    for start in ("", token):
        assert error_body(http.get(f"{JOBS}?from=1&search_after={start}"))["error"]["type"] == (
            "illegal_argument_exception"
        )
        assert http.get(f"{JOBS}?from=0&size=5&search_after={start}").status_code == 200
    assert error_body(http.get(f"{JOBS}?from=-1&search_after=")) == illegal("Parameter [from] cannot be < 0")


def test_decision_9_page_size_of_0_is_refused(http: Http) -> None:
    response = http.get(f"{JOBS}?size=0&search_after=")
    assert response.status_code == 400
    assert "[size]" in error_body(response)["error"]["reason"]


def test_decision_9_page_of_more_than_10_000_is_refused(http: Http) -> None:
    assert http.get(f"{JOBS}?size=10001&search_after=").status_code == 400
