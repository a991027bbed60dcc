"""Updates of several threads that leave together while another is on its way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import pytest
import structlog
from elasticsearch import Elasticsearch

from app import logs, settings
from app.errors import ApiError
from app.metrics.definitions import GROUP_COMMIT_UPDATES, GROUP_COMMIT_WAITING_SECONDS
from app.store import Store, bulk, group_commit
from app.store.failures import IndexMissing, IndexUnusable
from app.store.index_definitions import SYNC_JOBS
from app.store.scripts import Outcome, Script, Verdict
from tests.documents import Stored, empty
from tests.fault_proxy import Fault, FaultProxy, Request, nth, to
from tests.service import Http, Service

# Notes who changed the document, once each: a retry finds its work done.
NOTE = Script(
    "tests",
    "note",
    "if (params.is_retry && ctx._source.by.contains(params.by)) {"
    " ctx._source.verdict = ['name': 'done', 'details': ['by': ctx._source.by]]; ctx.op = 'none'"
    "} else { ctx._source.by.add(params.by) }",
)
REFUSE = Script(
    "tests", "refuse", "ctx._source.verdict = ['name': 'refused', 'details': [:]]; ctx.op = 'none'"
)
FAIL = Script("tests", "fail", "Integer.parseInt(ctx._source.by.toString())")
UNSTORABLE = Script("tests", "unstorable", "ctx._source.created_at = 'never'")
BULK = to("/_bulk")
FINE = {"update": {"status": 200, "result": "updated", "get": {"_source": {}}}}
CONFLICT = {
    "update": {
        "status": 409,
        "error": {"type": "version_conflict_engine_exception", "reason": "[a]: conflict"},
    }
}

Call = tuple[str, Script, dict[str, Any]]


@pytest.fixture(scope="module")
def proxied(proxy: FaultProxy) -> Store:
    """A store whose requests go through the proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ELASTICSEARCH_URL", proxy.url)
        environment.setenv("ELASTICSEARCH_TIMEOUT", "60")
        environment.setenv("THREADS", "64")
        store = Store(settings.load())
    store.indices.ensure()
    return store


@pytest.fixture(autouse=True)
def documents(store: Store, elasticsearch: Elasticsearch) -> Stored:
    """The stored jobs: `held`, and `a` to `e`."""
    store.indices.ensure()
    empty(elasticsearch)
    found = Stored(elasticsearch, SYNC_JOBS)
    found.put_all({each: {"by": []} for each in ["held", *"abcde"]})
    return found


def note(document_id: str, by: str = "") -> Call:
    return document_id, NOTE, {"by": by or document_id}


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Crowd:
    """Callers, each on a thread of its own, that come one after the other while an update of `held` is on its way.

    `release` lets it through.
    """

    def __init__(
        self, store: Store, threads: ThreadPoolExecutor, release: Callable[[], Any] = lambda: None
    ) -> None:
        self._jobs = store.sync_jobs
        self._group = store.sync_jobs._group
        self._threads = threads
        self.held = threads.submit(self._call, note("held"))
        self.others: list[Future[Any]] = []
        self.release = release

    def _call(self, call: Call) -> Any:
        logs.request_id.set(f"r-{call[2].get('by', '')[:8]}")
        return self._jobs.transition(*call, returns=["by"])

    def queued(self) -> int:
        return len(self._group._queue)

    def comes(self, *calls: Call, queues: bool = True) -> None:
        for call in calls:
            before = self.queued()
            self.others.append(self._threads.submit(self._call, call))
            if queues:
                until(lambda before=before: self.queued() > before)

    def verdicts(self) -> list[Any]:
        return [verdict(each) for each in [self.held, *self.others]]


def verdict(call: Future[Any]) -> Any:
    """What became of a call: its verdict, the status of its error, None, or another exception's type."""
    try:
        found = call.result(60)
    except ApiError as error:
        return error.status
    except BaseException as error:
        return type(error)
    return found and found.verdict


