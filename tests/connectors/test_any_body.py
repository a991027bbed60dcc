"""Whatever the body, and whatever other programs left in the document: no answer is a 5xx."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.conftest import ID, ROOT
from tests.connectors.test_configuration import FULL
from tests.connectors.test_filtering import HALF, SNIPPET, VALID, rule
from tests.connectors.test_updates import FINE, PIPELINE, SCHEDULE

FIELDS = {
    "": ["description", "index_name", "is_native", "language", "name", "service_type"],
    "_api_key_id": ["api_key_id", "api_key_secret_id"],
    "_configuration": ["configuration", "values"],
    "_error": ["error"],
    "_features": ["features"],
    "_filtering": ["filtering", "rules", "advanced_snippet"],
    "_filtering/_validation": ["validation"],
    "_index_name": ["index_name"],
    "_last_sync": [
        "last_seen",
        "last_sync_error",
        "last_sync_status",
        "sync_cursor",
        "last_indexed_document_count",
    ],
    "_name": ["name", "description"],
    "_native": ["is_native"],
    "_pipeline": ["pipeline"],
    "_scheduling": ["scheduling"],
    "_service_type": ["service_type"],
    "_status": ["status"],
}
# What is nearly right gets furthest.
NESTED = {
    "configuration": FULL,
    "features": {"incremental_sync": {"enabled": True}, "sync_rules": {"basic": {"enabled": True}}},
    "filtering": {"active": HALF, "draft": HALF},
    "rules": rule("a", 1),
    "advanced_snippet": SNIPPET,
    "validation": VALID,
    "pipeline": PIPELINE,
    "scheduling": {"full": SCHEDULE},
}
WORDS = sorted({key for value in NESTED.values() for key in value} | {"a", "k", "", ".", "a.b", "a..b", " "})
TEXTS = st.one_of(
    st.sampled_from(["valid", "created", "error", "0 0 0 * * ?", "2024-01-01", "content-x", "true", "str"]),
    st.text(max_size=12),
    st.just("x" * 40_000),
    st.text(alphabet="\x00\ud7ff\ue000\U0010ffff\\*?\"' ", max_size=6),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False)
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=4))
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)


@st.composite
def nearly(draw, value):
    """`value` with some of its parts replaced by others."""
    if draw(st.integers(0, 6)) == 0:
        return draw(JSON)
    if isinstance(value, dict):
        return {key: draw(nearly(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [draw(nearly(inner)) for inner in value]
    return value


@st.composite
def bodies(draw, path):
    body = {}
    for field in FIELDS[path]:
        if draw(st.booleans()):
            nested = NESTED.get(field)
            if field == "configuration":
                nested = {"k": nested}
            body[field] = draw(nearly(nested) if nested is not None else JSON)
    if draw(st.integers(0, 9)) == 0:
        body[draw(KEYS)] = draw(JSON)
    return body


FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", FIELDS)
def test_no_body_is_a_5xx(http, path) -> None:
    http.put(f"{ROOT}/{ID}", json={})
    http.put(f"{ROOT}/{ID}/_configuration", json={"configuration": {"k": FULL, "a": FULL}})

    @FEW
    @given(bodies(path))
    def check(body) -> None:
        answer = http.put(f"{ROOT}/{ID}/{path}".rstrip("/"), json=body)
        assert answer.status_code in (200, 201, 400), answer.text
        assert http.get(f"{ROOT}/{ID}").status_code == 200

    check()


OBJECTS = ("configuration", "features", "filtering", "scheduling", "pipeline", "sync_cursor")


@pytest.mark.parametrize(
    "document",
    [
        *(dict.fromkeys(OBJECTS, odd) for odd in ({}, {"any": 1}, [], [{}], None)),
        {
            "status": 7,
            "name": 1,
            "error": [],
            "index_name": ["a", "b"],
            "is_native": "true",
            "service_type": 2,
        },
        {"status": None, "last_seen": None, "is_native": None, "deleted": None, "index_name": 5},
        {"index_name_attaching": {"token": [], "at": "now", "before": 3}, "index_name": "old"},
        {"filtering": [{"active": [], "draft": {"validation": {"state": "valid"}}}]},
        {"filtering": [{"active": {}, "draft": {"validation": []}}]},
    ],
    ids=str,
)
def test_no_stored_document_is_a_5xx(http, elasticsearch, document) -> None:
    elasticsearch.index(index=".elastic-connectors", id=ID, document=document)
    for path, body in FINE:
        answer = http.put(f"{ROOT}/{ID}/{path}", json=body)
        assert answer.status_code in (200, 400), (path, answer.text)
    answer = http.put(f"{ROOT}/{ID}", json={"index_name": "x", "is_native": False})
    assert answer.status_code in (200, 400), answer.text
    assert http.get(ROOT).status_code == 200
    assert http.delete(f"{ROOT}/{ID}").status_code == 200


def test_deep_and_large_values(http) -> None:
    deep: object = 1
    for _ in range(700):
        deep = {"a": deep}
    http.put(f"{ROOT}/{ID}", json={})
    http.put(f"{ROOT}/{ID}/_configuration", json={"configuration": {"a": {"label": "A"}}})
    for body in (deep, 2**200, [1e308, -(2**63)], "x" * 300_000, {f"k{n}": n for n in range(2000)}):
        for path, sent in (
            ("_configuration", {"values": {"a": body}}),
            ("_filtering", {"advanced_snippet": {"value": [body]}}),
            ("_last_sync", {"sync_cursor": {"a": body}}),
        ):
            for _ in range(2):
                answer = http.put(f"{ROOT}/{ID}/{path}", json=sent)
                assert answer.status_code in (200, 400), answer.text
