"""`POST /_connector/_sync_job` with `Idempotency-Key`: a request sent again gets the first one's success."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.errors import ApiError
from app.store import Store, leases
from app.store.index_definitions import LEASES
from app.sync_jobs import creating
from app.sync_jobs.creating import Created, JobRequest
from tests.documents import ID, Stored, a_connector, a_job
from tests.endpoints import JOBS, ROOT
from tests.fault_proxy import FaultProxy, nth
from tests.responses import envelope, error_body, illegal
from tests.service import Http

BODY = {"id": ID, "job_type": "incremental"}
KEY = {"Idempotency-Key": "the key"}
OTHER_REQUEST = envelope(422, "status_exception", "Idempotency-Key was used for another request.")


@pytest.fixture(autouse=True)
def connector(connectors: Stored) -> None:
    connectors.put(ID, a_connector())


def post(http: Http, query: str = "", key: str = "the key", **body: Any) -> tuple[int, dict[str, Any]]:
    response = http.post(f"{JOBS}{query}", json=BODY | body, headers={"Idempotency-Key": key})
    return response.status_code, response.json()


def created(answer: tuple[int, dict[str, Any]]) -> str:
    status, body = answer
    assert status == 201, body
    assert body.keys() == {"id"}
    return str(body["id"])


def test_request_sent_again_gets_the_same_response(http: Http, jobs: Stored) -> None:
    first, second = (http.post(JOBS, json=BODY, headers=KEY) for _ in range(2))
    assert first.status_code == 201
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert {**second.headers, "Date": ""} == {**first.headers, "Date": ""}
    assert jobs.ids() == {first.json()["id"]}


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", '{"job_type":"incremental","id":"c1"}'),
        ("?pretty", ' {"id": "c1", "job_type": "INCREMENTAL", "trigger_method": "on_demand"} '),
        ("?if_active=create&filter_path=id", '{"id":"c1","job_type":"incremental"}'),
    ],
)
def test_same_values_written_in_another_way_are_the_same_request(
    http: Http, jobs: Stored, query: str, body: str
) -> None:
    made = created(post(http))
    headers = {"Content-Type": "application/json", **KEY}
    again = http.post(f"{JOBS}{query}", data=body, headers=headers)
    assert (again.status_code, again.json()) == (201, {"id": made})
    assert jobs.ids() == {made}


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {"id": "c2"}),
        ("", {"job_type": "full"}),
        ("", {"trigger_method": "scheduled"}),
        ("?if_active=refuse", {}),
        ("?if_active=return", {}),
    ],
    ids=str,
)
def test_key_of_another_request_is_refused(
    http: Http, jobs: Stored, connectors: Stored, query: str, body: dict[str, Any]
) -> None:
    connectors.put("c2", a_connector())
    made = created(post(http))
    assert post(http, query, **body) == (422, OTHER_REQUEST)
    assert created(post(http)) == made
    assert jobs.ids() == {made}


def test_other_keys_and_no_key_make_other_jobs(http: Http, jobs: Stored) -> None:
    made = {created(post(http, key=key)) for key in ("a", "b", "a b", "A", "~" * 256)}
    made |= {http.post(JOBS, json=BODY).json()["id"] for _ in range(2)}
    assert len(made) == 7
    assert jobs.ids() == made


@pytest.mark.parametrize(
    "key", ["", "x" * 257, "a\tb", "k\xe9y".encode("latin-1"), "schlüssel".encode()], ids=ascii
)
def test_invalid_key_is_a_bad_request_that_names_the_header(
    http: Http, jobs: Stored, key: str | bytes
) -> None:
    response = http.post(JOBS, json=BODY, headers={"Idempotency-Key": key})
    reason = "The header [Idempotency-Key] must have 1 to 256 characters, all of them printable ASCII."
    assert error_body(response) == illegal(reason)
    assert jobs.ids() == set()


def test_key_is_read_after_body_and_parameters_and_before_validation(http: Http) -> None:
    invalid = {"Idempotency-Key": ""}

    def reason(query: str, body: object) -> str:
        return str(http.post(f"{JOBS}{query}", json=body, headers=invalid).json()["error"]["reason"])

    assert reason("", {}) == "Required [id]"
    assert "unrecognized parameter: [x]" in reason("?x=1", BODY)
    assert "Idempotency-Key" in reason("", {"id": ""})


def test_other_endpoints_ignore_the_header(http: Http) -> None:
    for key in ({"Idempotency-Key": ""}, KEY):
        assert http.put(f"{ROOT}/c3", json={"name": "n"}, headers=key).status_code in (200, 201)
        assert http.get(JOBS, headers=key).status_code == 200
    assert len({http.post(ROOT, json={}, headers=KEY).json()["id"] for _ in range(2)}) == 2


# --- Together with `if_active` ---


def test_key_is_looked_at_before_active_jobs(http: Http, jobs: Stored) -> None:
    """Also where another job is active by now."""
    made = created(post(http, "?if_active=refuse"))
    assert created(post(http, "?if_active=refuse")) == made
    jobs.put(made, a_job("completed"))
    assert created(post(http, "?if_active=refuse")) == made
    jobs.put("other", a_job())
    assert created(post(http, "?if_active=refuse")) == made
    assert post(http, "?if_active=refuse", key="another")[0] == 409
    assert jobs.ids() == {made, "other"}


def test_active_job_that_was_returned_is_returned_again(http: Http, jobs: Stored) -> None:
    """With its status 200, whatever became of it."""
    jobs.put("j1", a_job())
    assert post(http, "?if_active=return") == (200, {"id": "j1"})
    jobs.put("j1", a_job("completed"))
    assert post(http, "?if_active=return") == (200, {"id": "j1"})
    assert http.delete(f"{JOBS}/j1").status_code == 200
    assert post(http, "?if_active=return") == (200, {"id": "j1"})
    assert jobs.ids() == set()


def test_success_is_repeated_whatever_became_of_the_connector(http: Http, jobs: Stored) -> None:
    made = created(post(http))
    assert http.delete(f"{ROOT}/{ID}?hard=true").status_code == 200
    assert created(post(http)) == made
    assert post(http, key="another")[0] == 404


# --- Errors ---


def test_errors_are_not_remembered(
    http: Http, jobs: Stored, connectors: Stored, elasticsearch: Elasticsearch
) -> None:
    """The same request and any other may follow with the same key."""
    jobs.put("active", a_job())
    connectors.put("bare", {})
    errors = [
        ("", {"id": "missing"}, 404),
        ("", {"id": "bare"}, 400),
        ("?if_active=refuse", {}, 409),
        ("?if_active=return", {"id": "missing"}, 404),
        ("?if_active=refuse", {}, 409),
    ]
    for query, body, status in errors:
        assert post(http, query, **body)[0] == status
        assert stored_keys(elasticsearch) == {}
    jobs.put("active", a_job("completed"))
    made = created(post(http, "?if_active=refuse"))
    assert jobs.ids() == {"active", made}


def test_error_of_a_request_with_a_key_is_that_without_one(http: Http, jobs: Stored) -> None:
    jobs.put("j1", a_job())
    for query, body in (("", {"id": "missing"}), ("?if_active=refuse", {})):
        without = http.post(f"{JOBS}{query}", json=BODY | body)
        assert post(http, query, **body) == (without.status_code, without.json())


# --- What is stored ---


def stored_keys(elasticsearch: Elasticsearch) -> dict[str, dict[str, Any]]:
    elasticsearch.indices.refresh(index=LEASES.alias)
    hits = elasticsearch.search(index=LEASES.alias, size=100)["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def test_key_and_request_are_stored_as_digests(
    http: Http, connectors: Stored, elasticsearch: Elasticsearch
) -> None:
    connectors.put("the connector", a_connector())
    made = created(post(http, "?if_active=return", id="the connector"))
    [(document_id, document)] = stored_keys(elasticsearch).items()
    assert re.fullmatch("idempotency:[0-9a-f]{64}", document_id)
    assert re.fullmatch("[0-9a-f]{64}", document["request"])
    assert document["result"] == {"id": made, "status": 201}
    assert "the " not in json.dumps(document)


def test_expired_key_is_free(http: Http, jobs: Stored, elasticsearch: Elasticsearch) -> None:
    made = [created(post(http))]
    for body in ({}, {"job_type": "full"}):
        [document_id] = stored_keys(elasticsearch)
        elasticsearch.update(index=LEASES.alias, id=document_id, doc={"expires_at": 1})
        made.append(created(post(http, **body)))
    assert jobs.ids() == set(made)
    assert len(set(made)) == 3


# --- Lost responses and rare interleavings, in this process ---


def once(store: Store, request: JobRequest) -> tuple[int, str]:
    """The status, and the id or the reason."""
    try:
        made = creating.create_once(store, request, "caller", "key")
    except ApiError as error:
        return error.status, error.cause.reason or ""
    return made.status, made.id


WAYS = [JobRequest(ID, "incremental", "on_demand", way) for way in ("create", "refuse", "return")]
EACH = pytest.mark.parametrize("request_", WAYS, ids=lambda each: each.if_active)
# Where no job is active, `return` takes the same steps as `refuse`.
BOTH = pytest.mark.parametrize("request_", WAYS[:2], ids=lambda each: each.if_active)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.6)


@pytest.fixture
def proxied(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that reaches Elasticsearch through the proxy."""
    monkeypatch.setenv("ELASTICSEARCH_URL", proxy.url)
    return Store(settings.load())


