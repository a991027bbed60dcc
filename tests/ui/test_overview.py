"""The overview: whether all is well, what hangs and what to do about it, and numbers that lead to what they count."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from elasticsearch import Elasticsearch
from playwright.sync_api import Page, expect

from app import clock
from app.protocol import SyncStatus
from app.store.index_definitions import CONNECTORS, LEASES, SYNC_JOBS
from tests.cases import named
from tests.documents import Stored, a_connector, a_job, a_running_job
from tests.fault_proxy import FaultProxy, to
from tests.raw_values import CONNECTOR, JOB, RawIndex
from tests.service import Http, Service
from tests.ui.conftest import URL

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
WELL = "All is well"


class Links(HTMLParser):
    """The links of a page that are numbers of jobs, and what they say: those of the class `counted`, and those of charts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._within: tuple[str, bool] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "a":
            chart = "tabindex" in given
            if chart or given.get("class") == "counted":
                self._within = str(given["href"]), chart

    def handle_data(self, data: str) -> None:
        if self._within is not None and data.strip():
            href, chart = self._within
            number = re.search(r": ([\d,]+) \w+$", data) if chart else re.match(r"\s*([\d,]+)", data)
            if number:
                self.found.append((href, number[1].replace(",", "")))
                self._within = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._within = None


def ago(**duration: float) -> str:
    return clock.iso(datetime.now(UTC) - timedelta(**duration))


def overview(http: Http, query: str = "") -> str:
    response = http.get(URL + query)
    assert response.status_code == 200, response.text
    return response.text


