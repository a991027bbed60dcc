"""Many changes in one request: each has its own script, error and retries, and no effect on the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import settings
from app.errors import ApiError
from app.store import Store, bulk
from app.store.bulk import Change, Version
from app.store.failures import IndexMissing, IndexUnusable
from app.store.index_definitions import SYNC_JOBS
from app.store.scripts import Outcome, Script, Verdict
from tests.documents import Stored, empty
from tests.fault_proxy import FaultProxy, Request, nth, to

# Adds to a number, or says that a retry finds its work done.
ADD = Script(
    "tests",
    "add",
    "if (params.is_retry && ctx._source.by == params.by) {"
    " ctx._source.verdict = ['name': 'done', 'details': ['n': ctx._source.n]]; ctx.op = 'none'"
    "} else { ctx._source.n += params.add; ctx._source.by = params.by }",
)
REFUSE = Script(
    "tests", "refuse", "ctx._source.verdict = ['name': 'refused', 'details': [:]]; ctx.op = 'none'"
)
FAIL = Script("tests", "fail", "Integer.parseInt(ctx._source.by)")
UNSTORABLE = Script("tests", "unstorable", "ctx._source.created_at = 'never'")
BULK = to("/_bulk")


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Store:
    """A store whose requests go through the proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        store = Store(settings.load())
    store.indices.ensure()  # its client has to meet the real Elasticsearch first
    return store


@pytest.fixture(autouse=True)
def documents(store: Store, elasticsearch: Elasticsearch) -> Stored:
    """The stored jobs. There are none at first."""
    store.indices.ensure()
    empty(elasticsearch)
    return Stored(elasticsearch, SYNC_JOBS)


def put(documents: Stored, *ids: str) -> None:
    documents.put_all({each: {"n": 0, "by": "nobody"} for each in ids})


def add(document_id: str, by: str = "test", **options: Any) -> Change:
    return Change(document_id, ADD, {"add": 1, "by": by}, **options)


def outcomes(results: list[Outcome | ApiError | None]) -> list[Any]:
    """Verdicts, the status codes of errors, and None."""
    return [each.status if isinstance(each, ApiError) else each and each.verdict for each in results]


def numbers(documents: Stored, *ids: str) -> list[int]:
    return [documents.source(each)["n"] for each in ids]


def items_of(request: Request) -> list[tuple[str, bool]]:
    """The id of each item of a bulk request, and its `is_retry`."""
    lines = [json.loads(line) for line in request.body.splitlines()]
    return [
        (head["update"]["_id"], body["script"]["params"]["is_retry"])
        for head, body in zip(lines[::2], lines[1::2], strict=True)
    ]


