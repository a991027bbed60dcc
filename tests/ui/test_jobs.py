"""The list of jobs: filters, pages, renewal, and the cancellation of several jobs."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.documents import Stored
from tests.ui.conftest import URL


def test_chosen_jobs_are_canceled_after_a_question(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(f"{URL}/jobs")
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
