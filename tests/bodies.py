"""Hypothesis strategies for request bodies of all kinds, valid and invalid."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

# Including lone surrogates.
CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=8)
TEXTS = (
    CHARACTERS
    | st.sampled_from(["full", "on_demand", "c1", "2024-01-01", "10", "1e400", "content-x", "valid", "error"])
    | st.sampled_from(["true", "str", "created", "0 0 0 * * ?", "x" * 40_000])
    | st.text(alphabet="\x00\ud7ff\ue000\U0010ffff\\*?\"' ", max_size=6)
)
# Including NaN and infinities, which are not JSON, but which json.dumps writes.
NUMBERS = st.integers() | st.integers(-(2**70), 2**70) | st.just(10**400) | st.floats()


def nested(depth: int, keys: bool) -> Any:
    value: Any = 10**30
    for _ in range(depth):
        value = {"a": value} if keys else [value]
    return value


# Large, long or deep values: beyond the limits of an index, of a library or of this service.
ODD = st.sampled_from(
    [
        *("x" * 40_000, "\u20ac" * 40_000, "\ud800" * 500, "1" * 5_000, "1." * 3_000, "1e" + "9" * 400),
        *(10**999, 10**1000, -(2**63), 2**63, 2**64 + 5, 1e308, 5e-324, -0.0, "+999999999-12-31T23:59:59Z"),
        *(
            {"a" * 40_000: 1},
            {".": {"..": 1}},
            {f"k{number}": number for number in range(2_000)},
            [[]] * 5_000,
        ),
        *(nested(depth, keys) for depth in (300, 790, 799, 801, 999) for keys in (True, False)),
    ]
)
VALUES: st.SearchStrategy[Any] = ODD | st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner, max_size=3),
    max_leaves=8,
)


def bodies(near: st.SearchStrategy[Any], names: Iterable[str]) -> st.SearchStrategy[bytes]:
    """Mostly `near`; also any JSON with some of these names as keys, any JSON, and any bytes."""
    strange = st.dictionaries(st.sampled_from(sorted({*names, "", "zzz", "a..b"})), VALUES, max_size=4)
    as_json = (near | near | near | near | strange | VALUES).map(lambda value: json.dumps(value).encode())
    cut = st.tuples(as_json, st.integers(0, 40)).map(lambda pair: pair[0][: pair[1]])
    return as_json | as_json | as_json | cut | st.binary(max_size=40)


@st.composite
def nearly(draw: st.DrawFn, value: Any) -> Any:
    """`value` with some of its parts replaced by random ones."""
    if draw(st.integers(0, 6)) == 0:
        return draw(VALUES)
    if isinstance(value, Mapping):
        return {key: draw(nearly(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [draw(nearly(inner)) for inner in value]
    if isinstance(value, str):
        return draw(st.just(value) | TEXTS)
    return value