def words(text: str) -> str:
    """The text of a page as one line, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def an_ended_job(status: str = "completed", **other: Any) -> dict[str, Any]:
    times = {"started_at": ago(minutes=30), "completed_at": ago(minutes=20), "last_seen": ago(minutes=20)}
    return a_running_job(status, **(times | other))


def a_silent_job(**other: Any) -> dict[str, Any]:
    return a_running_job(**({"last_seen": ago(hours=2), "started_at": ago(hours=3)} | other))


# --- Is all well? ---


def test_all_is_well(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put("c1", a_connector(last_sync_status="in_progress"))
    jobs.put_all(
        {
            "runs": a_running_job(last_seen=ago(seconds=10), started_at=ago(minutes=1)),
            "waits": a_job(created_at=ago(minutes=4)),
            "done": an_ended_job(),
        }
    )
    found = words(overview(http))
    assert WELL in found
    assert "a look" not in found
    assert "maintenance is off here (MAINTENANCE_INTERVAL=0)" in found


def test_failures_of_the_past_are_said_although_all_is_well(http: Http, jobs: Stored) -> None:
    jobs.put("done", an_ended_job("error", error="no"))
    found = words(overview(http))
    assert WELL in found
    assert "Of the jobs that ended in the last 24 hours, 1 failed." in found


def test_without_jobs_it_says_how_to_begin(http: Http, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    text = overview(http)
    assert "There are no jobs yet" in text
    assert f'href="{URL}/connectors"' in text
    assert "<svg" not in text


@pytest.mark.parametrize("definition", [SYNC_JOBS, CONNECTORS], ids=["jobs", "connectors"])
def test_without_an_index(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch, definition: Any
) -> None:
    jobs.put("a", an_ended_job())
    connectors.put("c1", a_connector(status="error"))
    elasticsearch.indices.delete(index=definition.name)
    found = words(overview(http))
    assert ("1 completed" in found) is (definition is CONNECTORS)
    assert ("1 connector fails" in found) is (definition is SYNC_JOBS)


Documents = Callable[[], dict[str, Any]]
# What is stored (jobs, connectors), what the page says, and where it leads.
FINDINGS: list[tuple[str, Documents, Documents, list[str], str]] = [
    (
        "a silent job",
        lambda: {"a": a_silent_job(), "b": a_running_job(last_seen=ago(minutes=9))},
        dict,
        ["1 job hangs: its worker was not heard of for more than 10 min", "2 h ago . Workers: worker-1"],
        "/jobs?silent_for=10m",
    ),
    (
        "silent jobs",
        lambda: {"a": a_silent_job(), "b": a_silent_job(worker_hostname="w2", status="canceling")},
        dict,
        ["2 jobs hang: their workers were", "Workers: w2 , worker-1"],
        "/jobs?silent_for=10m",
    ),
    (
        "a job that nobody takes",
        lambda: {"a": a_job(created_at=ago(minutes=26)), "b": a_job(created_at=ago(minutes=4))},
        dict,
        ["1 job waits for more than 5 min, and no worker claims it", "26 min ago . Connectors: c1"],
        "/jobs?waiting_for=5m",
    ),
    (
        "a connector that is locked without a job",
        lambda: {"a": a_job("completed")},
        lambda: {
            "c1": a_connector(name="Orders", last_sync_status="in_progress", last_synced=ago(hours=3)),
            "c2": a_connector(last_access_control_sync_status="in_progress", last_sync_status="in_progress"),
            "deleted": a_connector(last_sync_status="in_progress", deleted=True),
        },
        ["2 connectors are locked, and no job runs that would unlock them", "Orders last synced 3 h ago", "c2"],
        "/connectors?locked=without_job",
    ),
    (
        "a lock of a claim that died",
        dict,
        lambda: {
            "c1": a_connector(
                last_sync_status="in_progress",
                last_synced="2026-01-01T00:00:00Z",
                sync_locks={
                    "content": {"at": round(time.time() * 1000) - 7_200_000, "synced": "2026-01-01T00:00:00Z"}
                },
            )
        },
        ["1 connector is locked, and no job runs that would unlock it", "2 h ago . Connectors: c1"],
        "/connectors?locked=without_job",
    ),
    (
        "a failing connector",
        lambda: {"a": a_job("completed")},
        lambda: {
            "c1": a_connector(status="error", name="Contracts", error="The source refused it."),
            "c2": a_connector(last_sync_status="error"),
            "deleted": a_connector(status="error", deleted=True),
        },
        ["1 connector fails", "Contracts The source refused it."],
        "/connectors?status=error",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "stored_connectors", "says", "leads_to"), named(FINDINGS))
def test_what_needs_a_look(
    http: Http,
    jobs: Stored,
    connectors: Stored,
    stored: Documents,
    stored_connectors: Documents,
    says: list[str],
    leads_to: str,
) -> None:
    for each, documents in ((jobs, stored), (connectors, stored_connectors)):
        for document_id, document in documents().items():
            each.put(document_id, document)
    text = overview(http)
    found = words(text)
    assert "1 thing needs a look" in found
    for each in says:
        assert each in found, found
    assert f'class="counted" href="{URL}{leads_to}"' in text


def test_several_findings_are_counted(http: Http, day: Any) -> None:
    found = words(overview(http))
    assert "4 things need a look" in found


@pytest.fixture
def leads(elasticsearch: Elasticsearch, service: Service) -> Iterator[Any]:
    """Makes another process the leader, with this report of its last round."""

    def lead(report: Any, expires_at: float | None = None) -> None:
        lease = {
            "holder": "x",
            "epoch": 1,
            "name": f"{HOSTILE}/1",
            "since": round(time.time() * 1000) - 7_200_000,
            "expires_at": expires_at or round(time.time() * 1000) + 600_000,
            "report": report,
        }
        elasticsearch.index(index=LEASES.alias, id="leader", document=lease, refresh=True)

    yield lead
    elasticsearch.delete(index=LEASES.alias, id="leader", refresh=True)


def test_leader_and_its_last_round_are_shown(http: Http, jobs: Stored, leads: Any) -> None:
    jobs.put("a", a_job("completed"))
    leads({"at": ago(seconds=20), "seconds": 0.1, "changes": {"rescue": 2, "repair": 0}, "failed": []})
    text = overview(http)
    found = words(text)
    assert "/1 does the maintenance since 2 h ago ; its last round was" in found
    assert "(rescue: 2)" in found
    assert WELL in found
    assert "<img" not in text


def test_round_that_failed_needs_a_look(http: Http, jobs: Stored, leads: Any) -> None:
    jobs.put("a", a_job("completed"))
    leads({"at": ago(minutes=3), "seconds": 0.1, "changes": {}, "failed": ["rescue", "repair"]})
    found = words(overview(http))
    assert "1 thing needs a look" in found
    assert "The leader failed at rescue, repair in its last round Since" in found


@pytest.mark.parametrize(
    "report", [None, [], {}, {"at": [], "changes": [7], "failed": 7}, {"failed": {"a": HOSTILE}}]
)
def test_any_report_of_the_leader_is_shown(http: Http, jobs: Stored, leads: Any, report: Any) -> None:
    jobs.put("a", a_job("completed"))
    leads(report)
    text = overview(http)
    assert "does the maintenance" in text
    assert "<img" not in text


def test_no_leader_needs_a_look_where_there_should_be_one(
    proxy: FaultProxy, elasticsearch: Elasticsearch, jobs: Stored
) -> None:
    jobs.put("a", a_job("completed"))
    elasticsearch.options(ignore_status=404).delete(index=LEASES.alias, id="leader")
    # It wants to lead, and cannot.
    with (
        proxy.responding(to("/_update/leader"), 503, "<html></html>"),
        Service(proxy.url, WORKERS="1", MAINTENANCE_INTERVAL="30s") as service,
    ):
        service.wait_until_ready()
        found = words(overview(service.http))
    assert "1 thing needs a look" in found
    assert "No process does the maintenance" in found
    assert "MAINTENANCE_INTERVAL" not in found


# --- Numbers ---


def test_each_number_leads_to_what_it_counts(http: Http, day: Any) -> None:
    links = Links(overview(http)).found
    assert len(links) > 100
    of_jobs = [(href, number) for href, number in links if href.startswith(f"{URL}/jobs")]
    assert {href.partition("?")[0] for href, _ in links} == {f"{URL}/jobs", f"{URL}/connectors"}
    known: dict[str, str] = {}
    for href, number in of_jobs:
        if href not in known:
            listed = http.get(href).text
            total = re.search(r"<strong>([\d,]+)</strong> job", listed)
            assert total is not None, href
            known[href] = total[1].replace(",", "")
        assert number == known[href], href
    assert any(int(number) > 1 for number in known.values())


def test_each_status_has_its_number(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            f"{status}-{number}": a_job(status.value)
            for position, status in enumerate(SyncStatus)
            for number in range(position)
        }
    )
    found = words(overview(http))
    for number, status in enumerate(SyncStatus):
        assert f"{number} {status.replace('_', ' ')}" in found


def test_jobs_that_run_are_shown_the_longest_silent_first(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            f"job-{number:02}": a_running_job(
                worker_hostname=f"worker-{number:02}", last_seen=ago(seconds=5 * number)
            )
            for number in range(12)
        }
    )
    found = words(overview(http))
    assert "Running now: 12 the 10 that were not heard of for longest" in found
    assert found.index("job-11") < found.index("job-02")
    assert "worker-02" in found
    assert "worker-01" not in found


def test_failures_are_counted_by_reason(http: Http, jobs: Stored) -> None:
    jobs.put_all(
        {
            **{f"a{number}": an_ended_job("error", error="no\n such host") for number in range(3)},
            "b": an_ended_job("error", error="no access"),
            "long": an_ended_job("error", error="x" * 9_000),
            "empty": an_ended_job("error", error=""),
            "none": an_ended_job("error", error=None),
            "old": an_ended_job("error", error="no access", completed_at=ago(hours=26)),
            "completed": an_ended_job(error="no access"),
        }
    )
    text = overview(http)
    found = words(text)
    assert "Failures: 7" in found
    assert re.search(r"3 no such host .* 1 no access", found)
    assert (
        text.count('id="failure-') == 2
    )  # the others have no reason that the list of jobs could be filtered by
    assert "error=no%0A%20such%20host" in text


def test_reason_that_no_address_can_hold_is_not_linked(http: Http, jobs: Stored) -> None:
    jobs.put("a", an_ended_job("error", error="ü" * 4_000))
    text = overview(http)
    assert "üüü" in text
    assert "error=%C3" not in text
    assert max(len(href) for href in re.findall(r'href="([^"]*)"', text)) < 8_190


def test_hundreds_of_everything_fit_on_the_page(http: Http, jobs: Stored, connectors: Stored) -> None:
    connectors.put_all(
        {f"c{number}": a_connector(status="error", last_sync_status="in_progress") for number in range(300)}
    )
    jobs.put_all({f"e{number}": an_ended_job("error", error=f"reason {number}") for number in range(300)})
    jobs.put_all(
        {
            f"s{number}": a_silent_job(worker_hostname=f"w{number}", connector={"id": f"x{number}"})
            for number in range(300)
        }
    )
    jobs.put_all(
        {
            f"p{number}": a_job(created_at=ago(hours=1), connector={"id": f"y{number}"})
            for number in range(300)
        }
    )
    text = overview(http)
    found = words(text)
    for number in (
        "300 jobs hang",
        "300 jobs wait",
        "300 connectors are locked",
        "300 connectors fail",
        "Failures: 300",
    ):
        assert number in found
    assert text.count("reason ") == 10
    assert found.count("and others") == 4
    assert len(text) < 60_000


# --- Over time ---


@pytest.mark.parametrize("name", ["1h", "24h", "7d"])
def test_range_is_chosen(http: Http, jobs: Stored, name: str) -> None:
    hours = {"1h": 0.9, "24h": 23.9, "7d": 7 * 24 - 0.1}[name]
    jobs.put_all(
        {
            "in": an_ended_job(completed_at=ago(hours=hours), started_at=ago(hours=hours, minutes=5)),
            "out": an_ended_job("error", completed_at=ago(hours=hours * 1.5)),
            "later": an_ended_job("error", completed_at=ago(days=-1)),
        }
    )
    text = overview(http, f"?range={name}")
    found = words(text)
    assert "0 error 0 canceled 1 completed" in found
    assert "half of them at most 5 min (p50)" in found
    assert text.count('class="of-completed"') == 1
    [chosen] = re.findall(r'href="([^"]*)" aria-current="true"', text)
    assert chosen == (URL if name == "24h" else f"{URL}?range={name}")


@pytest.mark.parametrize("name", ["2h", "24H", HOSTILE, "1h,24h"])
def test_other_ranges_are_refused(http: Http, name: str) -> None:
    response = http.get(URL, params={"range": name})
    assert response.status_code == 400
    assert "[range] is one of 1h, 24h, 7d, not [" in response.text
    assert "<img" not in response.text


def test_durations_are_those_of_completed_jobs_that_say_when_they_ran(http: Http, jobs: Stored) -> None:
    ended = {"completed_at": ago(minutes=20)}
    jobs.put("a", an_ended_job(**ended, started_at=ago(minutes=22)))
    for number in range(3):
        jobs.put_all(
            {
                f"not started {number}": an_ended_job(**ended, started_at=None),
                f"before it started {number}": an_ended_job(**ended, started_at=ago(days=-300)),
                f"failed {number}": an_ended_job("error", **ended, started_at=ago(days=3)),
            }
        )
    found = words(overview(http))
    assert "7 completed" in found
    assert "half of them at most 2 min (p50)" in found
    assert "95 % at most 2 min (p95)" in found


RECENT = "twenty minutes ago"
FAR = 9 * 10**18


@pytest.mark.parametrize(
    "started_at", [-FAR, FAR, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", [RECENT, "0001"], []]
)
@pytest.mark.parametrize("completed_at", [None, [], ["0001", RECENT], [RECENT, FAR, -FAR], [RECENT]])
def test_any_times_are_shown(http: Http, jobs: Stored, started_at: Any, completed_at: Any) -> None:
    """Those of which Elasticsearch itself can say that they lie in the time that is shown."""

    def now(value: Any) -> Any:
        return (
            [now(each) for each in value] if isinstance(value, list) else recent if value == RECENT else value
        )

    recent = ago(minutes=20)
    jobs.put("a", an_ended_job(started_at=now(started_at), completed_at=now(completed_at)))
    for name in ("1h", "7d"):
        links = Links(overview(http, f"?range={name}")).found
        ended = [number for href, number in links if "ended_from" in href and "status=completed" in href]
        assert ended[0] == ("1" if completed_at else "0")


# --- What others stored ---


def test_hostile_texts_are_shown_as_texts(page: Page, http: Http, jobs: Stored, connectors: Stored) -> None:
    of_all = {
        "connector": {"id": HOSTILE, "index_name": HOSTILE, "service_type": HOSTILE},
        "error": HOSTILE,
        "job_type": HOSTILE,
        "worker_hostname": HOSTILE,
    }
    jobs.put_all(
        {
            HOSTILE: a_silent_job(**of_all),
            f"{HOSTILE}2": a_job(**of_all, created_at=ago(hours=1)),
            f"{HOSTILE}3": an_ended_job("error", **of_all),
        }
    )
    connectors.put(
        HOSTILE, a_connector(status="error", error=HOSTILE, name=HOSTILE, last_sync_status="in_progress")
    )
    text = overview(http)
    assert "<img" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") > 8
    page.goto(URL)
    expect(page.locator("img")).to_have_count(0)
    expect(page.get_by_role("heading", level=2).first).to_contain_text("4 things need a look")


def test_values_of_any_shape_are_shown(http: Http, elasticsearch: Elasticsearch) -> None:
    """Whatever Elasticsearch stores in any field, in jobs that run, wait and failed, and in connectors that fail or are locked."""
    raw_jobs = RawIndex(elasticsearch, SYNC_JOBS, JOB)
    raw_connectors = RawIndex(elasticsearch, CONNECTORS, CONNECTOR)
    raw_connectors.write(status="error", last_sync_status="in_progress")
    ended = {"completed_at": ago(minutes=5), "started_at": ago(minutes=9)}
    for status in ("in_progress", "pending", "error", "completed"):
        raw_jobs.write(status=status, **ended)
        for name in ("24h", "1h"):
            overview(http, f"?range={name}")


# Only as many as the page has room for are shown, so each of these is stored alone.
ODD = [[], [None], ["a", HOSTILE], [["in_progress"], ["b"]], "\ud800", 10**30, -7, True, ""]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_each_field_may_be_odd(http: Http, jobs: Stored, connectors: Stored, value: Any) -> None:
    names = ("error", "job_type", "worker_hostname")
    odd = dict.fromkeys(names, value) | {"connector": {"id": value}}
    for number, status in enumerate(("in_progress", "pending", "error", "completed")):
        jobs.put(f"{number}", an_ended_job(status, created_at=ago(hours=1), **odd))
    connectors.put("c1", a_connector(status="error", name=value, error=value, last_sync_status="in_progress"))
    locks = {"content": {"at": value, "synced": None}}
    connectors.put("c2", a_connector(last_sync_status="in_progress", sync_locks=locks))
    text = overview(http)
    assert "<img" not in text
    assert "2 connectors" in words(text)


# --- Its cost, and what it offers ---


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Iterator[Service]:
    with Service(proxy.url, WORKERS="1", AUTHORIZATION_CACHE_SECONDS="600", UI="read-only") as service:
        service.wait_until_ready()
        yield service


def test_it_takes_two_searches(
    proxied: Service, proxy: FaultProxy, elasticsearch: Elasticsearch, day: Any
) -> None:
    overview(proxied.http)  # who calls is known from now on
    with proxy.recording() as recorded:
        overview(proxied.http)
    searches = [request.path for request in recorded if "/_search" in request.path]
    assert len(searches) == 2
    ends = {request.path.partition("?")[0].rpartition("/")[2] for request in recorded}
    assert ends - {"_has_privileges"} == {"_refresh", "_search", "leader"}


def test_nothing_is_offered_that_may_not_be_done(proxied: Service, http: Http, day: Any) -> None:
    assert "/jobs/rescue" in overview(http)
    assert "/jobs/rescue" not in overview(proxied.http)


def test_elasticsearch_away(proxied: Service, proxy: FaultProxy, day: Any) -> None:
    overview(proxied.http)
    with proxy.responding(lambda request: "/_search" in request.path, 503, "<html></html>"):
        response = proxied.http.get(URL)
    assert response.status_code == 503
    assert "This page tries again every ten seconds." in response.text
    overview(proxied.http)


# --- In a browser ---


def test_silent_jobs_are_rescued(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(URL)
    finding = page.get_by_role("listitem").filter(has_text="hangs: its worker")
    finding.get_by_role("link", name="Rescue…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Rescue 1 job?")
    assert jobs.source("orders-silent")["status"] == "in_progress"
    dialog.get_by_role("button", name="Rescue 1 job").click()
    expect(dialog).to_contain_text("1 job ended.")
    assert jobs.source("orders-silent")["status"] == "error"
    dialog.get_by_text("Close").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("3 things need a look")


def test_bar_leads_to_its_jobs(page: Page, day: Any) -> None:
    page.goto(URL)
    bar = page.locator("svg a:has(.of-error)").first
    title = bar.locator("title").text_content() or ""
    number = re.search(r": ([\d,]+) error", title)
    assert number is not None, title
    bar.click()
    expect(page.locator(".found")).to_contain_text(f"{number[1]} job")


def test_numbers_stay_open_when_the_page_renews_itself(page: Page, day: Any, jobs: Stored) -> None:
    page.goto(f"{URL}?range=1h")
    page.get_by_text("The numbers of both charts").click()
    table = page.get_by_role("table").filter(has_text="Half at most")
    expect(table.get_by_role("row")).to_have_count(32)
    jobs.put("new", a_job("suspended", created_at=ago(minutes=1)))
    page.evaluate("renew()")
    expect(page.get_by_role("list", name="Jobs by status")).to_contain_text(re.compile(r"1\s+suspended"))
    expect(table).to_be_visible()
    expect(page.locator("[aria-current=true]")).to_have_text("the last hour")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_use_it(page: Page, day: Any, scheme: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto(URL)
    page.get_by_text("The numbers of both charts").click()
    violations = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
