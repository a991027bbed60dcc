"""Time values as Elasticsearch reads them; its error messages are compared with it in `tests/api`."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.time_values import InvalidTimeValue, parse, to_text


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta(0)),
        ("000", timedelta(0)),
        ("0s", timedelta(0)),
        ("-0s", timedelta(0)),
        ("999nanos", timedelta(0)),
        ("1000nanos", timedelta(microseconds=1)),
        ("5micros", timedelta(microseconds=5)),
        ("7ms", timedelta(milliseconds=7)),
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("30D", timedelta(days=30)),
        (" +010 s ", timedelta(seconds=10)),
        ("9223372036854775807d", timedelta.max),
    ],
)
def test_time_value_is_read(text: str, duration: timedelta) -> None:
    assert parse("x", text) == duration


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "10", "s", "10w", "10M", "10m ", "1.5h", "1e3s", "-1s", "-2s", "-1", "9223372036854775808ms", "1_0s", "1s1s"],
)  # fmt: skip
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeValue):
        parse("x", text)


def test_range_is_part_of_the_rule() -> None:
    bounds = {"minimum": timedelta(seconds=1), "maximum": timedelta(minutes=1)}
    assert parse("x", "60s", **bounds) == timedelta(minutes=1)
    with pytest.raises(
        InvalidTimeValue, match=r"failed to parse value \[0\] for setting \[x\], must be >= \[1s\]"
    ):
        parse("x", "0", **bounds)
    with pytest.raises(
        InvalidTimeValue, match=r"failed to parse value \[61s\] for setting \[x\], must be <= \[1m\]"
    ):
        parse("x", "61s", **bounds)


@pytest.mark.parametrize(
    "text", ["0s", "1micros", "1500ms", "90s", "1m", "90m", "1h", "36h", "1d", "30d", "1000000001micros"]
)
def test_duration_is_written_in_its_largest_unit(text: str) -> None:
    assert to_text(parse("x", text)) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=100_000)))
def test_duration_is_read_as_it_was_written(duration: timedelta) -> None:
    assert parse("x", to_text(duration)) == duration


@given(st.text() | st.from_regex(r"[+-]?[0-9.e ]{0,25}(nanos|micros|ms|s|m|h|d|M) ?"))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(InvalidTimeValue):
        assert parse("x", text) >= timedelta(0)
