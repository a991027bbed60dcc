"""The scripts of claim-next: the lock of a connector, and the claim of a job under it, against every state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app import clock
from app.compatibility import DOCUMENTED
from app.protocol import SyncKind, SyncStatus
from app.store import Store
from app.store.bulk import Change, Version
from app.store.index_definitions import CONNECTORS
from app.store.scripts import Outcome, Script, Verdict
from app.sync_jobs import claiming, locks, updates
from app.sync_jobs.queries import CLAIM_FIELDS
from app.sync_jobs.states import TRANSITIONS, WAITING
from tests.scripts.conftest import JOB

CONNECTOR = "connector"
TAKEOVER = 60_000
SYNCED = "2024-01-01T00:00:00.000001Z"
STATUSES: list[Any] = [None, *SyncStatus, "resting", "IN_PROGRESS", 7, ["in_progress"]]

Send = Callable[..., Outcome]


@pytest.fixture
def put_connector(store: Store, elasticsearch: Elasticsearch) -> Callable[[Mapping[str, Any]], None]:
    def put(document: Mapping[str, Any]) -> None:
        elasticsearch.index(index=CONNECTORS.alias, id=CONNECTOR, document=document)

    return put


@pytest.fixture
def stored_connector(elasticsearch: Elasticsearch) -> Callable[[], dict[str, Any]]:
    return lambda: dict(elasticsearch.get(index=CONNECTORS.alias, id=CONNECTOR)["_source"])


def sender(client: Elasticsearch, index: str, document_id: str) -> Send:
    """Sends a script as the store does, with an explicit `is_retry`."""

    def send(script: Script, params: Mapping[str, Any], *, is_retry: bool = False) -> Outcome:
        response = client.update(
            index=index,
            id=document_id,
            script={"source": script.source, "params": {**params, "is_retry": is_retry}},
            source_includes=["verdict", "sync_locks", "sync_cursor"],
        )
        return script.outcome(response["result"], response["get"].get("_source"))

    return send


@pytest.fixture
def to_connector(store: Store, elasticsearch: Elasticsearch) -> Send:
    return sender(elasticsearch, CONNECTORS.alias, CONNECTOR)


@pytest.fixture
def to_job(store: Store, elasticsearch: Elasticsearch) -> Send:
    return sender(elasticsearch, ".elastic-connectors-sync-jobs", JOB)


def now() -> int:
    return int(time.time() * 1000)


def note(**changes: Any) -> dict[str, Any]:
    """What this claim noted when it locked the connector, a moment ago."""
    mine = {"job": JOB, "token": "mine", "at": now(), "synced": SYNCED, "former": "completed"}
    return {key: value for key, value in (mine | changes).items() if value is not ...}


# Each with whether it is a note of a claim that holds, whose, and whether its time is over.
NOTES: dict[str, tuple[Callable[[], Any], str]] = {
    "none": (lambda: None, "a worker's"),
    "mine": (note, "mine"),
    "mine, for another job": (lambda: note(job="other"), "another's"),
    "mine, long ago": (lambda: note(at=now() - TAKEOVER - 5000), "mine, over"),
    "another claim's": (lambda: note(token="other"), "another's"),
    "another claim's for another job": (lambda: note(token="other", job="other"), "another's"),
    "another claim's, long ago": (lambda: note(token="other", at=now() - TAKEOVER - 5000), "over"),
    "another claim's, just not over": (lambda: note(token="other", at=now() - TAKEOVER + 5000), "another's"),
    "handed to a job that runs": (lambda: note(token=None, job="other"), "another's"),
    # A worker may have ended a job of the other kind by a direct write.
    "mine, another last sync since": (lambda: note(synced="2024-01-01T00:00:00Z"), "mine"),
    "mine, the first last sync since": (lambda: note(synced=None), "mine"),
    "mine, long ago, another last sync since": (lambda: note(at=0, synced=None), "mine"),
    "without a time": (lambda: note(at=...), "a worker's"),
    "time as a text": (lambda: note(at="1"), "a worker's"),
    "a text": (lambda: "mine", "a worker's"),
    "a list": (lambda: [note()], "a worker's"),
}
EACH_KIND = pytest.mark.parametrize("kind", SyncKind)
EACH_NOTE = pytest.mark.parametrize(("made", "whose"), NOTES.values(), ids=NOTES.keys())
RETRIED = pytest.mark.parametrize("is_retry", [False, True], ids=["first", "retry"])


def params(kind: SyncKind, **more: Any) -> dict[str, Any]:
    return {"job_id": JOB, "kind": kind, "status_field": kind.status_field, "token": "mine", **more}


def other_kind(kind: SyncKind) -> SyncKind:
    return next(each for each in SyncKind if each is not kind)


def connector(kind: SyncKind, status: Any, mine: Any, **more: Any) -> dict[str, Any]:
    """A connector that a claim locked for the other kind, too."""
    other = other_kind(kind)
    return {
        kind.status_field: status,
        other.status_field: "in_progress",
        "last_synced": SYNCED,
        "sync_locks": {other: note(job="of the other kind")} | ({} if mine is None else {kind: mine}),
        "sync_cursor": {"a": 1},
        "kept": [1, {"a": None}],
        **more,
    }


# --- lock_connector ---


@RETRIED
@EACH_NOTE
@EACH_KIND
def test_locked_connector_is_locked_by_nobody_else_until_a_takeover(
    put_connector, stored_connector, to_connector, kind, made, whose, is_retry
) -> None:
    before = connector(kind, "in_progress", made())
    put_connector(before)
    outcome = to_connector(locks.LOCK, params(kind, takeover=TAKEOVER), is_retry=is_retry)
    if is_retry and whose.startswith("mine"):
        assert outcome.verdict is Verdict.DONE
        assert outcome.details == {"sync_locks": before["sync_locks"], "sync_cursor": {"a": 1}}
    elif whose.endswith("over"):
        assert outcome.verdict is Verdict.UPDATED
        taken = stored_connector()
        lock = taken["sync_locks"].pop(kind)
        assert now() - TAKEOVER < lock.pop("at") <= now() + 5000
        # What it was before the first of them.
        assert lock == {"job": JOB, "token": "mine", "synced": SYNCED, "former": "completed"}
        del before["sync_locks"][kind]
        assert taken == before
        return
    else:
        assert outcome.verdict is Verdict.HELD
    assert stored_connector() == before


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "in_progress"], ids=str)
@pytest.mark.parametrize("synced", [SYNCED, None, ["2024-01-01"], 1704067200000], ids=str)
@EACH_KIND
def test_connector_that_is_not_locked_is_locked(
    put_connector, stored_connector, to_connector, kind, status, synced
) -> None:
    """Whatever is noted there."""
    for is_retry, (made, _) in product((False, True), NOTES.values()):
        before = connector(kind, status, made(), last_synced=synced)
        put_connector(before)
        outcome = to_connector(locks.LOCK, params(kind, takeover=TAKEOVER), is_retry=is_retry)
        assert outcome.verdict is Verdict.UPDATED
        locked = stored_connector()
        assert outcome.details == {each: locked[each] for each in ("sync_locks", "sync_cursor")}
        lock = locked["sync_locks"].pop(kind)
        assert isinstance(lock.pop("at"), int)
        assert lock == {"job": JOB, "token": "mine", "synced": synced, "former": status}
        before["sync_locks"].pop(kind, None)
        assert locked == before | {kind.status_field: "in_progress"}


@pytest.mark.parametrize("shape", [None, [], "content", 7, [{"content": {}}]], ids=str)
@EACH_KIND
def test_locks_of_another_shape_are_replaced(
    put_connector, stored_connector, to_connector, kind, shape
) -> None:
    put_connector({"sync_locks": shape})
    assert to_connector(locks.LOCK, params(kind, takeover=TAKEOVER)).verdict is Verdict.UPDATED
    assert stored_connector()["sync_locks"].keys() == {kind}
    put_connector({"sync_locks": shape, kind.status_field: "in_progress"})
    assert to_connector(locks.LOCK, params(kind, takeover=TAKEOVER)).verdict is Verdict.HELD


@RETRIED
@pytest.mark.parametrize("deleted", [True, "true"])
@EACH_KIND
def test_deleted_connector_is_not_locked(
    put_connector, stored_connector, to_connector, kind, deleted, is_retry
) -> None:
    for status, mine in (("completed", None), ("in_progress", note()), ("in_progress", note(at=0))):
        before = connector(kind, status, mine, deleted=deleted)
        put_connector(before)
        outcome = to_connector(locks.LOCK, params(kind, takeover=TAKEOVER), is_retry=is_retry)
        assert outcome.verdict is Verdict.MISSING
        assert stored_connector() == before


# --- unlock_connector ---


@RETRIED
@pytest.mark.parametrize("running", [None, "j0"])
@EACH_NOTE
@EACH_KIND
def test_lock_is_given_back_by_the_claim_that_holds_it(
    put_connector, stored_connector, to_connector, kind, made, whose, running, is_retry
) -> None:
    """Or handed to the job that runs. However old it is, if nobody has taken it over."""
    before = connector(kind, "in_progress", made())
    put_connector(before)
    outcome = to_connector(locks.UNLOCK, params(kind, running=running), is_retry=is_retry)
    if not whose.startswith("mine"):
        assert outcome.verdict is (Verdict.DONE if is_retry else Verdict.UNCHANGED)
        assert stored_connector() == before
        return
    assert outcome.verdict is Verdict.UPDATED
    after = stored_connector()
    if running is None:
        del before["sync_locks"][kind]
        assert after == before | {kind.status_field: "completed"}
    else:
        before["sync_locks"][kind] |= {"job": "j0", "token": None}
        assert after == before


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "in_progress"], ids=str)
@EACH_KIND
def test_connector_that_is_not_locked_is_not_unlocked(
    put_connector, stored_connector, to_connector, kind, status
) -> None:
    for is_retry, (made, _) in product((False, True), NOTES.values()):
        before = connector(kind, status, made())
        put_connector(before)
        outcome = to_connector(locks.UNLOCK, params(kind, running=None), is_retry=is_retry)
        assert outcome.verdict is (Verdict.DONE if is_retry else Verdict.UNCHANGED)
        assert stored_connector() == before


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "in_progress"], ids=str)
@EACH_KIND
def test_lock_and_unlock_leave_the_connector_as_it_was(
    put_connector, stored_connector, to_connector, kind, status
) -> None:
    """Except that a status of null is absent then. The retry of either changes nothing more."""
    for before in ({"kept": 1, kind.status_field: status}, {"kept": 1}, connector(kind, status, None)):
        put_connector(before)
        assert to_connector(locks.LOCK, params(kind, takeover=TAKEOVER)).verdict is Verdict.UPDATED
        locked = stored_connector()
        retry = to_connector(locks.LOCK, params(kind, takeover=TAKEOVER), is_retry=True)
        assert (retry.verdict, stored_connector()) == (Verdict.DONE, locked)
        assert to_connector(locks.UNLOCK, params(kind, running=None)).verdict is Verdict.UPDATED
        after = stored_connector()
        assert after == {key: value for key, value in before.items() if value is not None}
        retry = to_connector(locks.UNLOCK, params(kind, running=None), is_retry=True)
        assert (retry.verdict, stored_connector()) == (Verdict.DONE, after)


# --- free_connector ---


@pytest.mark.parametrize("synced", [SYNCED, None, ["2024-01-01"]], ids=str)
@EACH_KIND
def test_end_of_one_kind_carries_the_lock_of_the_other(
    put_connector, stored_connector, to_connector, kind, synced
) -> None:
    """The connector's last sync is new; what was noted before an earlier one stays history."""
    other = other_kind(kind)
    result = {"last_synced": "2024-01-02T00:00:00Z", kind.status_field: "completed"}
    for noted, expected in ((synced, result["last_synced"]), ("2023-01-01", "2023-01-01")):
        locked = note(synced=noted)
        before = connector(kind, "in_progress", note(synced=synced), last_synced=synced)
        before["sync_locks"] |= {other: locked, "odd": 1}
        put_connector(before)
        assert (
            to_connector(locks.FREE, params(kind, result=result, repeated=False, ended_at=None)).verdict
            is Verdict.UPDATED
        )
        assert stored_connector()["sync_locks"] == {other: locked | {"synced": expected}, "odd": 1}


