"""Who may see and do what on the page of a secured cluster."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.documents import Stored, a_connector, a_job, empty
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES, Start
from tests.service import Http, Service
from tests.ui.conftest import URL
from tests.ui.forms import ACTIONS, Form, form_of

OFFERING = ("/jobs", "/job?id=j", "/connectors", "/connector?id=c1")
PAGES = (*OFFERING, "", "/workers")
# The addresses of actions.
OFFERS = re.compile(r"/_ui/(?:jobs/cancel|jobs/rescue|job/delete|connector/sync)")
WITHOUT_ACTIONS = ("/workers",)


@pytest.fixture
def http(guarded: Service, admin: Elasticsearch) -> Http:
    empty(admin)
    Stored(admin, CONNECTORS).put("c1", a_connector())
    Stored(admin, SYNC_JOBS).put("j", a_job("pending"))
    return guarded.http


@pytest.fixture
def jobs(admin: Elasticsearch) -> Stored:
    return Stored(admin, SYNC_JOBS)


@pytest.mark.parametrize("path", [*PAGES, *WITHOUT_ACTIONS])
def test_page_asks_for_credentials(http: Http, path: str) -> None:
    response = http.get(URL + path, headers={"Accept": "text/html"})
    assert response.status_code == 401
    assert "Basic realm=" in response.headers["WWW-Authenticate"]
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Who are you?" in response.text


@pytest.mark.parametrize("path", PAGES)
def test_whoever_may_read_is_offered_nothing_else(http: Http, callers: SimpleNamespace, path: str) -> None:
    managed = http.get(URL + path, headers=callers.manager)
    seen = http.get(URL + path, headers=callers.monitor)
    assert (managed.status_code, seen.status_code) == (200, 200)
    assert path not in OFFERING or OFFERS.search(managed.text)
    assert not OFFERS.search(seen.text)


@pytest.mark.parametrize("path", [*PAGES, *WITHOUT_ACTIONS, *(each.path for each in ACTIONS)])
def test_whoever_may_do_nothing_sees_nothing(http: Http, callers: SimpleNamespace, path: str) -> None:
    response = http.get(URL + path, headers=callers.nothing)
    assert response.status_code == 403
    assert "You may not do that" in response.text
    assert "action [cluster:admin/xpack/connector/" in response.text


@pytest.mark.parametrize("act", ACTIONS, ids=lambda each: each.path)
def test_what_is_not_allowed_is_refused_when_it_is_sent(
    http: Http, callers: SimpleNamespace, jobs: Stored, act: Form
) -> None:
    before = jobs.version("j")
    form = form_of(http, act, callers.manager)
    for caller in (callers.monitor, callers.nothing):
        assert http.get(URL + act.path, headers=caller).status_code == 403
        assert form.send(headers=caller).status_code == 403
    assert form.send(headers=callers.none).status_code == 401
    assert jobs.version("j") == before
    assert jobs.ids() == {"j"}
    assert form.send(headers=callers.manager).status_code == 200


@pytest.mark.skipif(not KNOWS_CONNECTOR_PRIVILEGES, reason="the service's own role differs")
def test_read_only_page_changes_nothing(
    start_service: Start, set_up: None, http: Http, callers: SimpleNamespace, jobs: Stored
) -> None:
    before = jobs.version("j")
    with start_service("run", UI="read-only") as service:
        service.wait_until_ready()
        for path in PAGES:
            shown = service.http.get(URL + path, headers=callers.manager)
            assert shown.status_code == 200
            assert "read-only" in shown.text
            assert not OFFERS.search(shown.text)
        for act in ACTIONS:
            assert service.http.get(URL + act.path, headers=callers.manager).status_code == 403
            refused = form_of(http, act, callers.manager).send(service.http, headers=callers.manager)
            assert refused.status_code == 403
            assert "UI=read-only" in refused.text
    assert jobs.version("j") == before


def test_no_page(start_service: Start, set_up: None, callers: SimpleNamespace) -> None:
    with start_service("run", UI="off") as service:
        for path in ("", "/jobs", "/static/page.css"):
            response = service.http.get(URL + path, headers=callers.manager)
            assert response.status_code == 400
            assert response.json()["error"].startswith("no handler found for uri [")
        assert service.http.get("/", headers=callers.manager | {"Accept": "text/html"}).status_code == 400


def test_only_files_need_no_credentials(http: Http) -> None:
    assert http.get(f"{URL}/static/page.js").status_code == 200
    for path in ("", "/nothing", "/static/nothing"):
        assert http.get(URL + path).status_code == 401
