"""Privileges of callers are cached for a short time, dropped when in doubt, and only ever come from Elasticsearch."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator

import pytest

from app import settings
from app.errors import ApiError
from app.store import Store, security
from app.store.callers import CONNECTOR_PRIVILEGES, Credentials
from app.store.security import Security
from scripts.elasticsearch import EmbeddedNode, client_major
from scripts.elasticsearch import Security as SecuredNode
from tests.fault_proxy import FaultProxy, nth, to
from tests.secured import KNOWS_CONNECTOR_PRIVILEGES, Start, basic, password
from tests.service import Http, Service

JOBS = "/_connector/_sync_job"
PRIVILEGE_REQUEST = to("_has_privileges")
# A cluster without the connector privileges is asked twice: for them, and for the index privileges that replace them.
SECURITY_PATHS = 1 if KNOWS_CONNECTOR_PRIVILEGES else 2


@pytest.fixture(scope="module")
def caching_service(start_service: Start, set_up: None, proxy: FaultProxy) -> Iterator[Service]:
    """A service with one process that caches privileges for an hour."""
    with start_service("run", proxy.url, AUTHORIZATION_CACHE_SECONDS="3600") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture(scope="module")
def uncached_service(start_service: Start, set_up: None, proxy: FaultProxy) -> Iterator[Service]:
    with start_service("run", proxy.url, AUTHORIZATION_CACHE_SECONDS="0") as service:
        service.wait_until_ready()
        yield service


@pytest.fixture
def key(admin) -> Iterator[tuple[str, dict[str, str]]]:
    """A new API key with all privileges: its id and the request headers."""
    made = admin.security.create_api_key(name="short-lived")
    yield made["id"], {"Authorization": f"ApiKey {made['encoded']}"}
    admin.security.invalidate_api_key(ids=[made["id"]])


def privilege_requests(
    proxy: FaultProxy, service: Service, headers: dict[str, str], status: int = 200
) -> int:
    """How often Elasticsearch is asked for privileges during one request, which must end with this status."""
    with proxy.recording() as recorded:
        assert service.http.get(JOBS, headers=headers).status_code == status
    return sum(map(PRIVILEGE_REQUEST, recorded))


def test_granted_privileges_are_cached(proxy, caching_service, key, admin) -> None:
    key_id, headers = key
    assert privilege_requests(proxy, caching_service, headers) == SECURITY_PATHS
    admin.security.invalidate_api_key(ids=[key_id])
    assert [privilege_requests(proxy, caching_service, headers) for _ in range(3)] == [0, 0, 0]


def test_cache_of_0_seconds_caches_nothing(proxy, uncached_service, key, admin) -> None:
    key_id, headers = key
    assert [privilege_requests(proxy, uncached_service, headers) for _ in range(3)] == [SECURITY_PATHS] * 3
    admin.security.invalidate_api_key(ids=[key_id])
    assert privilege_requests(proxy, uncached_service, headers, 401) == 1


def test_refusals_are_never_cached(caching_service, admin) -> None:
    headers = {**basic("admin"), "es-security-runas-user": "nobody-yet"}
    assert caching_service.http.get(JOBS, headers=headers).status_code in (401, 403)
    admin.security.put_user(username="nobody-yet", password=password("nobody-yet"), roles=["superuser"])
    assert caching_service.http.get(JOBS, headers=headers).status_code == 200
    admin.security.put_user(username="nobody-yet", password=password("nobody-yet"), roles=[])


@pytest.mark.parametrize("trouble", ["one response lost", "no response", "a proxy's 502"])
def test_interruption_noticed_by_document_requests_clears_the_cache(
    proxy, caching_service, key, admin, trouble
) -> None:
    key_id, headers = key
    assert caching_service.http.get(JOBS, headers=headers).status_code == 200
    work = to("/.elastic-connectors")
    if trouble == "one response lost":
        with proxy.losing(nth(1, work), responses=True):
            assert privilege_requests(proxy, caching_service, headers) == 0
    elif trouble == "no response":
        with proxy.losing(work):
            assert privilege_requests(proxy, caching_service, headers, 503) == 0
    else:
        with proxy.responding(work, 502, "<html>Bad Gateway</html>"):
            assert privilege_requests(proxy, caching_service, headers, 503) == 0
    admin.security.invalidate_api_key(ids=[key_id])
    assert privilege_requests(proxy, caching_service, headers, 401) == 1


def test_credentials_of_callers_are_sent_unchanged_and_never_those_of_the_service(
    proxy, uncached_service, callers
) -> None:
    own = basic("run")["Authorization"]
    for caller in vars(callers).values():
        with proxy.recording() as recorded:
            uncached_service.http.get(JOBS, headers=caller)
        for request in filter(to("/_security/"), recorded):
            assert request.headers.get("authorization") == caller.get("Authorization")
        assert {r.headers["authorization"] for r in recorded if not to("/_security/")(r)} <= {own}


# --- Unclear responses ---

NO_PRIVILEGES = '{"username":"admin","has_all_requested":true,"cluster":{},"index":{},"application":{}}'
GRANTED = NO_PRIVILEGES.replace('"cluster":{}', '"cluster":{"manage_connector":true}').replace(
    '"index":{}', '"index":{".elastic-connectors*":{"write":true}}'
)
UNCLEAR = [
    (500, '{"error":{"type":"exception","reason":"?"},"status":500}'),
    (404, '{"error":"no handler found for uri [/_security/user/_has_privileges] and method [POST]"}'),
    (400, '{"error":"no handler found for uri [/_security] and method [POST]"}'),
    (400, '{"error":{"type":"illegal_argument_exception","reason":"no handler found"},"status":400}'),
    (400, "no handler found for uri [/_security/user/_has_privileges] and method [POST]"),
    (200, "<html>Welcome</html>"),
    (200, "{garbage"),
    (200, ""),
    (200, "[]"),
    (200, '"yes"'),
    (200, '{"cluster":["manage_connector"]}'),
    (200, '{"cluster":null}'),
    (200, '{"has_all_requested":true}'),
    # Callers without a name would share their idempotency keys.
    *(
        (200, GRANTED.replace('"username":"admin"', name))
        for name in ('"x":1', '"username":null', '"username":""', '"username":["admin"]')
    ),
    (302, "<html>Log in</html>"),
    (429, '{"error":{"type":"es_rejected_execution_exception","reason":"?"},"status":429}'),
]


@pytest.mark.parametrize(("status", "body"), UNCLEAR, ids=[f"{row[0]} {row[1][:24]}" for row in UNCLEAR])
def test_unclear_response_about_privileges_is_503(proxy, uncached_service, callers, status, body) -> None:
    with proxy.responding(PRIVILEGE_REQUEST, status, body), proxy.recording() as recorded:
        response = uncached_service.http.put("/_connector/unclear", headers=callers.admin, json={})
    assert (response.status_code, response.json()["error"]["type"]) == (503, "status_exception")
    # Requests without the header are sent by a service that has just started.
    sent = [each for each in recorded if "x-opaque-id" in each.headers]
    assert sent
    assert all(map(PRIVILEGE_REQUEST, sent)), "no other request may be sent"


@pytest.mark.parametrize(
    "held", [NO_PRIVILEGES, NO_PRIVILEGES.replace('"cluster":{}', '"cluster":{"manage_connector":1}')]
)
def test_privilege_that_is_not_granted_explicitly_is_missing(proxy, uncached_service, callers, held) -> None:
    with proxy.responding(PRIVILEGE_REQUEST, 200, held):
        assert (
            uncached_service.http.put("/_connector/unclear", headers=callers.admin, json={}).status_code
            == 403
        )


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, "{}"), (200, "<html>"), (200, "[]"), (403, "{}"), (404, '{"error":"no handler"}')],
)
def test_refusal_without_a_known_subject_is_503(proxy, uncached_service, callers, status, body) -> None:
    with proxy.responding(to("_authenticate"), status, body):
        response = uncached_service.http.get(JOBS, headers=callers.nothing)
    assert response.status_code == 503
    with proxy.losing(to("_authenticate")):
        assert uncached_service.http.get(JOBS, headers=callers.nothing).status_code == 503


def test_refusal_whose_credentials_expired_meanwhile_is_401(
    proxy, uncached_service, callers, secured
) -> None:
    gone = Http(secured.url).get("/_security/_authenticate").text
    with proxy.responding(to("_authenticate"), 401, gone):
        response = uncached_service.http.get(f"{JOBS}?size=1", headers=callers.nothing)
    assert response.status_code == 401
    reason = f"missing authentication credentials for REST request [{JOBS}?size=1]"
    assert response.json()["error"]["reason"] == reason


# urllib3 would treat the second one specially if it were sent as a string.
ODD = ["Basic \x01\x7f", "@@@SKIP_HEADER@@@", "a\x85b", "x" * 12000]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(["Authorization", "es-security-runas-user"], ODD),
        ("es-security-runas-user", "x" * 16300),
        ("X-Opaque-Id", "@@@SKIP_HEADER@@@"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_unusual_headers_of_a_caller_are_handled_as_by_elasticsearch(
    uncached_service, secured, callers, name, value
) -> None:
    def outcome(url: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        # Bytes, since HTTP libraries treat one of these strings specially.
        connection.request("GET", path, headers=callers.admin | {name: value.encode("latin-1")})
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
        return response.status, body["error"]["type"] if "error" in body else ""

    assert outcome(uncached_service.url, JOBS) == outcome(secured.url, "/_security/_authenticate")


# --- Size and age of the cache, in this process ---


@pytest.fixture
def cache_of(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch):
    """Create a cache for so many seconds; the result counts the requests for the privileges of a user."""
    monkeypatch.setenv("ELASTICSEARCH_URL", proxy.url)

    def cache_for(seconds: float):
        monkeypatch.setenv("AUTHORIZATION_CACHE_SECONDS", str(seconds))
        cache: Security = Store(settings.load()).security

        def requests_for(user: str) -> int:
            with proxy.recording() as recorded:
                caller = cache.caller(Credentials(basic(user)["Authorization"], None), frozenset())
            manages = user in ("admin", "manager")
            assert caller.granted.issuperset(CONNECTOR_PRIVILEGES) == manages
            assert len(cache._known) <= security._CALLERS
            return sum(map(PRIVILEGE_REQUEST, recorded)) // SECURITY_PATHS

        return requests_for

    return cache_for


def test_privileges_are_cached_no_longer_than_the_setting(cache_of) -> None:
    long_lived, short_lived = cache_of(3600), cache_of(1)
    assert [long_lived("admin"), long_lived("admin")] == [1, 0]
    assert short_lived("admin") == 1
    time.sleep(1.01)
    assert short_lived("admin") == 1


def test_size_of_the_cache_is_bounded(cache_of, monkeypatch) -> None:
    monkeypatch.setattr(security, "_CALLERS", 2)
    requests_for = cache_of(3600)
    assert [requests_for(user) for user in ("admin", "monitor", "admin", "manager")] == [1, 1, 0, 1]
    assert [requests_for(user) for user in ("admin", "monitor", "manager", "admin")] == [0, 1, 1, 1]


# --- Clusters without security ---


def test_cluster_without_security_is_asked_again(node_url, monkeypatch) -> None:
    """After an interruption that only requests for documents noticed, and in any case after some time."""
    monkeypatch.setattr(security, "_NO_SECURITY", 3600.0)
    with FaultProxy(node_url) as proxy:
        monkeypatch.setenv("ELASTICSEARCH_URL", proxy.url)
        monkeypatch.setenv("AUTHORIZATION_CACHE_SECONDS", "3600")
        store = Store(settings.load())
        store.indices.ensure()

        def requests() -> int:
            with proxy.recording() as recorded:
                caller = store.security.caller(Credentials(None, None), frozenset())
            assert caller is security.UNRESTRICTED
            return len(recorded)

        assert [requests(), requests()] == [1, 0]
        with proxy.losing(nth(1, to("_doc/"))):
            assert store.connectors.get("none") is None
        assert [requests(), requests()] == [1, 0]
        with proxy.losing(to("_doc/")), pytest.raises(ApiError):
            store.connectors.get("none")
        assert [requests(), requests()] == [1, 0]
        monkeypatch.setattr(security, "_NO_SECURITY", 0.5)
        with proxy.losing(to("_doc/")), pytest.raises(ApiError):
            store.connectors.get("none")
        assert requests() == 1
        time.sleep(0.51)
        assert requests() == 1


def first_but_503(service: Service, headers: dict[str, str]) -> int:
    """The status of the first response that is not 503, when the node has started."""
    statuses: list[int] = []

    def is_no_503() -> bool:
        statuses.append(service.http.get(JOBS, headers=headers).status_code)
        return statuses[-1] != 503

    service.wait_for(is_no_503)
    return statuses[-1]


@pytest.mark.timeout(240)
def test_cluster_that_becomes_secured_is_noticed() -> None:
    """The services are not restarted: after the interruption they ask the node again, whether they noticed it or not."""
    users = {"run": (password("run"), ["superuser"])}
    settings = {
        "ELASTICSEARCH_USERNAME": "run",
        "ELASTICSEARCH_PASSWORD": password("run"),
        "AUTHORIZATION_CACHE_SECONDS": "3600",
        "ELASTICSEARCH_TIMEOUT": "2",
        "WORKERS": "1",
    }
    with (
        EmbeddedNode(major=client_major()) as node,
        Service(node.url, **settings) as busy,
        Service(node.url, **settings) as idle,
    ):
        for service in (busy, idle):
            service.wait_until_ready()
            assert service.http.get(JOBS).status_code == 200
        node.stop()
        response = busy.http.get(JOBS)
        assert (response.status_code, response.json()["error"]["type"]) == (503, "status_exception")
        node._security = SecuredNode(users=users)
        node.start()
        for service in (idle, busy):
            assert first_but_503(service, {}) == 401
            assert first_but_503(service, basic("run")) == 200