# --- claim, under a lock ---


def claim_params(**changes: Any) -> dict[str, Any]:
    return updates.claim_params("worker-1", None, 60, compatibility=DOCUMENTED) | {"token": "mine"} | changes


@RETRIED
@pytest.mark.parametrize("start", TRANSITIONS)
def test_claim_is_refused_once_its_lock_may_be_anothers(put_job, stored_job, to_job, start, is_retry) -> None:
    before = {"status": start, "worker_hostname": "worker-0", "kept": 1}
    for expires_at in (0, now() - 5000):
        put_job(before)
        outcome = to_job(updates.CLAIM, claim_params(expires_at=expires_at), is_retry=is_retry)
        assert outcome.verdict is (Verdict.LEASE_EXPIRED if start in WAITING else Verdict.REFUSED)
        assert stored_job() == before
    outcome = to_job(updates.CLAIM, claim_params(expires_at=now() + TAKEOVER), is_retry=is_retry)
    assert outcome.verdict is (Verdict.UPDATED if start in WAITING else Verdict.REFUSED)


def test_claim_stores_its_token_and_one_by_id_removes_it(put_job, stored_job, to_job) -> None:
    for token in ("mine", None):
        for former in ({}, {"claim_token": "old"}, {"claim_token": None}):
            put_job({"status": "pending"} | former)
            assert to_job(updates.CLAIM, claim_params(token=token)).verdict is Verdict.UPDATED
            assert stored_job().get("claim_token", "absent") == (token or "absent")


