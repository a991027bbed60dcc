"""The list of connectors, and the page of one: filters, pages, schedules, runs, locks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Page, expect

from app import clock
from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from app.ui.jobs import ShownJob
from app.ui.run_chart import run_chart
from app.ui.texts import address
from tests.documents import SECRET, Stored, a_connector, a_job, a_running_job
from tests.fault_proxy import FaultProxy
from tests.raw_values import CONNECTOR, JOB, Raw, RawIndex, raw_documents
from tests.service import Http, Service
from tests.ui.conftest import URL

HOSTILE = """<img src=x onerror=alert(1)>"'&"""
SHOWN = {
    "api_key_id",
    "configuration",
    "description",
    "error",
    "features",
    "name",
    "pipeline",
    "scheduling",
    "status",
} | {field for field in CONNECTOR if field.startswith(("last_", "service_", "index_"))}


@pytest.fixture
def proxied(proxy: FaultProxy, service: Service) -> Iterator[Service]:
    """A service whose requests to Elasticsearch are recorded."""
    with Service(proxy.url, WORKERS="1") as proxied:
        proxied.wait_until_ready()
        yield proxied


def test_pages_of_120_connectors(http: Http, connectors: Stored) -> None:
    connectors.put_all({f"c{n:03}": a_connector(index_name=f"search-{n:03}", name=f"N{n:03}") for n in range(120)})  # fmt: skip
    found: list[str] = []
    path: str | None = f"{URL}/connectors"
    pages = 0
    while path is not None:
        text = http.get(path).text
        pages += 1
        assert "<strong>120</strong> connectors" in text
        found += re.findall(r">(N\d{3})</a>", text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        path = unescape(following[1]) if following else None
    assert pages == 3
    assert found == [f"N{number:03}" for number in range(120)]
    assert re.findall(r">(N\d{3})</a>", http.get(f"{URL}/connectors?page=2").text) == found[50:100]
    assert "The list has 3 pages" in http.get(f"{URL}/connectors?page=9").text
    searched = http.get(f"{URL}/connectors?q=search-0").text
    assert "<strong>100</strong> connectors" in searched
    assert f'href="{URL}/connectors?q=search-0&amp;page=2"' in searched


@pytest.mark.parametrize("parameters", ["page=0", "page=-1", "page=x", "page=1e3", "page=99999999999", "page=1000000", "locked=all", "status=broken", "q=" + "x" * 257])  # fmt: skip
def test_what_means_nothing_is_refused(http: Http, parameters: str) -> None:
    response = http.get(f"{URL}/connectors?{parameters}")
    assert response.status_code == 400
    assert 'class="reason"' in response.text


def test_search_finds_names_indices_and_descriptions(http: Http, day: Any) -> None:
    for query, names in (
        ("Orders", ["Orders"]),
        ("search-or", ["Orders"]),
        ("*ompany?wiki*", ["Company wiki"]),
        ("", list(day[0])),
        ("nothing like it", []),
    ):
        text = http.get(f"{URL}/connectors", params={"q": query}).text
        assert len(re.findall(r'<tr id="row-', text)) == len(names)
        assert all(name in text for name in names)
    assert "No connector has this text" in http.get(f"{URL}/connectors?q=nothing").text


def test_connectors_of_a_status_are_as_many_as_the_overview_counts(http: Http, day: Any, connectors: Stored) -> None:  # fmt: skip
    connectors.put("broken", a_connector(name="Broken", status="error", error="e"))
    link = re.search(r'href="([^"]+/connectors\?status=error)">(\d+) connectors<', http.get(URL).text)
    assert link
    text = http.get(link[1]).text
    assert text.count('<tr id="row-') == int(link[2]) == 2
    assert all(name in text for name in ("Broken", "Contracts"))
    assert "No connector has this status." in http.get(f"{URL}/connectors?status=created").text


def test_connectors_that_are_locked_without_a_job(
    http: Http, day: Any, connectors: Stored, jobs: Stored
) -> None:
    connectors.put("acl", a_connector(name="Locked for the other kind", last_access_control_sync_status="in_progress"))  # fmt: skip
    jobs.put("of-content", a_running_job(connector={"id": "acl"}, job_type="full"))
    connectors.put("acl2", a_connector(name="Rightly locked", last_access_control_sync_status="in_progress"))
    jobs.put("of-acl", a_running_job(connector={"id": "acl2"}, job_type="access_control"))
    connectors.put("gone", a_connector(last_sync_status="in_progress", deleted=True))
    connectors.put("list", a_connector(last_sync_status=["in_progress"]))
    text = http.get(f"{URL}/connectors?locked=without_job").text
    names = re.findall(r'href="[^"]+/connector\?id=([^"&]+)">', text)
    assert sorted(names) == ["acl", "catalog"]
    summary = http.get("/_connector/_sync_job/_summary").json()
    assert f"<strong>{summary['locked_without_job']}</strong> connectors" in text
    assert "locked without a job" in _row(http, "Product catalog")
    assert f'href="{URL}/job?id=of-acl"' in _row(http, "Rightly locked")
    assert "locked without a job" not in _row(http, "Rightly locked")
    assert f'href="{URL}/job?id=tickets-running"' in _row(http, "Support tickets")
    searched = http.get(f"{URL}/connectors?locked=without_job&q=catalog").text
    assert "<strong>1</strong> connector locked" in searched
    assert "No connector that meets the other filters is locked without a job." in http.get(
        f"{URL}/connectors?locked=without_job&q=orders"
    ).text  # fmt: skip


def test_a_view_costs_few_searches(proxied: Service, proxy: FaultProxy, day: Any) -> None:
    for path, most in (
        ("/connectors", 2),
        ("/connectors?locked=without_job", 3),
        ("/connectors?q=o&page=1", 2),
        ("/connector?id=tickets", 1),
        ("/workers", 1),
    ):
        with proxy.recording() as recorded:
            assert proxied.http.get(URL + path).status_code == 200
        searches = [each for each in recorded if "_search" in each.path]
        gets = [each for each in recorded if "/_doc/" in each.path]
        assert len(searches) == most, path
        assert len(gets) == (1 if path.startswith("/connector?") else 0)


def test_schedules_in_words_beside_what_is_stored(http: Http, connectors: Stored) -> None:
    schedules = {
        "full": {"enabled": True, "interval": "0 30 3 * * ?"},
        "incremental": {"enabled": "true", "interval": "0 */45 * * * ?"},
        "access_control": {"enabled": True, "interval": "whenever <b>"},
    }
    connectors.put("c1", a_connector(name="Scheduled", scheduling=schedules))
    for text in (_row(http, "Scheduled"), http.get(f"{URL}/connector?id=c1").text):
        assert "At 03:30, UTC" in text
        assert "<code>0 30 3 * * ?</code>" in text
        assert "by its expression" in text
        assert "<code>0 */45 * * * ?</code>" in text
        assert "not a valid schedule" in text
        assert "<code>whenever &lt;b&gt;</code>" in text
        now = datetime.now(UTC)
        following = now.replace(hour=3, minute=30, second=0, microsecond=0)
        following += timedelta(days=1) if following <= now else timedelta(0)
        assert clock.iso(following).replace("Z", ".000Z") in text
    connectors.put("c1", a_connector(name="Scheduled", scheduling=schedules | {"full": {"interval": "0 30 3 * * ?"}}))  # fmt: skip
    assert "</code> off" in _row(http, "Scheduled")
    off = http.get(f"{URL}/connector?id=c1").text
    assert clock.iso(following).replace("Z", ".000Z") not in off
    connectors.put("c1", a_connector(name="Scheduled", scheduling=schedules | {"full": {"enabled": True, "interval": "0 0 0 30 2 ?"}}))  # fmt: skip
    assert "never due" in _row(http, "Scheduled")


def test_chart_has_a_bar_for_each_run_that_leads_to_its_job(http: Http, connectors: Stored, jobs: Stored) -> None:  # fmt: skip
    connectors.put("c1", a_connector(name="Charted"))
    statuses = ("completed", "error", "canceled", "suspended", "in_progress", "canceling", "pending")
    for number, status in enumerate([*statuses, *("completed",) * 60]):
        jobs.put(
            f"j{number}",
            a_job(
                status,
                created_at=f"2026-01-01T{23 - number // 60:02}:{59 - number % 60:02}:00Z",
                started_at="2026-01-01T00:00:00Z",
                completed_at=f"2026-01-01T00:{number % 60:02}:30Z",
                indexed_document_count=10_000 + number,
            ),
        )
    ran = [f"j{number}" for number in range(67) if number != 6]
    for text, most in ((_row(http, "Charted"), 20), (_figure(http, "c1"), 50)):
        bars = re.findall(r'<a href="[^"]+/job\?id=(j\d+)" tabindex="-1" class="run (\S+)"', text)
        assert [job for job, _ in bars] == ran[:most][::-1]  # the newest is at the right
        classes = dict(bars)
        assert [classes[f"j{number}"] for number in range(6)] == [f"is-{each}" for each in statuses[:6]]
        # Color is not the only sign: a cross, triangles, dashes.
        marks = [re.sub(r"[^a-z]", "", each) for each in re.findall('class="mark" d="M([^"]+)"', text)]
        assert sorted(marks) == ["h", "h", "hlz", "hlz", "lml"]
        assert "10,000 documents indexed, 1 deleted" in text
        assert f"Last {most} runs: " in text
    heights = [float(each) for each in re.findall(r'class="bar" .*height="([\d.]+)"', _figure(http, "c1"))]
    assert max(heights[:40]) <= 111
    assert heights[49 - 10] < heights[49 - 40]
    page = http.get(f"{URL}/connector?id=c1").text
    assert all(f'<td data-label="Job"><a href="{URL}/job?id={job}">' in page for job in ran[:50])


def test_one_connector(http: Http, day: Any, connectors: Stored) -> None:
    connectors.put(
        "a/../b ?c&d='e'#f",
        CONNECTOR
        | {
            "name": "Odd id",
            "error": "first line\n  second line",
            "last_sync_status": "error",
            "last_sync_error": "the last one",
            "last_access_control_sync_status": "completed",
        },
    )
    response = http.get(f"{URL}/connector?id=a%2F..%2Fb%20%3Fc%26d%3D%27e%27%23f")
    assert response.status_code == 200
    assert SECRET not in response.text
    text = unescape(response.text)
    for shown in ("first line\n  second line", "the last one", "search-default-ingestion", "reduce whitespace", "content-x", "document level security", "********"):  # fmt: skip
        assert shown in text
    assert re.search(r"curl .*/_connector/a%2F..%2Fb%20%3Fc%26d%3D%27e%27%23f", text)
    assert f'href="{URL}/jobs?connector=a%2F..%2Fb%20%3Fc%26d%3D%27e%27%23f"' in response.text
    tickets = http.get(f"{URL}/connector?id=tickets").text
    assert "tickets-running" in tickets
    assert "contracts-waiting" in http.get(f"{URL}/connector?id=contracts").text


@pytest.mark.parametrize("connector_id", ["", "none", "..", ".", "a/../b", "x" * 600, "\0", "_search"])
def test_connector_that_does_not_exist(http: Http, day: Any, connector_id: str) -> None:
    response = http.get(f"{URL}/connector", params={"id": connector_id})
    assert response.status_code == 404
    assert "There is no such thing" in response.text


def test_deleted_connector_is_not_shown(http: Http, connectors: Stored) -> None:
    connectors.put("c1", a_connector(name="Gone", deleted=True))
    assert "Gone" not in http.get(f"{URL}/connectors").text
    assert http.get(f"{URL}/connector?id=c1").status_code == 404


def test_what_is_stored_is_never_markup(http: Http, connectors: Stored, jobs: Stored) -> None:
    texts = dict.fromkeys(("name", "service_type", "index_name", "status", "error", "description", "language", "last_sync_status", "last_sync_error", "last_access_control_sync_status", "last_access_control_sync_error"), HOSTILE)  # fmt: skip
    objects = {
        "scheduling": {each: {"enabled": True, "interval": HOSTILE} for each in ("full", "incremental")},
        "configuration": {HOSTILE: {"label": HOSTILE, "value": HOSTILE, "sensitive": False, HOSTILE: 1}},
        "pipeline": {"name": HOSTILE, HOSTILE: HOSTILE},
        "features": {HOSTILE: {"enabled": HOSTILE}},
        "sync_cursor": {HOSTILE: HOSTILE},
    }
    connectors.put(HOSTILE, {**texts, **objects})
    for number, status in enumerate((HOSTILE, "in_progress", "pending", "completed")):
        jobs.put(
            f"{HOSTILE}{number}",
            a_job(
                status,
                connector={"id": HOSTILE, "index_name": HOSTILE, "service_type": HOSTILE},
                job_type="full" if status == "in_progress" else HOSTILE,
                worker_hostname=HOSTILE,
                error=HOSTILE,
                trigger_method=HOSTILE,
                last_seen=clock.now(),
            ),
        )
    for path in ("connectors", "connector", "workers", "connector/sync"):
        response = http.get(f"{URL}/{path}", params={"id": HOSTILE})
        assert response.status_code == 200, path
        assert "onerror=alert(1)&gt;&#34;&#39;&amp;" in response.text or path == "connector/sync"
        assert "<img" not in response.text
        assert not re.search(r"""["'] ?onerror""", response.text)


def test_connectors_of_any_shape_are_shown(http: Http, elasticsearch: Elasticsearch, service: Service) -> None:  # fmt: skip
    raws = RawIndex(elasticsearch, CONNECTORS, CONNECTOR).write(lambda raw: raw.field[0] in SHOWN)
    failed: list[tuple[Raw, int]] = []
    shown, total = 0, http.get("/_connector?size=0").json()["count"]
    for number in range(1, -(-total // 50) + 1):
        response = http.get(f"{URL}/connectors?page={number}")
        assert response.status_code == 200, number
        shown += response.text.count('<tr id="row-')
        assert response.text.count("<li>") >= response.text.count('<tr id="row-')  # each has a schedule
    for raw in raws:
        if raw.field[:1] != ("configuration",) or len(raw.field) < 3 or raw.field[2] in ("label", "value", "sensitive"):  # fmt: skip
            response = http.get(f"{URL}/connector", params={"id": raw.id})
            if response.status_code != 200:
                failed.append((raw, response.status_code))
    assert not failed
    assert shown == total


def test_jobs_of_any_shape_are_shown(http: Http, elasticsearch: Elasticsearch, connectors: Stored) -> None:
    RawIndex(elasticsearch, SYNC_JOBS, JOB).write()
    names = [f"c{number}" for number in range(48)]
    connectors.put_all({name: a_connector(name=name) for name in names})
    # So that each is among the jobs that are shown.
    source = """
        int number = ctx._id.hashCode() & 65535;
        def connector = ctx._source.connector;
        if (connector instanceof Map && connector.id == 'c1') { connector.id = 'c' + number % 48; }
        if (ctx._source.worker_hostname == 'w1') { ctx._source.worker_hostname = 'w' + number % 90; }
    """
    elasticsearch.indices.refresh(index=SYNC_JOBS.alias)
    elasticsearch.options(request_timeout=60).update_by_query(index=SYNC_JOBS.alias, script={"source": source}, refresh=True)  # fmt: skip
    for path in ("connectors", "workers", *(f"connector?id={name}" for name in names)):
        assert http.get(f"{URL}/{path}").status_code == 200, path
    assert len(re.findall('class="run ', http.get(f"{URL}/connectors").text)) > 300


def test_address_of_what_has_no_utf_8() -> None:
    assert address("/job", id="\ud800") == f"{URL}/job?id=%3F"


def test_chart_takes_any_job() -> None:
    for raw in raw_documents(JOB):
        chart = run_chart([ShownJob(raw.id, raw.document)], most=5, bar_width=5, height=30)
        (bar,) = chart.bars
        assert 0 < bar.height <= 30
        assert bar.title.isprintable() or "\ud800" in bar.title


def test_empty_list_says_what_to_do(http: Http, service: Service) -> None:
    assert "There are no connectors yet." in http.get(f"{URL}/connectors").text


def test_list_and_page_in_a_browser(page: Page, day: Any) -> None:
    page.goto(f"{URL}/connectors")
    page.get_by_label("Locked without a job").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("Name, index or description").fill("tickets")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Support tickets", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Support tickets")
    page.get_by_text("These runs as a table").click()
    expect(page.get_by_role("row").filter(has_text="tickets-running")).to_contain_text("in progress")
    page.locator("svg.runs .run").last.click()
    expect(page).to_have_url(re.compile(r"/job\?id=tickets-running$"))


@pytest.mark.parametrize("path", ["connectors", "connector?id=contracts", "workers"])
def test_nothing_is_wider_than_a_small_screen(page: Page, day: Any, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{URL}/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def _row(http: Http, name: str) -> str:
    text = http.get(f"{URL}/connectors", params={"q": name}).text
    (row,) = re.findall(r'<tr id="row-.*?</tr>', text, re.DOTALL)
    return str(row)


def _figure(http: Http, connector_id: str) -> str:
    text = http.get(f"{URL}/connector", params={"id": connector_id}).text
    (figure,) = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    return str(figure)
