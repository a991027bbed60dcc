"""Forms of other sites change nothing, and a page is nobody else's."""

from __future__ import annotations

import pytest

from tests.documents import Stored, a_connector, a_job
from tests.service import Http
from tests.ui.conftest import URL
from tests.ui.forms import ACTIONS, Form, form_of

CANCEL = ACTIONS[0]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@pytest.fixture(autouse=True)
def a_job_of_a_connector(jobs: Stored, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    jobs.put("j", a_job("pending"))


@pytest.mark.parametrize("act", ACTIONS, ids=lambda each: each.path)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": ""},
        {"Cookie": ""},
        {"Cookie": "connector_ui_token=short"},
        {"Cookie": "connector_ui_token=" + 43 * "x"},
    ],
)
def test_forms_of_other_sites_are_refused(
    http: Http, jobs: Stored, act: Form, headers: dict[str, str]
) -> None:
    before = jobs.version("j")
    response = form_of(http, act).send(headers=headers)
    assert response.status_code == 403
    assert "nothing was done" in response.text
    assert jobs.version("j") == before


@pytest.mark.parametrize("token", ["", "x", 43 * "x", "ü"])
def test_forms_without_the_token_are_refused(http: Http, jobs: Stored, token: str) -> None:
    assert form_of(http, CANCEL).send(token=token).status_code == 403
    assert jobs.source("j")["status"] == "pending"


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": ""}, {"Origin": ""}])
def test_forms_of_the_page_are_taken(http: Http, jobs: Stored, headers: dict[str, str]) -> None:
    assert form_of(http, CANCEL).send(headers=headers).status_code == 200
    assert jobs.source("j")["status"] == "canceled"


def test_token_stays_the_same_for_a_browser_and_is_its_own(http: Http) -> None:
    first = http.get(URL + CANCEL.path)
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/_connector/_ui" in cookie
    again = http.get(URL + CANCEL.path, headers={"Cookie": cookie.partition(";")[0]})
    assert "Set-Cookie" not in again.headers
    token = cookie.partition("=")[2].partition(";")[0]
    assert f'name="token" value="{token}"' in again.text
    assert token not in http.get(URL + CANCEL.path).text


@pytest.mark.parametrize("path", ["/jobs", "/job?id=j", CANCEL.path, "/nothing", "/jobs?status=x"])
def test_pages_use_nothing_else_and_are_used_by_nobody_else(http: Http, path: str) -> None:
    response = http.get(URL + path)
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", '{"id": "j"}', 406),
        ("text/plain", "id=j", 406),
        ("application/x-www-form-urlencoded", "id=j&x=" + 2**20 * "x", 413),
        ("application/x-www-form-urlencoded", "", 403),
    ],
)
def test_what_is_no_form_is_refused(
    http: Http, jobs: Stored, content_type: str, body: str, status: int
) -> None:
    form = form_of(http, CANCEL)
    headers = {"Content-Type": content_type, "Sec-Fetch-Site": "same-origin", "Cookie": form.cookie}
    response = http.post(f"{URL}/jobs/cancel", data=body, headers=headers)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert jobs.source("j")["status"] == "pending"


def test_too_many_jobs_at_once(http: Http) -> None:
    response = form_of(http, CANCEL).send(id=[str(each) for each in range(1001)])
    assert response.status_code == 400
    assert "Choose at most 1000 jobs." in response.text


def test_bare_address_leads_browsers_to_the_page(http: Http) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = http.get("/", headers=browser)
    assert (response.status_code, response.headers["Location"]) == (302, URL)
    assert http.get("/").json()["error"] == "no handler found for uri [/] and method [GET]"
    assert http.post("/", headers=browser).json()["error"] == "no handler found for uri [/] and method [POST]"


@pytest.mark.parametrize("name", ["README.md", "../views.py", "..%2fviews.py", "page.css%00", ""])
def test_no_other_files_are_served(http: Http, name: str) -> None:
    response = http.get(f"{URL}/static/{name}")
    assert response.status_code == 404
    assert "has no such part" in response.text
