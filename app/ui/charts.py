"""The geometry of charts: numbers as coordinates of SVG, in a box that is stretched to the room that there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final

WIDTH: Final = 1000.0
HEIGHT: Final = 100.0

# What is not zero can be seen, and hit with a mouse.
_LEAST_HEIGHT: Final = 2.0
_BAR_SHARE: Final = 0.8
_STEPS: Final = (2, 4, 6, 8, 10)
_UNITS: Final = tuple(
    timedelta(**unit) for unit in ({"days": 1}, {"hours": 1}, {"minutes": 1}, {"seconds": 1})
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: `name` says of what, `y` is its upper edge."""

    name: str
    value: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What is stacked at one place; `x` is its left edge. Zeros have no segment."""

    x: float
    width: float
    segments: Sequence[Segment]


def bars(rows: Sequence[Mapping[str, int]], top: int) -> list[Bar]:
    """A bar for each row, whose values are stacked in their order from below. `top` is the value at the upper edge."""
    room = WIDTH / len(rows) if rows else WIDTH
    return [
        Bar(_rounded(room * (number + (1 - _BAR_SHARE) / 2)), _rounded(room * _BAR_SHARE), _stacked(row, top))
        for number, row in enumerate(rows)
    ]


def line(values: Sequence[float | None], top: float) -> str:
    """The path that leads through the middles of as many bars, with a gap at each None.

    A value between two gaps is a line as wide as its bar.
    """
    room = WIDTH / len(values) if values else WIDTH
    parts = []
    for is_known, group in groupby(enumerate(values), lambda each: each[1] is not None):
        run = [(number, value) for number, value in group if value is not None]
        if not is_known:
            continue
        points = [(room * (number + 0.5), HEIGHT - _height(value, top)) for number, value in run]
        if len(points) == 1:
            [(x, y)] = points
            half = room * _BAR_SHARE / 2
            points = [(x - half, y), (x + half, y)]
        parts.append("M" + "L".join(f"{_rounded(x):g} {_rounded(y):g}" for x, y in points))
    return "".join(parts)


def top_count(largest: int) -> int:
    """The even number at the upper edge of an axis that reaches `largest`."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= largest:
                return step * power
        power *= 10


def top_duration(largest: timedelta) -> timedelta:
    """The same for durations, in the largest unit of which `largest` is more than one."""
    unit = next((each for each in _UNITS if largest > each), timedelta(milliseconds=1))
    longest = timedelta.max // unit
    return unit * min(top_count(math.ceil(largest / unit)), longest)


def _stacked(row: Mapping[str, int], top: int) -> list[Segment]:
    heights = {name: max(_height(value, top), _LEAST_HEIGHT) for name, value in row.items() if value > 0}
    if heights:
        # What small values were given in addition, the largest one gives.
        tallest = max(heights, key=lambda name: heights[name])
        heights[tallest] -= max(0.0, sum(heights.values()) - HEIGHT)
    segments = []
    y = HEIGHT
    for name, height in heights.items():
        y -= height
        segments.append(Segment(name, row[name], _rounded(y), _rounded(height)))
    return segments


def _height(value: float, top: float) -> float:
    return min(max(value / top, 0.0), 1.0) * HEIGHT if top > 0 else 0.0


def _rounded(number: float) -> float:
    return round(number, 2)
