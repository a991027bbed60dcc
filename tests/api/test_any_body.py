"""Whatever a body is, it is no error of the server's."""

from __future__ import annotations

import json

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
VALUES = st.recursive(
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
