"""The list of jobs: filters, pages, renewal, and the cancellation of several jobs."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.documents import Stored
from tests.service import Http
from tests.ui.conftest import URL

JOBS = f"{URL}/jobs"


def listed(text: str) -> list[str]:
    """The ids of the jobs on a page, in their order."""
    return [
        html.unescape(each) for each in re.findall(r'<td data-label="Job"><a href="[^"]*">([^<]*)</a>', text)
    ]


def total(text: str) -> int:
    (found,) = re.findall(r"<strong>([\d,]+)</strong> jobs?, as of", text)
    return int(found.replace(",", ""))


def link(text: str, name: str) -> str | None:
    """Where the link of this text leads."""
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{name}</a>', text)
    return html.unescape(found[1]) if found else None


JOB = {"created_at": "2024-05-01T12:00:00Z"}
DOCUMENTS = {
    "waiting": JOB | {"status": "pending", "connector": {"id": "a"}, "job_type": "full"},
    "running": JOB
    | {
        "status": "in_progress",
        "connector": {"id": "b"},
        "job_type": "incremental",
        "worker_hostname": "w",
        "started_at": "2024-05-01T12:00:00Z",
        "last_seen": "2024-05-01T13:00:00Z",
    },
    "failed": {
        "status": "error",
        "connector": {"id": "a"},
        "job_type": "full",
        "created_at": "2024-05-03T12:00:00Z",
        "started_at": "2024-05-03T12:00:00Z",
        "completed_at": "2024-05-03T13:00:00Z",
        "error": "no & rest",
    },
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"waiting", "running", "failed"}),
        ("?status=pending&status=error", {"waiting", "failed"}),
        ("?type=full&status=pending", {"waiting"}),
        ("?connector=a", {"waiting", "failed"}),
        ("?worker=w", {"running"}),
        ("?error=no%20%26%20rest", {"failed"}),
        ("?from=2024-05-02T00:00", {"failed"}),
        ("?to=2024-05-03T12:00", {"waiting", "running"}),
        ("?ended_from=2024-05-03T13:00Z&ended_to=2024-05-03T13:01Z", {"failed"}),
        ("?ended_to=2024-05-03T13:00Z", set()),
        ("?within=1h", set()),
        ("?waiting_for=5m", {"waiting"}),
        ("?silent_for=10m", {"running"}),
        ("?status=&connector=&from=", {"waiting", "running", "failed"}),
    ],
)
def test_filters_are_the_address(http: Http, jobs: Stored, query: str, found: set[str]) -> None:
    jobs.put_all(DOCUMENTS)
    response = http.get(JOBS + query)
    assert response.status_code == 200, response.text
    assert set(listed(response.text)) == found
    assert total(response.text) == len(found)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?status=done", "[status] is one of pending, in_progress,"),
        ("?type=half", "[type] is one of full, incremental, access_control, not [half]."),
        ("?from=yesterday", "[from] is a time such as 2026-01-31T12:00Z, not [yesterday]."),
        ("?silent_for=long", "[silent_for] is a time value such as 10m, 24h or 7d, not [long]."),
        ("?older_than=nonsense", "Parameter [search_after] is not a token of this API"),
    ],
)
def test_filters_that_mean_nothing_are_explained(http: Http, query: str, reason: str) -> None:
    response = http.get(JOBS + query)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert reason in html.unescape(response.text)


def test_pages_lead_through_all_jobs_and_back(http: Http, jobs: Stored) -> None:
    """Also through jobs that were created at once, and those that do not say when."""
    ids = [f"j{number:03}" for number in range(120)]
    times = {each: f"2024-05-01T12:{number // 10:02}:00Z" for number, each in enumerate(ids)}
    documents = {each: {"status": "completed", "created_at": times[each]} for each in ids}
    for each in ids[:7]:
        del documents[each]["created_at"]
    jobs.put_all(documents)
    pages = [http.get(JOBS).text]
    while older := link(pages[-1], "Older"):
        pages.append(http.get(older).text)
    shown = [listed(each) for each in pages]
    assert [len(each) for each in shown] == [50, 50, 20]
    assert sorted(chain(*shown)) == ids
    assert shown[0][0] in ids[-10:]
    assert set([*chain(*shown)][-7:]) == set(ids[:7])
    back = pages[-1]
    for expected in reversed(shown[:-1]):
        back = http.get(link(back, "Newer")).text
        assert listed(back) == expected
    assert link(back, "Newer") is None
    assert listed(http.get(link(pages[1], "Newest")).text) == shown[0]


def test_configurations_are_not_even_asked_for(http: Http, jobs: Stored) -> None:
    jobs.put(
        "j", DOCUMENTS["waiting"] | {"connector": {"id": "a", "configuration": {"p": {"value": "hunter2"}}}}
    )
    assert "hunter2" not in http.get(JOBS).text


def test_no_jobs(http: Http) -> None:
    assert "Jobs appear here as soon as a connector is synced." in http.get(JOBS).text
    assert "No job meets these filters." in http.get(f"{JOBS}?status=error").text


def test_filters_are_chosen_and_stay_chosen(page: Page, day: Any) -> None:
    page.goto(JOBS)
    page.get_by_text("Filters").click()
    page.get_by_role("checkbox", name="in progress").check()
    page.get_by_label("Connector").fill("orders")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/jobs?*status=in_progress*")
    rows = page.get_by_role("table", name="Jobs, newest first").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("orders-silent")
    expect(page.get_by_role("checkbox", name="in progress")).to_be_checked()
    expect(page.get_by_label("Connector")).to_have_value("orders")
    page.get_by_role("link", name="Show all").click()
    expect(rows).to_have_count(50)


def test_chosen_jobs_are_canceled_after_a_question(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(JOBS)
    for each in ("orders-waiting", "handbook-running"):
        page.get_by_label(f"Choose {each}").check()
    page.get_by_role("button", name="Cancel the chosen jobs").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel 2 jobs?")
    expect(dialog).to_contain_text("1 job that nobody runs will be canceled at once.")
    expect(dialog).to_contain_text("The workers of 1 job will be asked to stop.")
    assert jobs.source("orders-waiting")["status"] == "pending"
    dialog.get_by_role("button", name="Cancel 2 jobs").click()
    expect(dialog.get_by_role("status")).to_contain_text("1 job canceled.")
    assert jobs.source("orders-waiting")["status"] == "canceled"
    assert jobs.source("handbook-running")["status"] == "canceling"
    dialog.get_by_text("Close").click()
    # What is behind the dialog has renewed itself.
    expect(page.get_by_role("row").filter(has_text="orders-waiting")).to_contain_text("canceled")


def test_nothing_is_canceled_where_it_was_not_meant(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(JOBS)
    page.get_by_label("Choose orders-waiting").check()
    page.get_by_role("button", name="Cancel the chosen jobs").click()
    dialog = page.get_by_role("dialog")
    safe = dialog.get_by_role("link", name="Leave it as it is")
    expect(safe).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert jobs.source("orders-waiting")["status"] == "pending"
    page.get_by_label("Choose orders-waiting").uncheck()
    page.get_by_role("button", name="Cancel the chosen jobs").click()
    expect(dialog).to_contain_text("Choose at least one job")


def test_all_that_meet_the_filters_are_canceled(
    page: Page, jobs: Stored, put_jobs: Callable[..., list[str]]
) -> None:
    ids = put_jobs(70, job_type="full")
    put_jobs(1, status="completed", connector_id="other")
    page.goto(f"{JOBS}?status=pending&type=full")
    page.get_by_role("link", name="Cancel all that meet the filters").click()
    page.get_by_role("button", name="Cancel 70 jobs").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("70 jobs canceled.")
    assert {jobs.source(each)["status"] for each in ids} == {"canceled"}
    assert jobs.source("other-0")["status"] == "completed"
    # By filters that the API does not have, and without any, only chosen ones.
    for query in ("", "?within=24h", "?status=pending&worker=w"):
        page.goto(JOBS + query)
        expect(page.get_by_role("link", name="Cancel all")).to_have_count(0)


def test_renewal_keeps_what_the_reader_does(page: Page, day: Any, jobs: Stored) -> None:
    page.clock.install()
    page.goto(JOBS)
    box = page.get_by_label("Choose orders-waiting")
    box.check()
    box.focus()
    page.evaluate("scrollTo(0, 400)")
    page.evaluate("getSelection().selectAllChildren([...document.querySelectorAll('td a')].at(0))")
    chosen = page.evaluate("getSelection().toString()")
    jobs.update("tickets-running", {"indexed_document_count": 4711})
    page.clock.run_for(11_000)
    expect(page.get_by_role("row").filter(has_text="tickets-running")).to_contain_text("4,711")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    assert page.evaluate("scrollY") == 400
    assert page.evaluate("getSelection().toString()") == chosen != ""


def test_times_are_in_the_readers_zone(page: Page, jobs: Stored) -> None:
    jobs.put("j", DOCUMENTS["failed"])
    page.goto(f"{URL}/job?id=j")
    created = page.locator("li", has_text="Created").locator("time").first
    expect(created).to_have_text("3 May 2024, 14:00:00")
    expect(created).to_have_attribute("title", "2024-05-03 12:00:00 UTC")


def test_updates_can_be_paused(page: Page, day: Any) -> None:
    page.clock.install()
    renewals: list[str] = []
    page.on(
        "request", lambda request: renewals.append(request.url) if "hx-request" in request.headers else None
    )
    page.goto(JOBS)
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.clock.run_for(60_000)
    assert renewals == []
    with page.expect_response(f"**{JOBS}"):
        pause.click()
    assert len(renewals) == 1
    with page.expect_response(f"**{JOBS}"):
        page.clock.run_for(11_000)