@contextmanager
def under_way(proxy: FaultProxy, store: Store) -> Iterator[Crowd]:
    """Inside the block, or until the crowd's `release`, the proxy holds an update of the document `held`."""
    held = to("/_update/held")
    with (
        ThreadPoolExecutor(40) as threads,
        proxy.recording() as recorded,
        proxy.gathering(2, held, seconds=60),
    ):
        released = cache(partial(Http(proxy.url).get, "/_update/held"))  # the second of them: both go on
        crowd = Crowd(store, threads, released)
        until(lambda: any(held(each) for each in recorded))
        try:
            yield crowd
        finally:
            crowd.release()
            crowd.verdicts()


def writes(recorded: Sequence[Request]) -> list[Any]:
    """What was sent but for `held`: the id of a single update, the ids of many; those of retries with `again:`."""
    found: list[Any] = []
    for each in recorded:
        if BULK(each):
            lines = [json.loads(line) for line in each.body.splitlines()]
            heads, bodies = lines[::2], lines[1::2]
            found.append(
                [named(head["update"]["_id"], body) for head, body in zip(heads, bodies, strict=True)]
            )
        elif to("/_update/")(each) and not to("/_update/held")(each):
            document_id = each.path.partition("?")[0].rpartition("/")[2]
            found.append(named(document_id, json.loads(each.body)))
    return found


def named(document_id: str, body: Any) -> str:
    return "again:" * body["script"]["params"]["is_retry"] + document_id


def by(documents: Stored, *ids: str) -> list[list[str]]:
    return [documents.source(each)["by"] for each in ids]


UPDATED = Verdict.UPDATED


def test_lone_update_is_sent_at_once_by_itself(proxy: FaultProxy, proxied: Store) -> None:
    with proxy.recording() as recorded:
        for _ in range(3):
            assert proxied.sync_jobs.transition(*note("a")) == Outcome("note", UPDATED, {})
    assert writes(recorded) == ["a", "a", "a"]
    assert [each.path.partition("?")[0] for each in recorded] == [f"/{SYNC_JOBS.alias}/_update/a"] * 3