@pytest.mark.parametrize("start", WAITING)
def test_claim_of_a_written_job_is_overtaken_also_where_it_wrote_it_itself(
    store, elasticsearch, put_job, stored_job, start
) -> None:
    """The token says which of both it was."""
    put_job({"status": start})
    found = elasticsearch.get(index=".elastic-connectors-sync-jobs", id=JOB)
    version = Version(found["_seq_no"], found["_primary_term"])
    for expected in (Verdict.UPDATED, Verdict.OVERTAKEN):
        [outcome] = store.sync_jobs.transition_all(
            [Change(JOB, updates.CLAIM, claim_params(), version=version)]
        )
        assert isinstance(outcome, Outcome)
        assert outcome.verdict is expected
    assert stored_job()["claim_token"] == "mine"


# --- give_back ---


NOW = clock.now()
CLAIMED = {
    "status": "in_progress",
    "worker_hostname": "worker-1",
    "started_at": "2024-01-01T00:00:00Z",
    "claimed_at": NOW,
    "last_seen": NOW,
    "claim_token": "mine",
    "kept": 1,
}
FORMER: dict[str, dict[str, Any]] = {
    "pending": {"status": "pending"},
    "with nulls": {"status": "pending", "worker_hostname": None, "started_at": None},
    "suspended": {**CLAIMED, "status": "suspended", "claim_token": "old", "last_seen": ["2024-01-01"]},
}