def steps(proxy: FaultProxy, act: Callable[[], object]) -> int:
    with proxy.recording() as recorded:
        act()
    return len(recorded)


@pytest.mark.parametrize("responses", [True, False], ids=["lost response", "lost request"])
@BOTH
def test_one_lost_request_at_any_step_makes_one_job(
    proxied: Store, proxy: FaultProxy, jobs: Stored, elasticsearch: Elasticsearch, request_: JobRequest, responses: bool
) -> None:  # fmt: skip
    number_of_steps = steps(proxy, lambda: once(proxied, request_))
    assert number_of_steps == (4 if request_.if_active == "create" else 10)
    for step in range(1, number_of_steps + 1):
        clean(elasticsearch, jobs)
        with proxy.losing(nth(step, lambda _: True), responses=responses):
            status, made = once(proxied, request_)
        assert status == 201, (step, made)
        assert once(proxied, request_) == (201, made)
        assert jobs.ids() == {made}, step


@pytest.mark.parametrize("responses", [True, False], ids=["reached", "did not reach"])
@BOTH
def test_request_that_ended_at_any_step_is_finished_by_the_next(
    store: Store, proxied: Store, proxy: FaultProxy, jobs: Stored, elasticsearch: Elasticsearch, short_leases: None,
    request_: JobRequest, responses: bool,
) -> None:  # fmt: skip
    """From that step on, nothing gets through any more, as where the process has died."""
    for step in range(1, steps(proxy, lambda: once(proxied, request_)) + 1):
        clean(elasticsearch, jobs)
        numbers = itertools.count(1)
        with proxy.losing(lambda _, numbers=numbers, step=step: next(numbers) >= step, responses=responses):
            assert once(proxied, request_)[0] == 503
        status, made = once(store, request_)
        assert status == 201, (step, made)
        assert once(store, request_) == (201, made)
        assert jobs.ids() == {made}, step