def test_updates_that_come_meanwhile_leave_in_one_request_in_their_order(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    ids = [f"j{number}" for number in range(30)]
    documents.put_all({each: {"by": []} for each in ids})
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(*map(note, ids))
        assert writes(recorded) == []
    assert crowd.verdicts() == [UPDATED] * 31
    assert [each.result().details for each in crowd.others] == [{"by": [each]} for each in ids]
    assert writes(recorded) == [ids]
    assert crowd.queued() == 0


def test_next_batch_is_gathered_while_one_is_on_its_way(proxy: FaultProxy, proxied: Store) -> None:
    first, release = nth(1, BULK), to("/_release")

    def which(request: Request) -> bool:
        return release(request) or first(request)

    with (
        proxy.recording() as recorded,
        proxy.gathering(2, which, seconds=60),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("b"))
        crowd.release()
        until(lambda: any(BULK(each) for each in recorded))
        crowd.comes(note("c"), note("d"))
        Http(proxy.url).get("/_release")
    assert crowd.verdicts() == [UPDATED] * 5
    assert writes(recorded) == [["a", "b"], ["c", "d"]]


def test_update_alone_in_the_queue_is_sent_by_itself(proxy: FaultProxy, proxied: Store) -> None:
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"))
    assert crowd.verdicts() == [UPDATED] * 2
    assert writes(recorded) == ["a"]


def test_updates_of_one_document_are_carried_out_in_their_order(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    with under_way(proxy, proxied) as crowd:
        crowd.comes(note("a", "first"), note("a", "second"), note("a", "third"))
    assert [each.result().details["by"] for each in crowd.others] == [
        ["first"],
        ["first", "second"],
        ["first", "second", "third"],
    ]


def test_update_that_fails_leaves_the_others_alone(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(
            note("a"), note("missing"), ("b", REFUSE, {}), ("c", FAIL, {}), ("d", UNSTORABLE, {}), note("e")
        )
    assert crowd.verdicts() == [UPDATED, UPDATED, None, Verdict.REFUSED, 503, 400, UPDATED]
    assert writes(recorded) == [["a", "missing", "b", "c", "d", "e"]]
    assert by(documents, *"abcde") == [["a"], [], [], [], ["e"]]


def test_update_that_collides_is_sent_again_by_its_own_caller(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    """The proxy answers instead of Elasticsearch."""
    answer = json.dumps({"errors": True, "items": [CONFLICT, FINE, FINE]})
    with (
        proxy.recording() as recorded,
        proxy.responding(BULK, 200, answer),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("b"), note("c"))
    assert crowd.verdicts() == [UPDATED] * 4
    assert writes(recorded) == [["a", "b", "c"], "a"]
    assert by(documents, *"abc") == [["a"], [], []]


@pytest.mark.parametrize("responses", [False, True], ids=["request lost", "response lost"])
def test_lost_batch_is_resolved_by_each_caller(
    proxy: FaultProxy, proxied: Store, documents: Stored, responses: bool
) -> None:
    with (
        proxy.recording() as recorded,
        proxy.losing(nth(1, BULK), responses=responses),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("missing"), note("b"), note("c"))
    again = Verdict.DONE if responses else UPDATED
    assert crowd.verdicts() == [UPDATED, again, None, again, again]
    assert by(documents, *"abc") == [["a"], ["b"], ["c"]]
    sent = writes(recorded)
    assert sent[0] == ["a", "missing", "b", "c"]
    retries = [one for each in sent[1:] for one in (each if isinstance(each, list) else [each])]
    assert sorted(retries) == ["again:a", "again:b", "again:c", "again:missing"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (413, ""),
        (400, '{"error": {"type": "illegal_argument_exception", "reason": "Malformed"}, "status": 400}'),
        (404, '{"error": {"type": "index_not_found_exception", "reason": "no such index"}, "status": 404}'),
        (404, ""),
    ],
)
def test_batch_that_is_refused_as_a_whole_is_sent_one_by_one(
    proxy: FaultProxy, proxied: Store, documents: Stored, status: int, body: str
) -> None:
    with (
        proxy.recording() as recorded,
        proxy.responding(BULK, status, body),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("missing"), note("b"))
    assert crowd.verdicts() == [UPDATED, UPDATED, None, UPDATED]
    first, *others = writes(recorded)
    assert (first, sorted(others)) == (["a", "missing", "b"], ["a", "b", "missing"])


def test_item_that_elasticsearch_cannot_read_refuses_no_other(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    unreadable = Script("tests", "unreadable", "ctx.op = 'none'")
    deep: Any = 1
    for _ in range(1_100):
        deep = [deep]
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"), ("b", unreadable, {"deep": deep}), note("c"))
    assert crowd.verdicts() == [UPDATED, UPDATED, 400, UPDATED]
    assert by(documents, *"abc") == [["a"], [], ["c"]]
    assert len(writes(recorded)) == 4


def test_busy_elasticsearch_is_429_for_each(proxy: FaultProxy, proxied: Store, documents: Stored) -> None:
    with (
        proxy.recording() as recorded,
        proxy.choosing(lambda request: Fault(status=429 if BULK(request) else None)),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("b"))
    assert crowd.verdicts() == [UPDATED, 429, 429]
    assert writes(recorded) == [["a", "b"]]


@pytest.mark.parametrize("bad", ["x" * 513, "€" * 171])
def test_id_that_no_document_can_have_is_not_queued(
    proxy: FaultProxy, proxied: Store, documents: Stored, bad: str
) -> None:
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"))
        crowd.comes(note(bad, "z"), queues=False)
        assert verdict(crowd.others[1]) == 400
        crowd.comes(note("b"))
    assert crowd.verdicts() == [UPDATED, UPDATED, 400, UPDATED]
    assert writes(recorded)[1:] == [["a", "b"]]


def test_large_update_goes_alone_at_once(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_MAX_ITEM_BYTES", 10_000)
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"))
        crowd.comes(note("b", "x" * 10_000), queues=False)
        assert verdict(crowd.others[1]) is UPDATED
        crowd.comes(note("c"))
    assert writes(recorded) == ["b", ["a", "c"]]


def test_batches_are_bounded_in_bytes(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_MAX_BATCH_BYTES", 5_000)
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(*(note(each, each * 2_000) for each in "abcde"))
    assert crowd.verdicts() == [UPDATED] * 6
    assert writes(recorded) == [["a", "b"], ["c", "d"], "e"]


def test_full_queue_is_429(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_MAX_QUEUED", 2)
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"), note("b"))
        crowd.comes(note("c"), queues=False)
        with pytest.raises(ApiError) as refused:
            crowd.others[2].result(60)
    assert (refused.value.status, refused.value.cause.type) == (429, "es_rejected_execution_exception")
    assert crowd.verdicts() == [UPDATED, UPDATED, UPDATED, 429]
    assert writes(recorded) == [["a", "b"]]


def test_caller_whose_time_is_up_takes_its_update_back(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy.recording() as recorded, under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"))
        with monkeypatch.context() as impatient:
            impatient.setattr(proxied.sync_jobs._group, "_timeout", 0.2)
            crowd.comes(note("b"))
            with pytest.raises(ApiError) as refused:
                crowd.others[1].result(60)
        crowd.comes(note("c"))
    assert refused.value.status == 503
    assert "was not sent" in (refused.value.cause.reason or "")
    assert crowd.verdicts() == [UPDATED, UPDATED, 503, UPDATED]
    assert writes(recorded) == [["a", "c"]]


def test_caller_whose_update_was_sent_waits_for_what_becomes_of_it(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Fault(held_after=1.5)
    monkeypatch.setattr(proxied.sync_jobs._group, "_timeout", 1.0)
    with (
        proxy.recording() as recorded,
        proxy.choosing(lambda request: slow if BULK(request) else Fault()),
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("b"))
    assert crowd.verdicts() == [UPDATED] * 3
    assert writes(recorded) == [["a", "b"]]


@pytest.mark.parametrize("sent", [False, True])
def test_leader_that_dies_leaves_a_result_and_the_lead(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    send, died = bulk.send_once, []

    def die(*arguments: Any, **options: Any) -> Any:
        if died:
            return send(*arguments, **options)
        died.append(True)
        if sent:
            send(*arguments, **options)
        raise MemoryError

    monkeypatch.setattr(bulk, "send_once", die)
    with under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"), note("b"), note("c"))
    again = Verdict.DONE if sent else UPDATED
    assert crowd.verdicts() == [UPDATED, MemoryError, again, again]
    assert by(documents, *"bc") == [["b"], ["c"]]
    assert proxied.sync_jobs.transition(*note("d")) is not None


def test_lone_leader_that_dies_leaves_the_lead(
    proxy: FaultProxy, proxied: Store, documents: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_change: Any, _body: Any) -> Any:
        until(lambda: len(group._queue) == 2)
        raise MemoryError

    group = proxied.sync_jobs._group

    with ThreadPoolExecutor(8) as threads, monkeypatch.context() as fatal:
        fatal.setattr(group, "_alone", die)
        crowd = Crowd(proxied, threads)
        until(lambda: group._led)
        crowd.comes(note("a"))
        crowd.comes(note("b"), queues=False)
        assert crowd.verdicts() == [MemoryError, UPDATED, UPDATED]


def test_log_says_which_requests_a_batch_carried(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    def counts() -> tuple[float, float]:
        waits = sum(each.get() for each in GROUP_COMMIT_WAITING_SECONDS._buckets)
        return GROUP_COMMIT_UPDATES._sum.get(), waits

    before = counts()
    with (
        structlog.testing.capture_logs() as lines,
        proxy.recording() as recorded,
        under_way(proxy, proxied) as crowd,
    ):
        crowd.comes(note("a"), note("b"), note("c"))
    [line] = [each for each in lines if each["event"] == "group_commit"]
    assert line["requests"] == ["r-a", "r-b", "r-c"]
    opaque = [each.headers["x-opaque-id"] for each in recorded if BULK(each)]
    assert opaque == [line["batch"]]
    assert line["batch"] not in line["requests"]
    assert next(each.headers["x-opaque-id"] for each in recorded if to("/_update/")(each)) == "r-held"
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [4, 4]


@pytest.fixture
def repaired(store: Store, elasticsearch: Elasticsearch) -> Iterator[None]:
    yield
    if elasticsearch.indices.exists(index=[SYNC_JOBS.name]):
        elasticsearch.indices.open(index=SYNC_JOBS.name)
        elasticsearch.cluster.health(index=SYNC_JOBS.name, wait_for_status="yellow")
    store.indices.ensure()


def test_missing_index_is_said_to_each(
    proxy: FaultProxy, proxied: Store, elasticsearch: Elasticsearch, repaired: None
) -> None:
    with under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"), note("b"))
        elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert crowd.verdicts() == [IndexMissing] * 3


def test_closed_index_is_an_error_that_says_how_to_fix_it(
    proxy: FaultProxy, proxied: Store, elasticsearch: Elasticsearch, repaired: None
) -> None:
    with under_way(proxy, proxied) as crowd:
        crowd.comes(note("a"), note("b"))
        elasticsearch.indices.close(index=SYNC_JOBS.name)
    for each in crowd.others:
        with pytest.raises(ApiError) as refused:
            each.result(60)
        assert refused.value.status == 503
        assert not isinstance(refused.value, IndexUnusable)
        assert f"open it (POST /{SYNC_JOBS.alias}/_open)" in (refused.value.cause.reason or "")


def test_every_update_of_a_crowd_is_carried_out_once(
    proxy: FaultProxy, proxied: Store, documents: Stored
) -> None:
    """Every seventh response is lost, of single updates and of batches."""
    count, members, rounds = 0, 24, 10

    def choose(request: Request) -> Fault:
        nonlocal count
        count += to("/_update/", "/_bulk")(request)
        return Fault(cut="response" if count % 7 == 0 else None)

    def act(member: int) -> None:
        for number in range(rounds):
            called = f"{member}-{number}"
            found = proxied.sync_jobs.transition("abc"[(member + number) % 3], NOTE, {"by": called})
            assert found is not None
            assert found.verdict in (UPDATED, Verdict.DONE)

    with proxy.recording() as recorded, proxy.choosing(choose), ThreadPoolExecutor(members) as threads:
        for each in [threads.submit(act, member) for member in range(members)]:
            each.result(60)
    noted = sorted(one for each in by(documents, *"abc") for one in each)
    assert noted == sorted(f"{member}-{number}" for member in range(members) for number in range(rounds))
    assert any(isinstance(each, list) for each in writes(recorded))
    assert not proxied.sync_jobs._group._led


def test_requests_that_are_queued_are_answered_before_the_service_stops(
    proxy: FaultProxy, documents: Stored
) -> None:
    ids = [*"abcde"]
    documents.put_all({each: {"status": "in_progress"} for each in ["held", *ids]})
    held = to("/_update/held")
    with Service(proxy.url, WORKERS="1", THREADS="16") as service, ThreadPoolExecutor(8) as threads:
        service.wait_until_ready()

        def check_in(job_id: str) -> int:
            return Http(service.url).put(f"/_connector/_sync_job/{job_id}/_check_in").status_code

        with proxy.recording() as recorded, proxy.gathering(2, held, seconds=60):
            first = threads.submit(check_in, "held")
            until(lambda: any(held(each) for each in recorded))
            others = [threads.submit(check_in, each) for each in ids]
            metric = f"connector_http_requests_in_progress {len(ids) + 2}.0"
            until(lambda: metric in service.http.get("/metrics").text)
            stopped = threads.submit(service.stop)
            Http(proxy.url).get("/_update/held")
            assert [each.result(60) for each in [first, *others]] == [200] * 6
            assert stopped.result(60) == 0
    assert any(isinstance(each, list) for each in writes(recorded))
