"""The geometry of the page's charts."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from app.ui.charts import HEIGHT, WIDTH, bars, line, top_count, top_duration
from tests.cases import named

HUGE = 10**18


def test_no_rows_make_no_bars() -> None:
    assert bars([], 2) == []


def test_one_row_takes_the_middle() -> None:
    [bar] = bars([{"completed": 1}], 2)
    assert bar.x + bar.width / 2 == WIDTH / 2
    [segment] = bar.segments
    assert (segment.name, segment.value, segment.y, segment.height) == ("completed", 1, 50, 50)


def test_bars_stand_side_by_side_within_the_chart() -> None:
    found = bars([{"completed": 1}] * 49, 2)
    assert found[0].x >= 0
    assert found[-1].x + found[-1].width <= WIDTH
    assert all(left.x + left.width < right.x for left, right in pairwise(found))


def test_values_are_stacked_in_their_order_from_below() -> None:
    [bar] = bars([{"completed": 5, "canceled": 0, "error": 3}], 10)
    assert [(each.name, each.y, each.height) for each in bar.segments] == [
        ("completed", 50, 50),
        ("error", 20, 30),
    ]


def test_zeros_have_no_segments() -> None:
    assert [bar.segments for bar in bars([{"completed": 0}, {"error": 0}], 2)] == [[], []]
    assert bars([{"completed": 0}], 0)[0].segments == []


@pytest.mark.parametrize(
    "row",
    [
        {"completed": HUGE, "canceled": 1, "error": 1},
        {"completed": 1, "canceled": 1, "error": HUGE},
        {"completed": HUGE, "canceled": HUGE, "error": HUGE},
    ],
)
def test_what_is_not_zero_can_be_seen_beside_huge_values(row: dict[str, int]) -> None:
    [bar] = bars([row], sum(row.values()))
    assert len(bar.segments) == 3
    assert all(each.height >= 1.9 for each in bar.segments)
    assert all(0 <= each.y <= HEIGHT for each in bar.segments)
    edges = [(each.y + each.height, each.y) for each in bar.segments]
    assert edges[0][0] == HEIGHT
    assert all(upper == pytest.approx(lower, abs=0.02) for (_, upper), (lower, _) in pairwise(edges))


def points(path: str) -> list[tuple[str, float, float]]:
    """The commands of a path; fails on anything else in it."""
    command = r"([ML])([\d.e+-]+) ([\d.e+-]+)"
    assert re.fullmatch(f"({command})*", path)
    return [(name, float(x), float(y)) for name, x, y in re.findall(command, path)]


LINES: list[tuple[str, list[float | None], float, list[Any]]] = [
    ("no values", [], 2, []),
    ("nothing known", [None, None], 2, []),
    ("no top", [0.0], 0, [("M", 100, 100), ("L", 900, 100)]),
    ("one value", [1.0], 2, [("M", 100, 50), ("L", 900, 50)]),
    ("zeros", [0.0, 0.0], 2, [("M", 250, 100), ("L", 750, 100)]),
    (
        "a gap",
        [2.0, None, 1.0, 0.0],
        2,
        [("M", 25, 0), ("L", 225, 0), ("M", 625, 50), ("L", 875, 100)],
    ),
    ("beyond the edges", [-1.0, 9.0], 2, [("M", 250, 100), ("L", 750, 0)]),
    ("huge", [1e300, 5e299], 1e300, [("M", 250, 0), ("L", 750, 50)]),
]


@pytest.mark.parametrize(("values", "top", "expected"), named(LINES))
def test_line(values: list[float | None], top: float, expected: list[Any]) -> None:
    assert points(line(values, top)) == expected


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (7, 8), (9, 10), (10, 10), (11, 20), (61, 80), (99, 100), (101, 200), (HUGE, HUGE)],
)  # fmt: skip
def test_axis_of_counts_ends_at_an_even_number(largest: int, expected: int) -> None:
    assert top_count(largest) == expected
    assert expected % 2 == 0


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (timedelta(0), timedelta(milliseconds=2)),
        (timedelta(milliseconds=3), timedelta(milliseconds=4)),
        (timedelta(seconds=1), timedelta(seconds=1)),
        (timedelta(seconds=50), timedelta(seconds=60)),
        (timedelta(seconds=61), timedelta(minutes=2)),
        (timedelta(minutes=27), timedelta(minutes=40)),
        (timedelta(hours=5), timedelta(hours=6)),
        (timedelta(days=300), timedelta(days=400)),
    ],
)
def test_axis_of_durations_ends_at_a_round_one(largest: timedelta, expected: timedelta) -> None:
    assert top_duration(largest) == expected


def test_axis_of_the_longest_duration_there_is() -> None:
    found = top_duration(timedelta.max)
    assert found > timedelta.max / 2
    assert math.isfinite(found.total_seconds())