def test_many_changes_are_one_request_and_keep_their_order(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    ids = [f"j{number}" for number in range(1_000)]
    put(documents, *ids)
    with proxy.recording() as recorded:
        results = proxied.sync_jobs.transition_all([add(each, returns=["n"]) for each in reversed(ids)])
    assert results == [Outcome("add", Verdict.UPDATED, {"n": 1})] * len(ids)
    assert [request.path.partition("?")[0].rpartition("/")[2] for request in recorded] == ["_bulk"]
    assert items_of(recorded[0]) == [(each, False) for each in reversed(ids)]


def test_no_changes_are_no_request(proxy: FaultProxy, proxied: Store) -> None:
    with proxy.recording() as recorded:
        assert proxied.sync_jobs.transition_all([]) == []
    assert recorded == []


def test_each_change_has_its_own_result(store: Store, documents: Stored) -> None:
    put(documents, "a", "b", "c", "d", "e")
    results = store.sync_jobs.transition_all(
        [
            add("a"),
            Change("b", REFUSE, {}),
            add("missing"),
            Change("c", FAIL, {}),
            Change("d", UNSTORABLE, {}),
            add("e"),
        ]
    )
    assert outcomes(results) == [Verdict.UPDATED, Verdict.REFUSED, None, 503, 400, Verdict.UPDATED]
    assert numbers(documents, "a", "b", "c", "d", "e") == [1, 0, 0, 0, 1]
    assert "created_at" not in documents.source("d")


@pytest.mark.parametrize("bad", ["", "x" * 513, "€" * 171])
def test_id_that_no_document_can_have_does_not_refuse_the_others(
    store: Store, documents: Stored, bad: str
) -> None:
    longest = "€" * 170 + "xx"
    put(documents, "a", longest)
    results = store.sync_jobs.transition_all([add("a"), add(bad), add(longest)])
    assert outcomes(results) == [Verdict.UPDATED, None, Verdict.UPDATED]
    assert store.sync_jobs.get_all(["a", bad, longest, "missing"], ["n"]) == {
        "a": {"n": 1},
        longest: {"n": 1},
    }


def test_same_document_twice_is_changed_twice_in_order(store: Store, documents: Stored) -> None:
    put(documents, "a")
    results = store.sync_jobs.transition_all(
        [add("a", "one", returns=["n", "by"]), add("a", "two", returns=["*"])]
    )
    assert [result.details for result in results] == [{"n": 1, "by": "one"}, {"n": 2, "by": "two"}]


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_lost_request_is_sent_again_as_a_retry_of_each_change(
    proxy: FaultProxy, proxied: Store, documents: Stored, responses: bool
) -> None:
    put(documents, "a", "b")
    with proxy.recording() as recorded, proxy.losing(nth(1, BULK), responses=responses):
        results = proxied.sync_jobs.transition_all([add("a"), add("missing"), add("b")])
    expected = Verdict.DONE if responses else Verdict.UPDATED
    assert outcomes(results) == [expected, None, expected]
    assert numbers(documents, "a", "b") == [1, 1]
    assert [items_of(request) for request in recorded] == [
        [("a", False), ("missing", False), ("b", False)],
        [("a", True), ("missing", True), ("b", True)],
    ]


def test_only_the_changes_of_a_lost_request_are_retried(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_BATCH", 2)
    put(documents, "a", "b", "c", "d", "e")
    with proxy.recording() as recorded, proxy.losing(nth(2, BULK), responses=True):
        results = proxied.sync_jobs.transition_all([add(each) for each in "abcde"])
    assert outcomes(results) == [
        Verdict.UPDATED, Verdict.UPDATED, Verdict.DONE, Verdict.DONE, Verdict.UPDATED
    ]  # fmt: skip
    assert [[each for each, _ in items_of(request)] for request in recorded] == [
        ["a", "b"], ["c", "d"], ["e"], ["c", "d"]
    ]  # fmt: skip
    assert numbers(documents, *"abcde") == [1] * 5


def test_item_that_elasticsearch_could_not_carry_out_is_retried_alone(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    put(documents, "a", "b")
    away = {"update": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "away"}}}
    fine = {"update": {"status": 200, "result": "updated", "get": {"_source": {}}}}
    answers = iter([json.dumps({"errors": True, "items": [fine, away]})])

    def first(request: Request) -> bool:
        return BULK(request) and ("a", False) in items_of(request)

    with proxy.recording() as recorded, proxy.responding(first, 200, next(answers)):
        results = proxied.sync_jobs.transition_all([add("a"), add("b")])
    assert outcomes(results) == [Verdict.UPDATED, Verdict.UPDATED]
    assert [items_of(request) for request in recorded] == [[("a", False), ("b", False)], [("b", True)]]


def test_change_that_collided_is_no_retry_beside_one_that_was_lost(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_BATCH", 1)
    put(documents, "a", "b")
    conflict = {"type": "version_conflict_engine_exception", "reason": "[a]: version conflict"}
    answer = json.dumps({"errors": True, "items": [{"update": {"status": 409, "error": conflict}}]})
    with (
        proxy.recording() as recorded,
        proxy.responding(nth(1, BULK), 200, answer),
        proxy.losing(nth(2, BULK)),
    ):
        results = proxied.sync_jobs.transition_all([add("a"), add("b")])
    assert outcomes(results) == [Verdict.UPDATED, Verdict.UPDATED]
    assert [items_of(request) for request in recorded] == [
        [("a", False)], [("b", False)], [("a", False)], [("b", True)]
    ]  # fmt: skip


def test_cluster_that_stays_away_is_an_error_of_each_change(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    put(documents, "a", "b")
    with proxy.recording() as recorded, proxy.losing(BULK):
        results = proxied.sync_jobs.transition_all([add("a"), add(""), add("b")])
    assert outcomes(results) == [503, None, 503]
    assert 1 < len(recorded) < 10


def test_colliding_changes_are_retried_and_never_lost(store: Store, documents: Stored) -> None:
    """Without retries inside Elasticsearch, so that every collision reaches the store."""
    ids = [f"j{number}" for number in range(20)]
    put(documents, *ids)

    def act(member: int) -> list[Any]:
        return outcomes(store.sync_jobs.transition_all([add(each, f"m{member}") for each in ids]))

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as threads:
        patch.setattr(bulk, "RETRY_ON_CONFLICT", 0)
        for result in threads.map(act, range(8)):
            assert result == [Verdict.UPDATED] * len(ids)
    assert numbers(documents, *ids) == [8] * len(ids)


def test_lasting_collisions_are_503_for_that_change_alone(
    store: Store, documents: Stored, elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CONFLICT_TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(bulk, "RETRY_ON_CONFLICT", 0)
    put(documents, "quiet", "busy")
    over = Event()

    def hammer(number: int) -> None:
        while not over.is_set():
            elasticsearch.index(index=SYNC_JOBS.alias, id="busy", document={"n": number, "by": "hammer"})

    found: list[Any] = []
    with ThreadPoolExecutor(4) as threads:
        hammers = [threads.submit(hammer, number) for number in range(4)]
        try:
            for _ in range(1_000):
                quiet, busy = store.sync_jobs.transition_all([add("quiet"), add("busy")])
                assert isinstance(quiet, Outcome)
                if isinstance(busy, ApiError):
                    found.append(busy)
                    break
        finally:
            over.set()
        for each in hammers:
            each.result()
    assert found[0].status == 503
    assert "Too many updates of the same document at once" in (found[0].cause.reason or "")


def test_change_of_a_version_is_overtaken_by_any_write(store: Store, documents: Stored) -> None:
    put(documents, "a", "b", "c")
    versions = {each: version(documents, each) for each in "abc"}
    documents.put("b", {"n": 5, "by": "another"})
    store.sync_jobs.delete("c")
    results = store.sync_jobs.transition_all([add(each, version=versions[each]) for each in "abc"])
    assert outcomes(results) == [Verdict.UPDATED, Verdict.OVERTAKEN, None]
    assert numbers(documents, "a", "b") == [1, 5]


def test_retry_of_a_change_of_a_version_is_overtaken_by_itself(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    put(documents, "a")
    with proxy.losing(nth(1, BULK), responses=True):
        results = proxied.sync_jobs.transition_all([add("a", version=version(documents, "a"))])
    assert outcomes(results) == [Verdict.OVERTAKEN]
    assert numbers(documents, "a") == [1]


def version(documents: Stored, document_id: str) -> Version:
    found = documents._client.get(index=documents.index, id=document_id)
    return Version(found["_seq_no"], found["_primary_term"])


@pytest.fixture
def no_index(elasticsearch: Elasticsearch, store: Store) -> Iterator[None]:
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    yield
    store.indices.ensure()


def test_missing_index_means_missing_documents(
    store: Store, elasticsearch: Elasticsearch, no_index: None
) -> None:
    assert store.sync_jobs.transition_all([add("a"), add("b")]) == [None, None]
    assert store.sync_jobs.get_all(["a"], ["n"]) == {}
    with pytest.raises(IndexMissing):
        store.sync_jobs.delete_unchanged({"a": Version(0, 1)})
    assert not elasticsearch.indices.exists(index=[SYNC_JOBS.alias])


def test_closed_index_is_one_error_that_says_how_to_fix_it(
    store: Store, documents: Stored, elasticsearch: Elasticsearch
) -> None:
    put(documents, "a")
    requests: list[Callable[[], Any]] = [
        lambda: store.sync_jobs.transition_all([add("a")]),
        lambda: store.sync_jobs.get_all(["a"], ["n"]),
        lambda: store.sync_jobs.delete_unchanged({"a": Version(0, 1)}),
    ]
    elasticsearch.indices.close(index=SYNC_JOBS.name)
    try:
        for request in requests:
            with pytest.raises(ApiError) as refused:
                request()
            assert refused.value.status == 503
            assert not isinstance(refused.value, IndexUnusable)
            assert f"open it (POST /{SYNC_JOBS.alias}/_open)" in (refused.value.cause.reason or "")
    finally:
        elasticsearch.indices.open(index=SYNC_JOBS.name)
        elasticsearch.cluster.health(index=SYNC_JOBS.name, wait_for_status="yellow")
    assert numbers(documents, "a") == [0]


def test_document_that_could_not_be_looked_for_is_not_missing(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    """Elasticsearch answers 200 with an error in its place."""
    put(documents, "a")
    error = {"type": "no_shard_available_action_exception", "reason": "No shard available"}
    answer = json.dumps({"docs": [{"_index": SYNC_JOBS.name, "_id": "a", "error": error}]})
    with proxy.responding(nth(1, to("/_mget")), 200, answer):
        assert proxied.sync_jobs.get_all(["a"], ["n"]) == {"a": {"n": 0}}
    with proxy.responding(to("/_mget"), 200, answer), pytest.raises(ApiError) as refused:
        proxied.sync_jobs.get_all(["a"], ["n"])
    assert refused.value.status == 503


def test_only_unchanged_documents_are_deleted(store: Store, documents: Stored) -> None:
    put(documents, "a", "b", "c")
    versions = {each: version(documents, each) for each in "abc"}
    documents.put("b", {"n": 5})
    store.sync_jobs.delete("c")
    assert store.sync_jobs.delete_unchanged(versions) == 1
    assert documents.ids() == {"b"}


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_lost_deletion_is_repeated(
    proxy: FaultProxy, proxied: Store, documents: Stored, responses: bool
) -> None:
    """The count may be too low then, never too high."""
    put(documents, "a")
    with proxy.losing(nth(1, BULK), responses=responses):
        deleted = proxied.sync_jobs.delete_unchanged({"a": version(documents, "a")})
    assert deleted == (0 if responses else 1)
    assert documents.ids() == set()


def test_deletion_that_elasticsearch_refuses_is_an_error(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    put(documents, "a")
    error = {"type": "es_rejected_execution_exception", "reason": "busy"}
    answer = json.dumps({"errors": True, "items": [{"delete": {"status": 429, "error": error}}]})
    with proxy.responding(BULK, 200, answer), pytest.raises(ApiError) as refused:
        proxied.sync_jobs.delete_unchanged({"a": version(documents, "a")})
    assert refused.value.status == 429
