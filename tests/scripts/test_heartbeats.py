"""`last_seen` never moves backwards and never past now, in whatever notation it is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app import clock
from app.compatibility import DOCUMENTED
from app.errors import ApiError
from app.store.scripts import Outcome, Verdict
from app.sync_jobs import updates
from app.sync_jobs.endings import Report
from app.sync_jobs.states import FINISHED
from tests.scripts.conftest import ABSURDLY_EARLY, JOB

NOW = datetime.now(UTC).replace(microsecond=123456)
EARLIER, LATER, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(minutes=1), NOW + timedelta(days=1)


def check_in(store, now=NOW) -> Outcome:
    return store.sync_jobs.transition(JOB, updates.CHECK_IN, {"finished": FINISHED, "now": clock.iso(now)})


def stats(store, last_seen, counters=None, metadata=None, now=NOW) -> Outcome:
    return store.sync_jobs.transition(
        JOB,
        updates.STATS,
        {
            "finished": FINISHED,
            "now": clock.iso(now),
            "last_seen": clock.iso(last_seen or now),
            "last_seen_stated": last_seen is not None,
            "counters": counters or {},
            "metadata": metadata,
        },
    )


def notations(timestamp: datetime) -> list:
    """One timestamp in each notation that programs write."""
    milliseconds = int(timestamp.timestamp() * 1000)
    return [
        clock.iso(timestamp),
        timestamp.isoformat(),
        timestamp.astimezone(tz=None).isoformat(),
        timestamp.replace(tzinfo=None).isoformat(),
        (timestamp + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00",
        str(milliseconds),
        milliseconds,
    ]


def form(value: object) -> str:
    """A test id that is the same in every run."""
    return type(value).__name__


@pytest.mark.parametrize("stored_value", [*notations(EARLIER), "2024-01-01", *ABSURDLY_EARLY, None], ids=form)
def test_earlier_last_seen_moves_forward(store, put_job, stored_job, stored_value) -> None:
    put_job({"status": "in_progress", "last_seen": stored_value})
    assert check_in(store).verdict is Verdict.UPDATED
    assert stored_job()["last_seen"] == clock.iso(NOW)


@pytest.mark.parametrize("stored_value", notations(NOW), ids=form)
def test_newer_last_seen_stays(store, put_job, stored_job, stored_value) -> None:
    """Another heartbeat, sent after this one, arrived first: nothing is written."""
    put_job({"status": "in_progress", "last_seen": stored_value})
    outcome = check_in(store, now=EARLIER)
    assert outcome.verdict is Verdict.DONE
    assert stored_job()["last_seen"] == stored_value


@pytest.mark.parametrize("stored_value", [*notations(FUTURE), 2**63 - 1, str(2**63 - 1)], ids=form)
def test_future_last_seen_is_overwritten(store, put_job, stored_job, stored_value) -> None:
    put_job({"status": "in_progress", "last_seen": stored_value})
    check_in(store)
    assert stored_job()["last_seen"] == clock.iso(NOW)


@pytest.mark.parametrize("unreadable", [["2024-01-01T00:00:00Z"], "2024-01-01T10", []], ids=str)
def test_unreadable_last_seen_is_overwritten(store, put_job, stored_job, unreadable) -> None:
    put_job({"status": "in_progress", "last_seen": unreadable})
    check_in(store)
    assert stored_job()["last_seen"] == clock.iso(NOW)


def test_stats_store_the_timestamp_that_was_sent(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress", "last_seen": "2024-01-01T00:00:00+00:00"})
    stats(store, EARLIER)
    assert stored_job()["last_seen"] == clock.iso(EARLIER)


def test_stats_never_store_a_future_timestamp(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress"})
    stats(store, FUTURE)
    assert stored_job()["last_seen"] == clock.iso(NOW)


def test_stats_that_state_an_earlier_timestamp_store_it(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress", "last_seen": clock.iso(NOW)})
    assert stats(store, EARLIER).verdict is Verdict.UPDATED
    assert stored_job()["last_seen"] == clock.iso(EARLIER)


def test_stats_without_a_timestamp_never_move_last_seen_backwards(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress", "last_seen": clock.iso(NOW)})
    assert stats(store, None, {"indexed_document_count": 3}, now=EARLIER).verdict is Verdict.UPDATED
    assert stored_job() == {"status": "in_progress", "last_seen": clock.iso(NOW), "indexed_document_count": 3}


def test_stats_sent_twice_change_nothing_the_second_time(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress"})
    sent = (EARLIER, {"indexed_document_count": 3, "total_document_count": 0}, {"a": {"b": [1]}})
    assert stats(store, *sent).verdict is Verdict.UPDATED
    outcome = stats(store, *sent)
    assert outcome.verdict is Verdict.UNCHANGED


def test_metadata_is_merged_key_by_key(store, put_job, stored_job) -> None:
    put_job({"status": "in_progress", "metadata": {"a": {"x": 1, "y": [1, 2]}, "kept": None}})
    stats(store, None, metadata={"a": {"y": [3], "z": {}}, "big": 2**70, "a.b": 1})
    assert stored_job()["metadata"] == {
        "a": {"x": 1, "y": [3], "z": {}},
        "kept": None,
        "big": 2**70,
        "a.b": 1,
    }


BIG = 18446744073709551621  # 5 in its last 64 bits


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (5, BIG),
        (BIG, 5),
        (BIG, BIG + 2**64),
        (1.0, 1),
        (1, 1.0),
        (0.0, -0.0),
        (5, 5.0),
        (1, True),
        (1, "1"),
        (None, 0),
    ],
)
def test_metadata_value_of_another_type_or_beyond_64_bits_is_a_change(
    store, put_job, stored_job, old, new
) -> None:
    put_job(
        {"status": "in_progress", "last_seen": clock.iso(NOW), "metadata": {"a": {"b": old}, "list": [old]}}
    )
    assert stats(store, NOW, metadata={"a": {"b": new}}).verdict is Verdict.UPDATED
    assert repr(stored_job()["metadata"]["a"]) == repr({"b": new})
    assert stats(store, NOW, metadata={"list": [new]}).verdict is Verdict.UPDATED
    assert repr(stored_job()["metadata"]["list"]) == repr([new])
    assert stats(store, NOW, metadata={"a": {"b": new}, "list": [new]}).verdict is Verdict.UNCHANGED


def test_unchanged_stats_are_a_noop_only_with_last_seen(store, put_job, stored_job, monkeypatch) -> None:
    """A report without `last_seen` is a heartbeat, even if one of a service whose clock is ahead arrived first."""
    before = {"status": "in_progress", "last_seen": clock.iso(NOW), "indexed_document_count": 3}
    put_job(before)
    monkeypatch.setattr(clock, "now", lambda: clock.iso(EARLIER))
    send = partial(
        updates.report_stats, store, JOB, Report({"indexed_document_count": 3}), compatibility=DOCUMENTED
    )
    assert send(None) == "updated"
    assert stored_job() == before
    assert send(clock.iso(EARLIER)) == "updated"
    assert send(clock.iso(EARLIER)) == "noop"


@pytest.mark.parametrize("key", ["", "a..b", ".", " "])
def test_metadata_keys_that_elasticsearch_refuses_change_nothing(store, put_job, stored_job, key) -> None:
    before = {"status": "in_progress", "connector": {"configuration": {"a": {"value": "secret"}}}}
    put_job(before)
    with pytest.raises(ApiError) as refused:
        stats(store, None, metadata={key: 1})
    assert refused.value.status == 400
    assert "secret" not in str(refused.value)
    assert refused.value.cause.caused_by is None
    assert stored_job() == before


@pytest.mark.parametrize(
    "document", [{}, {"metadata": None}, {"metadata": []}], ids=["absent", "null", "list"]
)
def test_stored_metadata_that_is_no_object_is_replaced_by_one(store, put_job, stored_job, document) -> None:
    put_job({"status": "in_progress"} | document)
    stats(store, None, metadata={"a": 1})
    assert stored_job()["metadata"] == {"a": 1}