def give_back(**changes: Any) -> dict[str, Any]:
    former = {key: value for key, value in FORMER["pending"].items() if key in CLAIM_FIELDS}
    return {"token": "mine", "former": former, "fields": CLAIM_FIELDS, "expires_at": None, **changes}


@RETRIED
@pytest.mark.parametrize("former", FORMER.values(), ids=FORMER.keys())
def test_claimed_job_becomes_what_it_was(put_job, stored_job, to_job, former, is_retry) -> None:
    """A retry changes nothing more."""
    fields = {key: value for key, value in former.items() if key in CLAIM_FIELDS}
    put_job(CLAIMED)
    for expires_at in (None, now() + TAKEOVER):
        put_job(CLAIMED)
        sent = give_back(former=fields, expires_at=expires_at)
        assert to_job(claiming.GIVE_BACK, sent, is_retry=is_retry).verdict is Verdict.UPDATED
        assert stored_job() == {"kept": 1, **fields}
        assert to_job(claiming.GIVE_BACK, sent, is_retry=True).verdict is Verdict.DONE
        assert to_job(claiming.GIVE_BACK, sent, is_retry=False).verdict is Verdict.UNCHANGED
        assert stored_job() == {"kept": 1, **fields}


@RETRIED
@pytest.mark.parametrize("status", STATUSES, ids=str)
def test_job_is_given_back_while_it_runs_untouched(put_job, stored_job, to_job, status, is_retry) -> None:
    before = CLAIMED | {"status": status}
    put_job(before)
    outcome = to_job(claiming.GIVE_BACK, give_back(), is_retry=is_retry)
    if status == "in_progress":
        assert outcome.verdict is Verdict.UPDATED
    else:
        assert outcome.verdict is Verdict.OVERTAKEN
        assert stored_job() == before


@RETRIED
@pytest.mark.parametrize(
    ("changes", "params", "verdict"),
    [
        ({"last_seen": "2024-01-02T00:00:00Z"}, {}, Verdict.OVERTAKEN),
        ({"last_seen": None}, {}, Verdict.OVERTAKEN),
        ({}, {"expires_at": 0}, Verdict.LEASE_EXPIRED),
        ({"claim_token": "other"}, {}, None),
        ({"claim_token": None}, {}, None),
        ({"claim_token": "other"}, {"expires_at": 0}, None),
    ],
)
def test_job_that_is_somebody_elses_by_now_is_not_given_back(
    put_job, stored_job, to_job, changes, params, verdict, is_retry
) -> None:
    """Of a retry, one with another token was given back before."""
    before = CLAIMED | changes
    put_job(before)
    outcome = to_job(claiming.GIVE_BACK, give_back(**params), is_retry=is_retry)
    assert outcome.verdict is (verdict or (Verdict.DONE if is_retry else Verdict.UNCHANGED))
    assert stored_job() == before