def clean(elasticsearch: Elasticsearch, jobs: Stored) -> None:
    """Without keys, leases and jobs."""
    for index in (LEASES.alias, jobs.index):
        elasticsearch.indices.refresh(index=index)
        elasticsearch.delete_by_query(index=index, query={"match_all": {}}, refresh=True)


class Interrupted:
    """Replaces a method; its calls do, one after the other, what `acts` do with the method's result."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *acts: Callable[[Any], Any]
    ):
        self.method = getattr(owner, name)
        self.acts = list(acts)
        monkeypatch.setattr(owner, name, self)

    def __call__(self, *arguments: Any) -> Any:
        act = self.acts.pop(0) if self.acts else lambda result: result
        return act(self.method(*arguments))


def no_connector(_connector: Any) -> None:
    return None


@EACH
def test_slow_request_gets_the_result_of_a_fast_one(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch, request_: JobRequest
) -> None:
    """It stalls after taking the key; its job is another's when it goes on, and has even ended."""
    fast: list[tuple[int, str]] = []

    def overtake(connector: Any) -> Any:
        fast.append(once(store, request_))
        jobs.put(fast[0][1], a_job("completed"))
        return connector

    Interrupted(monkeypatch, store.connectors, "get", overtake)
    slow = once(store, request_)
    assert slow == fast[0]
    assert slow[0] == 201
    assert jobs.ids() == {slow[1]}
    assert jobs.source(slow[1])["status"] == "completed"


