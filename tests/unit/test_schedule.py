"""Slots of cron expressions: decided by hand, and compared with a search minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.connectors.cron import CronError, violation
from app.connectors.schedule import next_time
from tests.cron_expressions import some_expression, some_time

DAYS = [
    # A day of the month
    ("31 * ?", "2026-01-31", ["2026-03-31", "2026-05-31", "2026-07-31"]),
    ("29 2 ?", "2026-01-01", ["2028-02-29", "2032-02-29", "2036-02-29"]),
    ("29 2 ?", "2096-02-29", ["2104-02-29"]),
    ("L * ?", "2028-01-01", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
    ("L-3 * ?", "2026-01-01", ["2026-01-28", "2026-02-25", "2026-03-28"]),
    ("L-30 * ?", "2026-01-02", ["2026-03-01", "2026-05-01"]),
    ("25-5/3 * ?", "2026-01-20", ["2026-01-25", "2026-01-28", "2026-01-31", "2026-02-03", "2026-02-25"]),
    ("1 NOV-FEB ?", "2026-02-01", ["2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]),
    # The nearest weekday: from Saturday to Friday, from Sunday to Monday, but in the same month
    ("15W * ?", "2026-07-31", ["2026-08-14", "2026-09-15", "2026-10-15", "2026-11-16"]),
    ("1W 8 ?", "2026-01-01", ["2026-08-03"]),
    ("1W 11 ?", "2026-01-01", ["2026-11-02"]),
    ("31W 1,5 ?", "2026-01-01", ["2026-01-30", "2026-05-29"]),
    ("31W * ?", "2026-01-31", ["2026-03-31", "2026-05-29", "2026-07-31"]),
    ("29W 2 ?", "2026-01-01", ["2028-02-29", "2032-02-27"]),
    ("LW * ?", "2026-01-01", ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30", "2026-05-29"]),
    ("L-3W 1-3 ?", "2026-01-01", ["2026-01-28", "2026-02-25", "2026-03-27"]),
    ("L-30W * ?", "2026-01-02", ["2026-03-02", "2026-05-01", "2026-07-01", "2026-08-03"]),
    ("1,15W 8 ?", "2026-08-01", ["2026-08-14", "2027-08-01", "2027-08-16"]),
    # A day of the week
    ("? * FRI-MON", "2026-01-01", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-09"]),
    ("? * L", "2026-01-01", ["2026-01-03", "2026-01-10"]),
    ("? * 1L", "2026-01-01", ["2026-01-25", "2026-02-22", "2026-03-29"]),
    ("? * FRIL", "2026-01-01", ["2026-01-30", "2026-02-27"]),
    ("? * 6#3", "2026-01-01", ["2026-01-16", "2026-02-20"]),
    ("? * 5#5", "2026-01-01", ["2026-01-29", "2026-04-30", "2026-07-30"]),
    ("? 2 MON#5", "2026-01-01", ["2044-02-29", "2072-02-29"]),
    ("? * MON#1,FRI", "2026-01-01", ["2026-01-02", "2026-01-05", "2026-01-09", "2026-01-16"]),
    ("? * 0#2", "2026-01-01", ["2026-01-10"]),
    ("? * */2", "2026-01-01", ["2026-01-03", "2026-01-04", "2026-01-06"]),
    ("? * MON-FRI/2", "2026-01-01", ["2026-01-02", "2026-01-05", "2026-01-06"]),
    # Years
    ("1 1 ? 2028-2032/2,2029", "2026-01-01", ["2028-01-01", "2029-01-01", "2030-01-01", "2032-01-01", None]),
    ("1 1 ? */25", "2026-01-01", ["2045-01-01", "2070-01-01"]),
    ("1 1 ? 2027/3", "2026-01-01", ["2027-01-01", "2030-01-01"]),
    ("29 2 ? 2025/1", "2026-01-01", ["2028-02-29", "2032-02-29"]),
    ("1 1 ? 2126", "2026-12-31", ["2126-01-01", None]),
    ("31 12 ?", "9998-12-30", ["9998-12-31", "9999-12-31", None]),
    ("1 1 ? 2027 whatever", "2026-01-01", ["2027-01-01", None]),
]
TIMES = [
    (
        "0 0/20 22-2 * * ?",
        "2026-01-01T00:59:59",
        ["01:00", "01:20", "01:40", "02:00", "02:20", "02:40", "22:00"],
    ),
    ("0 50-10/7 0 * * ?", "2026-01-01T00:00:00", ["00:04", "00:50", "00:57", "00:04"]),
    ("0 /25 12 * * ?", "2026-01-01T00:00:00", ["12:00", "12:25", "12:50", "12:00"]),
    ("0 1,,2x 3 * * ?", "2026-01-01T00:00:00", ["03:01", "03:02", "03:01"]),
    ("0 0/99 3 * * ?", "2026-01-01T00:00:00", ["03:00", "03:00"]),
    ("0 5-9/0 3 * * ?", "2026-01-01T00:00:00", ["03:05", "03:05"]),
    ("0 */0 23 * * ?", "2026-01-01T23:58:00", ["23:59", "23:00"]),
    # Seconds are ignored, whatever they are.
    ("30 5 * * * ?", "2026-01-01T00:04:59", ["00:05", "01:05"]),
    ("*/10 5 * * * ?", "2026-01-01T00:05:00", ["01:05"]),
    ("L,, 5 * * * ?", "2026-01-01T00:05:10", ["01:05"]),
]
NEVER = [
    "0 0 0 31 2 ?",
    "0 0 0 30 FEB ? 2025/1",
    "0 0 0 29 2 ? 2025/2",
    "0 0 0 0W * ?",
    "0 0 0 L-29 2 ?",
    "0 0 0 ? * 8#2",
    "0 0 0 ? * ,",
    "0 L * * * ?",
    "0 * , * * ?",
    "0 0 0 1 L ?",
    "0 0 0 * * ? L",
    "0 0 0 * * ? \n",
    "0 0 0 * * ? 1970-2025",
    "0 0 0 * * ? 2200/0",
    "0 0 0 31 2 ? 0-2147483647",
    "0 0 0 31 2 ? 0/2147483647",
    # As long as an expression may be
    "0 0 0 31 2 ? " + ",".join(f"0/{step}" for step in range(100_000, 107_000)),
    "0 0 0 ? 2 * " + ",".join([f"{year}-{year + 9}" for year in range(1000, 2000)] * 6),
    "0 " + ",".join([f"{first}-{last}" for first in range(60) for last in range(60)] * 3) + " * 31 2 ?",
    "0 0 0 " + ",".join(f"{day % 31}W" for day in range(16_000)) + " * ? 2000",
]


def slots(expression: str, after: datetime, count: int) -> list[datetime | None]:
    found: list[datetime | None] = []
    while len(found) < count:
        slot = next_time(expression, after)
        found.append(slot)
        if slot is None:
            break
        after = slot
    return found


@pytest.mark.parametrize(("rest", "after", "expected"), DAYS)
def test_days(rest, after, expected) -> None:
    found = slots(f"0 0 0 {rest}", datetime.fromisoformat(f"{after}T00:00:00+00:00"), len(expected))
    assert [slot and str(slot) for slot in found] == [day and f"{day} 00:00:00+00:00" for day in expected]


@pytest.mark.parametrize(("expression", "after", "expected"), TIMES)
def test_times_of_the_day(expression, after, expected) -> None:
    found = slots(expression, datetime.fromisoformat(f"{after}+00:00"), len(expected))
    assert [slot and slot.strftime("%H:%M") for slot in found] == expected


@pytest.mark.parametrize("expression", NEVER, ids=lambda text: text[:20])
def test_expression_without_a_slot_is_never_due(expression) -> None:
    assert violation(expression) is None
    assert next_time(expression, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_slots_are_in_utc_whatever_the_time_zone_of_the_time() -> None:
    after = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert str(next_time("0 0 0 * * ?", after)) == "2026-01-01 00:00:00+00:00"


def test_invalid_expression_raises_its_error() -> None:
    with pytest.raises(CronError, match="Hour values must be between 0 and 23"):
        next_time("0 0 24 * * ?", datetime(2026, 1, 1, tzinfo=UTC))


@given(st.randoms())
def test_next_slot_is_the_first_minute_that_matches(random) -> None:
    expression, after = some_expression(random), some_time(random)
    expected, found = expression.first_after(after, days=500), next_time(expression.text, after)
    if expected is None:
        assert found is None or found > after + timedelta(499)
    else:
        assert found == expected
        assert found.tzinfo is UTC


@given(st.randoms(), st.floats(0, 0.99))
def test_slot_is_the_next_of_any_time_since_the_one_before(random, part) -> None:
    expression, after = some_expression(random).text, some_time(random)
    for slot in filter(None, slots(expression, after, 5)):
        assert slot > after
        assert next_time(expression, after + part * (slot - after)) == slot
        after = slot


FIELD = st.text(alphabet="0123456789*,-/?LW#", min_size=1, max_size=5) | st.sampled_from(["*", "?", "5"])


@given(st.lists(FIELD, min_size=5, max_size=8), st.datetimes(timezones=st.just(UTC)))
def test_every_accepted_text_has_a_next_slot_or_none(fields, after) -> None:
    text = " ".join(fields)
    if violation(text) is not None:
        with pytest.raises(CronError):
            next_time(text, after)
    else:
        slot = next_time(text, after)
        assert slot is None or (slot > after and slot.second == slot.microsecond == 0)
