"""Sync now: what is said before, and what is created."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app import clock
from tests.documents import Stored, a_connector, a_job
from tests.service import Http
from tests.ui.conftest import URL
from tests.ui.forms import Form, form_of


def question(http: Http, job_type: str = "full", connector_id: str = "c1") -> str:
    response = http.get(f"{URL}/connector/sync", params={"id": connector_id, "type": job_type})
    assert response.status_code == 200
    return unescape(response.text)


def form(http: Http, job_type: str = "full") -> Form:
    return form_of(http, Form(f"/connector/sync?id=c1&type={job_type}"))


@pytest.fixture(autouse=True)
def c1(connectors: Stored) -> None:
    connectors.put("c1", a_connector(name="The one", last_seen=clock.now()))


@pytest.mark.parametrize("job_type", ["full", "incremental", "access_control"])
def test_one_job_is_created_after_the_question(http: Http, jobs: Stored, job_type: str) -> None:
    words = job_type.replace("_", " ")
    text = question(http, job_type)
    assert f"One {words} sync job of The one will be created; it waits until a worker takes it." in text
    assert "See whether" not in text  # a worker has just been heard of
    assert jobs.ids() == set()  # the question changes nothing
    done = form(http, job_type).send()
    assert done.status_code == 200
    assert f"One {words} sync job was created." in done.text
    (job_id,) = jobs.ids()
    assert f'href="{URL}/job?id={job_id}"' in done.text
    created = jobs.source(job_id)
    assert (created["status"], created["job_type"], created["trigger_method"]) == ("pending", job_type, "on_demand")  # fmt: skip
    assert created["connector"]["id"] == "c1"


@pytest.mark.parametrize("status", ["pending", "in_progress", "canceling", "suspended"])
def test_active_job_of_the_type_is_shown_instead(http: Http, jobs: Stored, status: str) -> None:
    before = form(http)
    jobs.put("active", a_job(status, job_type="full"))
    text = question(http)
    assert f"The job active is {status.replace('_', ' ')}, so nothing will be created" in text
    assert "A full sync job of The one is active already" in text
    for sent in (before, form(http)):  # it may have become active after the question
        done = sent.send()
        assert "Nothing was created: a full sync job is active already." in done.text
        assert f'href="{URL}/job?id=active"' in done.text
    assert jobs.ids() == {"active"}
    assert "One incremental sync job of The one will be created" in question(http, "incremental")


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        ({"index_name": None}, "Cannot start a sync for connector [c1] with no index attached."),
        ({"service_type": ""}, "Cannot start a sync for connector [c1] with [service_type] not defined."),
        ({"configuration": [{}]}, "[configuration] of the stored connector is not an object"),
    ],
)
def test_connector_that_cannot_be_synced(
    http: Http, connectors: Stored, jobs: Stored, lacks: dict[str, Any], reason: str
) -> None:
    before = form(http)
    connectors.put("c1", a_connector(name="The one", **lacks))
    text = question(http)
    assert "The one cannot be synced" in text
    assert reason in text
    assert "<button type=" not in text[text.index("<main") :].replace('<button id="pause"', "")
    assert before.send().status_code == 400
    assert jobs.ids() == set()


@pytest.mark.parametrize(
    ("last_seen", "warning"),
    [
        (None, "No worker has been heard of for this connector. "),
        ("2024-01-01T00:00:00Z", r"A worker was last heard of for this connector \d+ d ago\. "),
        ([], "No worker has been heard of for this connector. "),
    ],
)
def test_warning_where_no_worker_was_heard_of(http: Http, connectors: Stored, last_seen: Any, warning: str) -> None:  # fmt: skip
    connectors.put("c1", a_connector(name="The one", last_seen=last_seen))
    assert re.search(f"{warning}See whether one for its service type runs", question(http))


def test_connector_that_is_missing(http: Http, connectors: Stored, jobs: Stored) -> None:
    before = form(http)
    connectors.put("c1", a_connector(deleted=True))
    for connector_id in ("c1", "other", ""):
        response = http.get(f"{URL}/connector/sync", params={"id": connector_id, "type": "full"})
        assert response.status_code == 404
    assert before.send().status_code == 404
    assert jobs.ids() == set()


def test_form_that_means_nothing(http: Http, jobs: Stored) -> None:
    assert http.get(f"{URL}/connector/sync?id=c1&type=partial").status_code == 400
    good = form(http)
    for fields in ({"type": "partial"}, {"type": ""}, {"id": ""}):
        assert good.send(**fields).status_code == 400
    assert jobs.ids() == set()


def test_form_from_another_site_is_refused(http: Http, jobs: Stored) -> None:
    good = form(http)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "http://other.test"}, {"Cookie": ""}):  # fmt: skip
        assert good.send(headers=headers).status_code == 403
    assert good.send(token="x").status_code == 403
    assert jobs.ids() == set()


def test_sync_now_in_a_browser(page: Page, day: Any, jobs: Stored) -> None:
    before = jobs.ids()
    page.goto(f"{URL}/connectors?q=wiki")
    page.get_by_role("link", name="Sync now…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("A full sync job of Company wiki is active already")
    dialog.get_by_role("link", name="Leave it as it is").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Company wiki", exact=True).click()
    page.get_by_role("link", name="Sync now: incremental…").click()
    dialog.get_by_role("button", name="Start an incremental sync").click()
    expect(dialog.get_by_role("status")).to_contain_text("One incremental sync job was created.")
    (created,) = jobs.ids() - before
    dialog.get_by_role("link", name="Close").click()
    # What is behind the dialog has renewed itself.
    expect(page.get_by_role("link", name=created, exact=True)).to_be_visible()