@EACH
def test_failure_of_one_request_does_not_forget_the_key_of_another(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch, request_: JobRequest
) -> None:
    """The second fails and the third succeeds while the first is on its way. Fails where the second removes the key."""
    others: list[tuple[int, str]] = []

    def overtake(connector: Any) -> Any:
        others.extend(once(store, request_) for _ in range(2))
        return connector

    Interrupted(monkeypatch, store.connectors, "get", overtake, no_connector)
    first = once(store, request_)
    assert others == [(404, f"Connector with id '{ID}' does not exist."), first]
    assert first[0] == 201
    assert jobs.ids() == {first[1]}


@EACH
def test_request_that_fails_after_another_has_succeeded_gets_its_success(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch, request_: JobRequest
) -> None:
    others: list[tuple[int, str]] = []
    Interrupted(monkeypatch, store.connectors, "get", lambda _: others.append(once(store, request_)))
    assert once(store, request_) == others[0]
    assert others[0][0] == 201
    assert jobs.ids() == {others[0][1]}


def test_requests_that_all_fail_leave_no_key(
    store: Store, elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[tuple[int, str]] = []
    request = WAYS[0]
    Interrupted(
        monkeypatch, store.connectors, "get", lambda _: others.append(once(store, request)), no_connector
    )
    assert once(store, request)[0] == others[0][0] == 404
    assert stored_keys(elasticsearch) == {}


def test_requests_that_come_to_different_results_respond_with_the_first(
    store: Store, jobs: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The active job that the slow request saw ends, and the fast one creates another."""
    request = WAYS[2]
    jobs.put("active", a_job())
    fast: list[tuple[int, str]] = []

    def overtake(made: Created) -> Created:
        jobs.put("active", a_job("completed"))
        fast.append(once(store, request))
        return made

    Interrupted(monkeypatch, creating, "create", overtake)
    assert once(store, request) == fast[0]
    assert fast[0][0] == 201
    assert jobs.ids() == {"active", fast[0][1]}


@EACH
def test_job_that_was_created_before_its_result_was_noted_counts(
    store: Store, proxied: Store, proxy: FaultProxy, jobs: Stored, connectors: Stored, request_: JobRequest
) -> None:
    """Whatever became of it and of its connector, and whatever else is active."""
    count = steps(proxy, lambda: once(proxied, request_))
    jobs.put_all({each: a_job("completed") for each in jobs.ids()})
    before = jobs.ids()
    request = JobRequest(ID, "incremental", "scheduled", request_.if_active)

    def unnoted() -> str:
        numbers = itertools.count(1)
        with proxy.losing(lambda _: next(numbers) >= count), pytest.raises(ApiError):
            creating.create_once(proxied, request, "caller", "another key")
        [made] = jobs.ids() - before
        return made

    made = unnoted()
    jobs.put(made, a_job("completed"))
    jobs.put("active", a_job())
    connectors.put(ID, a_connector(deleted=True))
    assert creating.create_once(store, request, "caller", "another key") == Created(made, 201)
    assert jobs.ids() == before | {made, "active"}
