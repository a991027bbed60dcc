"""The page of one job."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.documents import SECRET, Stored, a_job, a_running_job
from tests.service import Http
from tests.ui.conftest import URL

JOB = f"{URL}/job"


def test_what_is_known_of_a_job(http: Http, jobs: Stored) -> None:
    jobs.put(
        "j",
        a_job(
            "error",
            created_at="2024-01-01T12:00:00Z",
            started_at="2024-01-01T12:00:10Z",
            claimed_at="2024-01-01T12:10:00Z",
            last_seen="2024-01-01T13:00:00Z",
            completed_at="2024-01-01T14:00:10Z",
            indexed_document_count=14400,
            worker_hostname="w",
            error="first line\nsecond <line>",
        ),
    )
    response = http.get(f"{JOB}?id=j")
    assert response.status_code == 200
    text = html.unescape(re.sub("<[^>]*>", " ", response.text.replace("&lt;line&gt;", "second-in-brackets")))
    text = re.sub(r"[ \n]+", " ", text)
    assert "error It has failed." in text
    assert "Ran for 2 h" in text
    assert "14,400, 2.0 a second" in text
    assert SECRET not in response.text
    events = re.findall(
        r"<li><strong>([^<]*)</strong>.*?(?:, ([^,]*) later)?</span></li>", response.text, re.DOTALL
    )
    assert events == [
        ("Created", ""),
        ("Claimed", "10 s"),
        ("Claimed again", "9 min 50 s"),
        ("Last heartbeat", "50 min"),
        ("Ended", "1 h"),
    ]
    assert '<p class="error">first line\nsecond &lt;line&gt;</p>' in response.text


def test_progress_is_shown_where_a_total_is_known(http: Http, jobs: Stored) -> None:
    counters = {"indexed_document_count": 50, "total_document_count": 200}
    jobs.put_all({"j": a_running_job(**counters), "unknown": a_running_job(total_document_count=0)})
    assert "50 of 200 documents, 25 %" in http.get(f"{JOB}?id=j").text
    assert "<progress" not in http.get(f"{JOB}?id=unknown").text


@pytest.mark.parametrize("job_id", ["j", "with space & <b>", "a/b", "..", "ü", "a?b=c", "'; ls"])
def test_any_id_has_a_page_and_a_command(http: Http, jobs: Stored, job_id: str) -> None:
    jobs.put(job_id, a_job("completed"))
    (address,) = re.findall(r'<td data-label="Job"><a href="([^"]*)">', http.get(f"{URL}/jobs").text)
    response = http.get(html.unescape(address))
    assert f"<h1>Job {html.escape(job_id)}</h1>".replace("&#x27;", "&#39;") in response.text
    (command,) = re.findall(r'<pre id="stored-curl"[^>]*>(.*?)</pre>', response.text, re.DOTALL)
    (path,) = re.findall(r"http://[^/]*(/[^ ']*)", html.unescape(command))
    assert http.get(path).json()["id"] == job_id


def test_missing_job(http: Http) -> None:
    response = http.get(f"{JOB}?id=missing")
    assert response.status_code == 404
    assert "There is no such thing" in response.text


def test_job_is_copied_masked(page: Page, jobs: Stored) -> None:
    jobs.put("j", a_job("completed"))
    page.goto(f"{JOB}?id=j")
    page.get_by_text("As it is stored").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '"id" : "j"' in copied
    assert SECRET not in copied


def test_job_is_deleted_after_a_question(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(f"{JOB}?id=orders-waiting")
    page.get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete the job orders-waiting?")
    assert jobs.exists("orders-waiting")
    dialog.get_by_role("button", name="Delete 1 job").click()
    expect(dialog.get_by_role("status")).to_contain_text("The job orders-waiting is gone.")
    assert not jobs.exists("orders-waiting")
    dialog.get_by_role("link", name="All jobs").click()
    page.wait_for_url(f"**{URL}/jobs")


def test_silent_job_is_rescued_after_a_question(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(f"{JOB}?id=orders-silent")
    expect(page.get_by_text("Nothing was heard of its worker for")).to_be_visible()
    page.get_by_role("link", name="Rescue").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("listitem")).to_contain_text(
        "orders-silent, in progress, of connector orders: worker sync-worker-lost"
    )
    assert jobs.source("orders-silent")["status"] == "in_progress"
    dialog.get_by_role("button", name="Rescue 1 job").click()
    expect(dialog.get_by_role("status")).to_contain_text("1 job ended.")
    assert jobs.source("orders-silent")["status"] == "error"
    assert jobs.source("handbook-running")["status"] == "in_progress"
    dialog.get_by_text("Close").click()
    expect(page.get_by_text("It has failed.")).to_be_visible()


def test_nothing_to_rescue(http: Http) -> None:
    text = http.get(f"{URL}/jobs/rescue").text
    assert "Nothing has to be rescued" in text
    assert '<button type="submit"' not in text


@pytest.mark.parametrize(
    "value", [["a", 1], {"a": {"b": [None]}}, -5, 2**80, 1.5, True, "<img src=x onerror=alert(1)>\"'&"]
)
def test_whatever_others_have_stored_is_shown(http: Http, jobs: Stored, value: Any) -> None:
    """Documents of any shape, and nothing in them is markup. Fields that the mapping would refuse stay as they are."""
    shown = {"metadata": value if isinstance(value, dict) else {"a": value}, "not_mapped": value}
    anywhere = (
        {}
        if isinstance(value, dict)
        else dict.fromkeys(("worker_hostname", "error", "trigger_method"), value)
    )
    if isinstance(value, str):
        anywhere |= {"job_type": value, "status": value}
        shown["connector"] = {
            "id": value,
            "index_name": value,
            "service_type": value,
            "configuration": {value.replace(".", ""): value},
        }
    else:
        shown["connector"] = {
            "configuration": {
                "a": {"label": value, "value": value},
                "b": {"value": value, "sensitive": value},
            }
        }
    jobs.put("j", a_running_job(**shown) | anywhere)
    for path in (f"{JOB}?id=j", f"{URL}/jobs"):
        response = http.get(path)
        assert response.status_code == 200, response.text
        assert "<img" not in response.text
