"""No request body causes a 5xx response."""

from __future__ import annotations

from elasticsearch import Elasticsearch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.test_bad_bodies import EVERYWHERE, TAKERS, Taker, write_all
from tests.bodies import VALUES, bodies
from tests.service import Http

NAMES = sorted({name for taker in TAKERS for name in taker.kinds})


def bodies_for(taker: Taker) -> st.SearchStrategy[bytes]:
    """Any body, mostly such that it passes the first checks."""
    declared = st.fixed_dictionaries({}, optional=dict.fromkeys(taker.kinds, VALUES))
    return bodies(declared.map(lambda fields: taker.good | fields) | declared, NAMES)


@EVERYWHERE
def test_no_body_causes_a_5xx(http: Http, elasticsearch: Elasticsearch, taker: Taker) -> None:
    @settings(max_examples=50, deadline=None)
    @given(bodies_for(taker))
    def each(body: bytes) -> None:
        response = taker.send(http, body)
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert response.json()["error"]
        else:
            write_all(elasticsearch)

    write_all(elasticsearch)
    each()
