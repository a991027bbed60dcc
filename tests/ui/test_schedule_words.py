"""Schedules in words: what a reader takes them to mean is what the expression means, or there are no words."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.connectors.cron import CronError, parse
from app.connectors.month_days import Month
from app.ui.schedule_words import in_words
from tests.cron_expressions import MONTHS, WEEKDAYS, some_expression
from tests.ui.english_schedules import read

# A leap year and the next one day by day, and some days of many more.
DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(2 * 365 + 1)]
DAYS += [date(1985, 1, 1) + timedelta(days=61 * number) for number in range(400)]

EXAMPLES = 500

WORDS = [
    ("0 0 * * * ?", "Every hour, UTC"),
    ("30 0 0/2 * * ?", "Every 2 hours, UTC"),  # the seconds do not count
    ("0 0/30 * * * ?", "Every 30 minutes, UTC"),
    ("0 5/15 9-17 * * ?", "Every 15 minutes, starting at 5 minutes past the hour, between 09:00 and 17:59, UTC"),
    ("0 30 3 * * ?", "At 03:30, UTC"),
    ("0 0 0 * * ?", "At 00:00, UTC"),
    ("0 0 9,18 ? * MON-FRI", "At 09:00 and 18:00, Monday through Friday, UTC"),
    ("0 15 10 ? * 6L 2027-2028", "At 10:15, on the last Friday of the month, 2027 through 2028, UTC"),
    ("0 15 10 ? * FRI#3", "At 10:15, on the third Friday of the month, UTC"),
    ("0 0 12 1/1 * ?", None),
    ("0 0 0 L * ?", "At 00:00, on the last day of the month, UTC"),
    ("0 0 0 15w jan ?", "At 00:00, on the weekday nearest day 15 of the month, only in January, UTC"),
]  # fmt: skip
MISLEADING = [
    ("0 0 0 1W,L * ?", "refused by Elasticsearch, and the library loses the L"),
    ("0 0 0 1W,5 * ?", "the library loses the 5"),
    ("0 0 0 ? * L", "the library fails"),
    ("0 0 0 31W * ?", "a month without day 31 has a weekday near its end all the same"),
    ("0 0 0 ? * FRI-MON", "the range goes round"),
    ("0 0 22-2 * * ?", "the range goes round"),
    ("0 */45 * * * ?", "at 0 and 45 minutes, which is not every 45 minutes"),
    ("0 0 0/5 * * ?", "as above"),
    ("0 0 0 */2 * ?", "the 31st and the 1st follow each other"),
    ("0 50/10 * * * ?", "at 50 minutes only"),
    ("0 0,30 9,10 * * ?", "the hours of a list are written as if all were full hours"),
    ("0 */15 9,12 * * ?", "as above"),
    ("0 5X * * * ?", "what follows an item is ignored"),
    ("0 0 0 ? * MON#1,FRI", "the library knows no lists here"),
    ("0 0 0 ? * 0#2", "weekday 0 is Saturday"),
    ("0 0 0 1 1 ? 2027 whatever", "there are more than seven fields"),
    ("0 0 0 1 1 ? 2027/3", "the step goes on for ever"),
]
NO_SCHEDULES: list[Any] = ["", "never", "0 0 0 * *", "0 0 0 * * *", "0 0 25 * * ?", None, 5, ["0 0 0 * * ?"], {"a": 1}, True, "٥ * * * * ?", "0 " * 5_000]  # fmt: skip


@pytest.mark.parametrize(("expression", "words"), WORDS, ids=[expression for expression, _ in WORDS])
def test_common_schedules_have_words(expression: str, words: str | None) -> None:
    assert in_words(expression) == words


@pytest.mark.parametrize(
    ("expression", "reason"), MISLEADING, ids=[expression for expression, _ in MISLEADING]
)
def test_what_the_library_would_describe_wrongly_has_no_words(expression: str, reason: str) -> None:
    assert in_words(expression) is None, reason


@pytest.mark.parametrize("value", NO_SCHEDULES, ids=lambda value: repr(value)[:20])
def test_what_is_no_schedule_has_no_words(value: Any) -> None:
    assert in_words(value) is None


@st.composite
def _field(
    draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = (), special: tuple[str, ...] = ()
) -> str:
    numbers = st.integers(low, high).map(
        lambda value: names[value - low] if names and draw(st.booleans()) else str(value)
    )
    item = st.one_of(numbers, st.tuples(numbers, numbers).map("-".join))
    steps = st.tuples(
        st.sampled_from(["*", "", str(low), str(draw(st.integers(low, high)))]), st.integers(1, high)
    )
    return draw(
        st.one_of(
            st.just("*"),
            numbers,
            item,
            st.lists(item, min_size=2, max_size=4).map(",".join),
            steps.map(lambda step: f"{step[0]}/{step[1]}"),
            *([st.sampled_from(special)] if special else []),
        )
    )


_DAY_SPECIALS = ("L", "LW", "1W", "15W", "28W", "31W", "L-1", "L-3", "L-3W", "3,15W")
_WEEKDAY_SPECIALS = ("L", "6L", "FRIL", "2#1", "SAT#5", "1#3", "MON#2,FRI")


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions such as people write, and their neighbours."""
    days, weekdays = (
        (draw(_field(1, 31, special=_DAY_SPECIALS)), "?")
        if draw(st.booleans())
        else ("?", draw(_field(1, 7, tuple(WEEKDAYS), _WEEKDAY_SPECIALS)))
    )
    months = draw(st.one_of(st.just("*"), _field(1, 12, tuple(MONTHS))))
    years = draw(st.sampled_from(["", "", " *", " 2026", " 2025-2027", " 2025,2030", " 2024/2"]))
    return f"0 {draw(_field(0, 59))} {draw(_field(0, 23))} {days} {months} {weekdays}{years}"


@settings(max_examples=EXAMPLES, deadline=None)
@given(expressions())
def test_words_mean_what_the_expression_means(expression: str) -> None:
    words = in_words(expression)
    if words is None:
        return
    try:
        cron = parse(expression)
    except CronError:
        pytest.fail("an invalid expression has words")
    meaning = read(words)
    assert meaning.times == {(hour, minute) for hour in cron.hours for minute in cron.minutes}, words
    for day in DAYS:
        shape = Month(*monthrange(day.year, day.month))
        is_meant = (
            day.month in cron.months
            and any(day.year in each for each in cron.years)
            and any(day.day in each.days(shape) for each in cron.days)
        )
        assert meaning.days(day) == is_meant, (words, day)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False))
def test_odd_expressions_have_no_words_that_mean_something_else(random: Any) -> None:
    expression = some_expression(random)
    words = in_words(expression.text)
    if words is not None:
        meaning = read(words)
        assert meaning.times == {(h, m) for h in expression.hours for m in expression.minutes}, words
        assert all(meaning.days(day) == expression.days(day) for day in DAYS), words
