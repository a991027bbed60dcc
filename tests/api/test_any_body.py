"""Whatever a body is, it is no error of the server's."""

from __future__ import annotations

import json
from typing import Any

from elasticsearch import Elasticsearch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.test_bad_bodies import EVERYWHERE, TAKERS, Taker, write_all
from tests.service import Http

NAMES = sorted({name for taker in TAKERS for name in taker.kinds} | {"", "zzz", "a..b"})
CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | CHARACTERS
    | st.sampled_from(["full", "on_demand", "c1", "2024-01-01", "10", "1e400", "content-x"])
)


def nested(depth: int, keys: bool) -> Any:
    value: Any = 10**30
    for _ in range(depth):
        value = {"a": value} if keys else [value]
    return value


# What is large, long or deep: beyond an index's limits, a library's, or this service's own.
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
VALUES = ODD | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner, max_size=3),
    max_leaves=8,
)


def bodies(taker: Taker) -> st.SearchStrategy[bytes]:
    """Any JSON, more often such that it gets past the first checks; and any bytes."""
    declared = st.fixed_dictionaries({}, optional=dict.fromkeys(taker.kinds, VALUES))
    near = declared.map(lambda fields: taker.good | fields)
    any_json = (near | declared | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4) | VALUES).map(
        lambda value: json.dumps(value).encode()
    )
    return any_json | st.binary(max_size=40)


@EVERYWHERE
def test_no_body_is_ever_an_error_of_the_server(
    http: Http, elasticsearch: Elasticsearch, taker: Taker
) -> None:
    @settings(max_examples=50, deadline=None)
    @given(bodies(taker))
    def each(body: bytes) -> None:
        answer = taker.send(http, body)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"]
        else:
            write_all(elasticsearch)

    write_all(elasticsearch)
    each()
