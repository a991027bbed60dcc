"""No request body and no stored document causes a 5xx response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.connectors.schemas import configuration, filtering, properties, scheduling, syncing
from app.wire.schema import RequestBody, schema_instance
from tests.bodies import bodies, nearly
from tests.connectors.test_configuration import FULL
from tests.connectors.test_filtering import FILTERING_STATE, SNIPPET, VALID, rule
from tests.connectors.test_updates import FINE
from tests.documents import ID
from tests.endpoints import PIPELINE, ROOT, SCHEDULE

BODIES: dict[str, type[RequestBody]] = {
    "": properties.PutBody,
    "_api_key_id": properties.ApiKeyIdBody,
    "_configuration": configuration.ConfigurationBody,
    "_error": properties.ErrorBody,
    "_features": syncing.FeaturesBody,
    "_filtering": filtering.FilteringBody,
    "_filtering/_validation": filtering.FilteringValidationBody,
    "_index_name": properties.IndexNameBody,
    "_last_sync": syncing.LastSyncBody,
    "_name": properties.NameBody,
    "_native": properties.NativeBody,
    "_pipeline": syncing.PipelineBody,
    "_scheduling": scheduling.SchedulingBody,
    "_service_type": properties.ServiceTypeBody,
    "_status": properties.StatusBody,
}
# Bodies that are almost valid get furthest.
GOOD: dict[str, Any] = {
    "configuration": {"k": FULL},
    "values": {"k": 1, "a": {"b": 2}},
    "features": {"incremental_sync": {"enabled": True}, "sync_rules": {"basic": {"enabled": True}}},
    "filtering": {"active": FILTERING_STATE, "draft": FILTERING_STATE},
    "rules": rule("a", 1),
    "advanced_snippet": SNIPPET,
    "validation": VALID,
    "pipeline": PIPELINE,
    "scheduling": {"full": SCHEDULE},
    "is_native": False,
    "index_name": "search-x",
    "sync_cursor": {"a": 1},
    **dict.fromkeys(("last_deleted_document_count", "last_indexed_document_count"), 7),
    "status": "error",
    **dict.fromkeys(("last_seen", "last_synced", "last_sync_scheduled_at"), "2024-01-01"),
    **dict.fromkeys(("last_sync_status", "last_access_control_sync_status"), "error"),
}
CRON = st.text(alphabet="0123456789*/-,?#LWJANMOFRI \t\n", max_size=30) | st.builds(
    "{}{} 0 0 * * ?".format,
    st.sampled_from(["", "*/", "1/", "1-"]),
    st.sampled_from([2, 11, 5000]).map("9".__mul__),
)
KEYS = {key for value in GOOD.values() if isinstance(value, dict) for key in value}


def test_table_of_bodies_is_complete() -> None:
    declared = {
        each
        for module in (properties, configuration, syncing, filtering, scheduling)
        for each in vars(module).values()
        if getattr(each, "__module__", "") == module.__name__ and each.__name__.endswith("Body")
    }
    assert declared == set(BODIES.values())


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ROOT), *(("PUT", f"{ROOT}/{ID}/{path}".rstrip("/")) for path in BODIES)]
)
def test_body_causes_no_5xx_and_a_refused_one_writes_nothing(http, writes, method, path) -> None:
    names = list(
        schema_instance(
            BODIES[path.removeprefix(f"{ROOT}/{ID}").lstrip("/") if method == "PUT" else ""]
        ).fields
    )
    fields = {name: nearly(GOOD.get(name, "x")) for name in names}
    if "scheduling" in fields:
        schedule = st.fixed_dictionaries({"enabled": st.booleans(), "interval": CRON})
        fields["scheduling"] |= st.fixed_dictionaries({"full": schedule})
    near = st.fixed_dictionaries(
        fields if len(fields) == 1 else {}, optional=fields if len(fields) > 1 else None
    )
    assert http.put(f"{ROOT}/{ID}", json={}).status_code == 201
    items = {"configuration": {"k": FULL, "a": FULL}}
    assert http.put(f"{ROOT}/{ID}/_configuration", json=items).status_code == 200

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies(near, [*names, *KEYS]))
    def check(body: bytes) -> None:
        before = writes()
        response = http.request(method, path, data=body, headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 201, 400), response.text
        if response.status_code == 400:
            assert response.json()["error"]["reason"]
            assert writes() == before
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
def test_stored_document_causes_no_5xx(http, elasticsearch, document) -> None:
    elasticsearch.index(index=".elastic-connectors", id=ID, document=document)
    for path, body in FINE:
        response = http.put(f"{ROOT}/{ID}/{path}", json=body)
        assert response.status_code in (200, 400), (path, response.text)
    response = http.put(f"{ROOT}/{ID}", json={"index_name": "x", "is_native": False})
    assert response.status_code in (200, 400), response.text
    assert http.get(ROOT).status_code == 200
    assert http.delete(f"{ROOT}/{ID}").status_code == 200


def test_deep_and_large_values_cause_no_5xx(http) -> None:
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
                response = http.put(f"{ROOT}/{ID}/{path}", json=sent)
                assert response.status_code in (200, 400), response.text
