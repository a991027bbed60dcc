"""Who works: what each worker runs, when it was last heard of, and what it has ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from playwright.sync_api import Page, expect

from app import clock
from tests.documents import Stored, a_job
from tests.service import Http
from tests.ui.conftest import URL


def ago(**duration: float) -> str:
    return clock.iso(datetime.now(UTC) - timedelta(**duration))


def rows(http: Http) -> dict[str, str]:
    """The rows by the names of their workers, in their order."""
    found = re.findall(
        r"<tr(?: class=\"silent\")?>\s*<td.*?</tr>", http.get(f"{URL}/workers").text, re.DOTALL
    )
    return {unescape(re.search(r"<a[^>]*>([^<]*)</a>", row)[1]): row for row in found}  # type: ignore[index]


def test_numbers_lead_to_as_many_jobs(http: Http, day: Any, jobs: Stored) -> None:
    jobs.put("old", a_job("completed", worker_hostname="sync-worker-a", last_seen=ago(days=20), completed_at=ago(hours=2)))  # fmt: skip
    jobs.put("older", a_job("completed", worker_hostname="sync-worker-a", last_seen=ago(hours=30), completed_at=ago(hours=30)))  # fmt: skip
    followed = 0
    for worker, row in rows(http).items():
        for address, number in re.findall(
            r'<a href="([^"]+)">([\d,]+) (?:completed|error|canceled|job)', row
        ):
            text = http.get(unescape(address)).text
            total = re.search(r"<strong>([\d,]+)</strong> job", text)
            assert total, address
            assert total[1] == number, (worker, address)
            followed += 1
    assert followed >= 8


def test_silent_workers_come_first_and_are_marked(http: Http, day: Any, jobs: Stored) -> None:
    jobs.put("very-old", a_job("canceling", worker_hostname="gone", started_at=ago(days=40), last_seen=ago(days=30)))  # fmt: skip
    jobs.put("half-1", a_job("in_progress", worker_hostname="half", started_at=ago(hours=3), last_seen=ago(hours=2)))  # fmt: skip
    jobs.put("half-2", a_job("in_progress", worker_hostname="half", started_at=ago(hours=3), last_seen=ago(seconds=5)))  # fmt: skip
    jobs.put("forgotten", a_job("completed", worker_hostname="retired", last_seen=ago(days=9), completed_at=ago(days=9)))  # fmt: skip
    found = rows(http)
    assert list(found)[:3] == ["half", "sync-worker-lost", "gone"]
    assert {name for name, row in found.items() if "Silent" in row} == {"half", "sync-worker-lost", "gone"}
    assert "retired" not in found
    assert ">1 job</a> for more than 10 min" in found["half"]
    assert all(f'href="{URL}/job?id={job}"' in found["half"] for job in ("half-1", "half-2"))
    assert "2,310 of 5,200 documents" in found["sync-worker-a"]
    assert f'href="{URL}/job?id=tickets-running"' in found["sync-worker-a"]


def test_worker_with_many_jobs(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            f"j{n}": a_job("in_progress", worker_hostname="busy", started_at=ago(hours=1), last_seen=ago(seconds=n))
            for n in range(30)
        }
    )  # fmt: skip
    row = rows(http)["busy"]
    assert row.count("/job?id=") == 10
    link = re.search(r'href="([^"]+)">30 jobs in all', row)
    assert link
    assert "<strong>30</strong> jobs" in http.get(unescape(link[1])).text


def test_more_workers_than_are_shown(http: Http, jobs: Stored) -> None:
    jobs.put_all({f"j{n}": a_job("completed", worker_hostname=f"w{n:03}", last_seen=ago(minutes=n + 1), completed_at=ago(minutes=n + 1)) for n in range(150)})  # fmt: skip
    jobs.put("silent", a_job("in_progress", worker_hostname="silent", last_seen=ago(days=50), started_at=ago(days=60)))  # fmt: skip
    text = http.get(f"{URL}/workers").text
    assert "there are more" in text
    found = rows(http)
    assert list(found) == ["silent", *(f"w{number:03}" for number in range(99))]


def test_odd_names_of_workers(http: Http, jobs: Stored) -> None:
    name = """<img src=x onerror=alert(1)>"'&/../é"""
    jobs.put("j1", a_job("completed", worker_hostname=[name, "second"], last_seen=ago(hours=1), completed_at=ago(hours=1)))  # fmt: skip
    jobs.put("j2", a_job("completed", worker_hostname="", last_seen=ago(hours=1)))
    jobs.put("j3", a_job("completed", worker_hostname=None, last_seen=ago(hours=1)))
    jobs.put("j4", a_job("completed", worker_hostname=5, last_seen=ago(hours=-500), completed_at=-1))
    found = rows(http)
    assert set(found) == {name, "second", "5"}
    link = re.search(r'href="([^"]+)">1 completed', found[name])
    assert link
    assert ">j1</a>" in http.get(unescape(link[1])).text
    assert "<img" not in http.get(f"{URL}/workers").text


def test_no_workers(http: Http, jobs: Stored) -> None:
    text = http.get(f"{URL}/workers").text
    assert "No worker was heard of in the last 7 days" in text
    assert "Give a worker the address" in text


def test_workers_in_a_browser(page: Page, day: Any) -> None:
    page.goto(f"{URL}/workers")
    row = page.get_by_role("row").filter(has_text="sync-worker-lost")
    expect(row).to_contain_text("Silent at 1 job for more than 10 min")
    expect(page.locator("tbody tr").first).to_contain_text("sync-worker-lost")
    row.get_by_role("link", name="1 job").click()
    expect(page.get_by_role("link", name="orders-silent")).to_be_visible()
