"""`POST /_connector/_sync_job`: creates a pending job with a snapshot of the connector."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from app.store.index_definitions import CONNECTORS, SYNC_JOBS
from tests.cases import named
from tests.documents import SECRET, Stored, a_connector
from tests.endpoints import JOBS
from tests.responses import OWN_ID, envelope, error_body, illegal, invalid, is_now, not_found, unreadable
from tests.service import Http

PARSER = "connector_sync_job_post_request"
WHEN = "2024-05-06T07:08:09.123456Z"
RULE = {
    "created_at": WHEN,
    "field": "_",
    "id": "DEFAULT",
    "order": 0,
    "policy": "include",
    "rule": "regex",
    "updated_at": WHEN,
    "value": ".*",
}


def filtering_state(value: Any, state: str = "valid") -> dict[str, Any]:
    """A filtering state, as `active` or `draft` of a filtering entry."""
    return {
        "advanced_snippet": {"created_at": WHEN, "updated_at": WHEN, "value": value},
        "rules": [RULE],
        "validation": {"errors": [{"ids": ["DEFAULT"], "messages": ["m"]}], "state": state},
    }


PIPELINE = {
    "extract_binary_content": True,
    "name": "search-default-ingestion",
    "reduce_whitespace": False,
    "run_ml_inference": True,
}
ITEM = {"label": "Host", "required": True, "sensitive": False, "default_value": "localhost", "value": "h"}
FULL_CONNECTOR = {
    "api_key_id": "k",
    "api_key_secret_id": "s",
    "configuration": {"host": ITEM, "password": ITEM | {"sensitive": True, "value": SECRET}},
    "custom_scheduling": {},
    "deleted": False,
    "description": "d",
    "error": None,
    "features": {"sync_rules": {"basic": {"enabled": True}}},
    "filtering": [
        {
            "active": filtering_state([{"query": {}}]),
            "domain": "DEFAULT",
            "draft": filtering_state({}, "edited"),
        },
        {"active": filtering_state({"second": 1}), "domain": "OTHER", "draft": filtering_state({})},
    ],
    "index_name": "search-x",
    "is_native": False,
    "language": "de",
    "last_seen": WHEN,
    "last_sync_status": "in_progress",
    "name": "n",
    "pipeline": PIPELINE,
    "scheduling": {"full": {"enabled": False, "interval": "0 0 0 * * ?"}},
    "service_type": "mysql",
    "status": "error",
    "sync_cursor": {"a": 1},
    "sync_now": True,
    "unknown_to_the_service": 1,
}


def created(http: Http, jobs: Stored, connector: str = "c1", **body: Any) -> dict[str, Any]:
    """Create a job; returns its document."""
    response = http.post(JOBS, json={"id": connector, **body})
    assert response.status_code == 201, response.text
    return jobs.source(response.json()["id"])


def test_response_has_a_generated_id_and_no_location(http: Http, connectors: Stored) -> None:
    connectors.put("c1", a_connector())
    response = http.post(JOBS, json={"id": "c1"})
    assert response.status_code == 201
    assert response.json().keys() == {"id"}
    assert OWN_ID.fullmatch(response.json()["id"])
    assert "Location" not in response.headers


def test_new_document_has_exactly_the_documented_fields(http: Http, connectors: Stored, jobs: Stored) -> None:
    connectors.put("c1", FULL_CONNECTOR)
    before = connectors.version("c1")
    since = datetime.now(UTC)
    document = created(http, jobs)
    assert is_now(document["created_at"], since)
    assert document == {
        "connector": {
            "configuration": FULL_CONNECTOR["configuration"],
            "filtering": filtering_state([{"query": {}}]),
            "id": "c1",
            "index_name": "search-x",
            "language": "de",
            "pipeline": PIPELINE,
            "service_type": "mysql",
        },
        "created_at": document["created_at"],
        "deleted_document_count": 0,
        "indexed_document_count": 0,
        "indexed_document_volume": 0,
        "job_type": "full",
        "last_seen": document["created_at"],
        "metadata": {},
        "status": "pending",
        "total_document_count": 0,
        "trigger_method": "on_demand",
    }
    assert connectors.version("c1") == before


def test_new_job_is_in_get_and_list_at_once(http: Http, connectors: Stored, jobs: Stored) -> None:
    connectors.put("c1", FULL_CONNECTOR)
    job_id = http.post(JOBS, json={"id": "c1"}).json()["id"]
    shown = {"id": job_id, **jobs.source(job_id)}
    assert http.get(f"{JOBS}/{job_id}").json() == shown
    assert http.get(JOBS).json() == {"count": 1, "results": [shown]}


def test_snapshot_does_not_follow_later_changes_of_the_connector(
    http: Http, connectors: Stored, jobs: Stored
) -> None:
    connectors.put("c1", a_connector(language="de"))
    job_id = http.post(JOBS, json={"id": "c1"}).json()["id"]
    connectors.put("c1", a_connector(language="fr"))
    assert jobs.source(job_id)["connector"]["language"] == "de"
    assert created(http, jobs)["connector"]["language"] == "fr"


def test_decision_20_create_sent_twice_by_a_client_makes_two_jobs(
    http: Http, connectors: Stored, jobs: Stored
) -> None:
    """A connector may have several pending jobs."""
    connectors.put("c1", a_connector())
    made = {http.post(JOBS, json={"id": "c1"}).json()["id"] for _ in range(3)}
    assert jobs.ids() == made
    assert len(made) == 3


@pytest.mark.parametrize("sent", ["full", "incremental", "access_control", "FULL", "Access_Control"])
def test_job_type_is_case_insensitive(http: Http, connectors: Stored, jobs: Stored, sent: str) -> None:
    connectors.put("c1", a_connector())
    assert created(http, jobs, job_type=sent)["job_type"] == sent.lower()


@pytest.mark.parametrize("sent", ["on_demand", "scheduled", "SCHEDULED", "On_Demand"])
def test_trigger_method_is_case_insensitive(http: Http, connectors: Stored, jobs: Stored, sent: str) -> None:
    connectors.put("c1", a_connector())
    assert created(http, jobs, trigger_method=sent)["trigger_method"] == sent.lower()


@pytest.mark.parametrize(
    ("job_type", "index_name"),
    [("full", "search-x"), ("incremental", "search-x"), ("access_control", ".search-acl-filter-search-x")],
)
def test_access_control_job_has_its_own_index(
    http: Http, connectors: Stored, jobs: Stored, job_type: str, index_name: str
) -> None:
    connectors.put("c1", a_connector())
    assert created(http, jobs, job_type=job_type)["connector"]["index_name"] == index_name


BARE = {"id": "c1", "index_name": "search-x", "service_type": "mysql"}


@pytest.mark.parametrize(
    ("field", "lack"),
    [
        *(
            (field, lack)
            for field in ("configuration", "language", "pipeline")
            for lack in ({}, {field: None})
        ),
        *((field, {field: []}) for field in ("configuration", "pipeline")),
    ],
    ids=str,
)
def test_snapshot_omits_fields_that_the_connector_lacks(
    http: Http, connectors: Stored, jobs: Stored, field: str, lack: dict[str, Any]
) -> None:
    """An empty list is no object: Elasticsearch's index has nothing then, and some programs write it for an empty object."""
    connectors.put("c1", {"index_name": "search-x", "service_type": "mysql", **lack})
    snapshot = created(http, jobs)["connector"]
    assert field not in snapshot
    assert snapshot.items() >= BARE.items()


@pytest.mark.parametrize(
    "stored",
    [
        {},
        *(
            {"filtering": value}
            for value in (None, [], [None], [{}], [{"active": None}], [{"active": []}], {"active": None})
        ),
    ],
    ids=str,
)
def test_decision_22_job_of_a_connector_without_filtering_has_the_default_filtering(
    http: Http, connectors: Stored, jobs: Stored, stored: dict[str, Any]
) -> None:
    connectors.put("c1", a_connector(**stored))
    filtering = created(http, jobs)["connector"]["filtering"]
    assert [rule["id"] for rule in filtering["rules"]] == ["DEFAULT"]
    assert filtering["advanced_snippet"]["value"] == {}
    assert filtering["validation"] == {"errors": [], "state": "valid"}


@pytest.mark.parametrize(
    "filtering",
    [
        [{"active": filtering_state({}), "domain": "DEFAULT", "draft": filtering_state({"draft": 1})}],
        {"active": filtering_state({}), "domain": "DEFAULT", "draft": filtering_state({"draft": 1})},
        [
            {
                "active": filtering_state({}) | {"unknown": 1},
                "domain": "DEFAULT",
                "draft": filtering_state({"draft": 1}),
                "unknown": 1,
            }
        ],
    ],
    ids=["a list", "not in a list", "unknown keys"],
)
def test_snapshot_has_the_active_filtering_as_an_object(
    http: Http, connectors: Stored, jobs: Stored, filtering: object
) -> None:
    connectors.put("c1", a_connector(filtering=filtering))
    assert created(http, jobs)["connector"]["filtering"] == filtering_state({})


def test_snapshot_keeps_an_empty_configuration(http: Http, connectors: Stored, jobs: Stored) -> None:
    connectors.put("c1", a_connector(configuration={}))
    assert created(http, jobs)["connector"]["configuration"] == {}


NEVER_ABSENT = {"default_value": None, "label": "L", "required": False, "sensitive": False, "value": None}
OPTIONAL = {
    "category": "c",
    "depends_on": [{"field": "f", "value": True}],
    "display": "dropdown",
    "options": [{"label": "o", "value": "v"}],
    "order": 3,
    "placeholder": "p",
    "tooltip": "t",
    "type": "str",
    "ui_restrictions": ["advanced"],
    "validations": [{"type": "less_than", "constraint": 5}],
}
WHOLE = ITEM | OPTIONAL


@pytest.mark.parametrize(
    ("stored", "frozen"),
    named(
        [
            ("label only", {"label": "L"}, NEVER_ABSENT),
            ("complete item", WHOLE, WHOLE),
            ("unknown keys are dropped", WHOLE | {"unknown": 1, "name": "n"}, WHOLE),
            ("optional nulls are dropped", {"label": "L"} | dict.fromkeys(OPTIONAL), NEVER_ABSENT),
            ("flags that are null", {"label": "L", "required": None, "sensitive": None}, NEVER_ABSENT),
            ("nulls that are kept", {"label": "L", "value": None, "default_value": None}, NEVER_ABSENT),
            *(
                (f"a value {value!r}", {"label": "L", "value": value}, NEVER_ABSENT | {"value": value})
                for value in ("", "x", 0, 2**40, 1.5, True, False, {"a": [1]})
            ),
        ]
    ),
)
def test_snapshot_normalises_configuration_items(
    http: Http, connectors: Stored, jobs: Stored, stored: dict[str, Any], frozen: dict[str, Any]
) -> None:
    connectors.put("c1", a_connector(configuration={"a": stored, "b.c": stored}))
    assert created(http, jobs)["connector"]["configuration"] == {"a": frozen, "b.c": frozen}


def without(pipeline_key: str) -> dict[str, Any]:
    return {key: value for key, value in PIPELINE.items() if key != pipeline_key}


def test_snapshot_has_the_pipeline_without_unknown_keys(http: Http, connectors: Stored, jobs: Stored) -> None:
    connectors.put("c1", a_connector(pipeline=PIPELINE | {"unknown": 1}))
    assert created(http, jobs)["connector"]["pipeline"] == PIPELINE


@pytest.mark.parametrize(
    ("field", "value"),
    named(
        [
            ("a configuration that is a list", "configuration", [{"a": 1}]),
            ("filtering of lists", "filtering", [[{}]]),
            ("a pipeline that is a list", "pipeline", [{}]),
            ("an index name that is a number", "index_name", 5),
            ("an index name that is a list", "index_name", ["search-x"]),
            ("a service type that is a number", "service_type", 5),
        ]
    ),
)
def test_job_of_an_unreadable_connector_is_a_bad_request(
    http: Http, connectors: Stored, jobs: Stored, field: str, value: object
) -> None:
    connectors.put("c1", {"index_name": "", field: value})  # this error is reported before the missing fields
    for job_type in ("full", "access_control"):
        response = http.post(JOBS, json={"id": "c1", "job_type": job_type})
        assert response.status_code == 400
        assert error_body(response)["error"]["type"] == "x_content_parse_exception"
        assert f"failed to parse field [{field}]" in error_body(response)["error"]["reason"]
        assert (
            f"[{field}] of the stored connector is not "
            in error_body(response)["error"]["caused_by"]["reason"]
        )
        assert SECRET not in response.text
    assert jobs.ids() == set()


@pytest.mark.parametrize(
    ("stored", "carried"),
    named(
        [
            ("an item that is a text", {"configuration": {"a": "x"}}, {"configuration": {"a": "x"}}),
            ("an item that is null", {"configuration": {"a": None}}, {"configuration": {"a": None}}),
            (
                "an item without a label",
                {"configuration": {"a": {"value": 1}}},
                {
                    "configuration": {
                        "a": {"default_value": None, "required": False, "sensitive": False, "value": 1}
                    }
                },
            ),
            *(
                (
                    f"a value {value!r}",
                    {"configuration": {"a": {"label": "L", "type": "list", "value": value}}},
                    {"configuration": {"a": NEVER_ABSENT | {"type": "list", "value": value}}},
                )
                for value in ([], ["g/p"], [{"a": [1]}], [[]])
            ),
            (
                "unknown words",
                {"configuration": {"a": {"label": "L", "type": "date", "display": 5}}},
                {"configuration": {"a": NEVER_ABSENT | {"type": "date", "display": 5}}},
            ),
            ("a pipeline that is empty", {"pipeline": {}}, {"pipeline": {}}),
            *(
                (f"a pipeline without {key}", {"pipeline": without(key)}, {"pipeline": without(key)})
                for key in PIPELINE
            ),
            ("a language that is a number", {"language": 5}, {"language": 5}),
        ]
    ),
)
def test_decision_45_what_others_wrote_is_carried_into_the_job(
    http: Http, connectors: Stored, jobs: Stored, stored: dict[str, Any], carried: dict[str, Any]
) -> None:
    connectors.put("c1", a_connector(**stored))
    snapshot = created(http, jobs)["connector"]
    assert {key: snapshot[key] for key in carried} == carried


NO_INDEX = envelope(
    400,
    "status_exception",
    "Cannot start a sync for connector [c1] with no index attached. "
    "Set the [index_name] property for the connector to enable syncing data.",
)
NO_SERVICE_TYPE = envelope(
    400,
    "status_exception",
    "Cannot start a sync for connector [c1] with [service_type] not defined. "
    "Set the service type of your connector before starting the sync.",
)


@pytest.mark.parametrize("job_type", ["full", "incremental", "access_control"])
@pytest.mark.parametrize(
    "lack",
    [{}, {"index_name": None}, {"index_name": ""}, {"index_name": []}],
    ids=["absent", "null", "empty", "a list"],
)
def test_decision_17_job_of_any_type_without_an_index_is_refused(
    http: Http, connectors: Stored, jobs: Stored, job_type: str, lack: dict[str, Any]
) -> None:
    connectors.put("c1", {"service_type": "mysql", "configuration": {}, **lack})
    assert error_body(http.post(JOBS, json={"id": "c1", "job_type": job_type})) == NO_INDEX
    assert jobs.ids() == set()


@pytest.mark.parametrize(
    "lack",
    [{}, {"service_type": None}, {"service_type": ""}, {"service_type": []}],
    ids=["absent", "null", "empty", "a list"],
)
def test_job_without_a_service_type_is_refused(
    http: Http, connectors: Stored, jobs: Stored, lack: dict[str, Any]
) -> None:
    connectors.put("c1", {"index_name": "search-x", "configuration": {}, **lack})
    assert error_body(http.post(JOBS, json={"id": "c1"})) == NO_SERVICE_TYPE
    assert jobs.ids() == set()


def test_missing_index_is_reported_before_a_missing_service_type(http: Http, connectors: Stored) -> None:
    connectors.put("c1", {"configuration": {}})
    assert error_body(http.post(JOBS, json={"id": "c1"})) == NO_INDEX


@pytest.mark.parametrize("status", ["created", "needs_configuration", "error", "resting", None])
def test_job_can_be_created_in_any_status_of_the_connector(
    http: Http, connectors: Stored, jobs: Stored, status: str | None
) -> None:
    connectors.put("c1", a_connector(status=status))
    assert created(http, jobs)["status"] == "pending"


def test_job_of_a_missing_connector_is_not_found(http: Http, jobs: Stored) -> None:
    assert error_body(http.post(JOBS, json={"id": "c1"})) == not_found(
        "Connector with id 'c1' does not exist."
    )
    assert jobs.ids() == set()


@pytest.mark.parametrize("deleted", [True, "true"])
def test_decision_18_job_of_a_soft_deleted_connector_is_not_found(
    http: Http, connectors: Stored, jobs: Stored, deleted: object
) -> None:
    connectors.put("c1", deepcopy(FULL_CONNECTOR) | {"deleted": deleted})
    assert error_body(http.post(JOBS, json={"id": "c1"})) == not_found(
        "Connector with id 'c1' does not exist."
    )
    assert jobs.ids() == set()


def test_missing_index_of_connectors_is_index_not_found(http: Http, elasticsearch: Elasticsearch) -> None:
    elasticsearch.indices.delete(index=CONNECTORS.name)
    response = http.post(JOBS, json={"id": "c1"})
    error = error_body(response)["error"]
    assert response.status_code == 404
    assert error["type"] == error["root_cause"][0]["type"] == "index_not_found_exception"
    assert error["reason"] == error["root_cause"][0]["reason"] == f"no such index [{CONNECTORS.name}]"
    assert not elasticsearch.indices.exists(index=CONNECTORS.alias)


def test_missing_index_of_jobs_is_created_again(
    http: Http, connectors: Stored, jobs: Stored, elasticsearch: Elasticsearch
) -> None:
    connectors.put("c1", a_connector())
    elasticsearch.indices.delete(index=SYNC_JOBS.name)
    assert created(http, jobs)["status"] == "pending"
    [(index, state)] = elasticsearch.indices.get(index=SYNC_JOBS.alias).items()
    assert index == SYNC_JOBS.name
    assert state["aliases"] == {SYNC_JOBS.alias: {}}
    assert state["mappings"]["properties"]["status"] == {"type": "keyword"}


NOT_BUILT = f"Failed to build [{PARSER}] after last required field arrived"
JOB_TYPE = ("illegal_argument_exception", "Unknown ConnectorSyncJobType [x].")
TRIGGER = ("illegal_argument_exception", "Unknown ConnectorSyncJobTriggerMethod [x].")


def nested(last: str, cause: tuple[str, str]) -> dict[str, Any]:
    """The error for an unknown enum value in a body with all three fields."""
    inner = ("x_content_parse_exception", NOT_BUILT)
    return unreadable(f"[l:c] [{PARSER}] failed to parse field [{last}]", inner, cause, root=inner)


def wrong_type(field: str, token: str) -> dict[str, Any]:
    return unreadable(f"[l:c] [{PARSER}] {field} doesn't support values of type: {token}")


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ({}, illegal("Required [id]")),
        ({"job_type": "full"}, illegal("Required [id]")),
        ({"id": ""}, invalid("[id] of the connector cannot be null or empty")),
        ({"id": None}, wrong_type("id", "VALUE_NULL")),
        ({"id": 5}, wrong_type("id", "VALUE_NUMBER")),
        ({"id": ["c1"]}, wrong_type("id", "START_ARRAY")),
        ({"id": "c1", "job_type": None}, wrong_type("job_type", "VALUE_NULL")),
        ({"id": "c1", "trigger_method": {}}, wrong_type("trigger_method", "START_OBJECT")),
        ({"id": "c1", "job_type": "x"}, unreadable(NOT_BUILT, JOB_TYPE)),
        (
            {"id": "c1", "job_type": ""},
            unreadable(NOT_BUILT, (JOB_TYPE[0], "Unknown ConnectorSyncJobType [].")),
        ),
        ({"id": "c1", "trigger_method": "x"}, unreadable(NOT_BUILT, TRIGGER)),
        ({"id": "c1", "job_type": "x", "trigger_method": "x"}, nested("trigger_method", JOB_TYPE)),
        ({"job_type": "full", "trigger_method": "x", "id": "c1"}, nested("id", TRIGGER)),
        ({"trigger_method": "x", "id": "c1", "job_type": "full"}, nested("job_type", TRIGGER)),
        (
            {"id": "c1", "jobtype": "full"},
            unreadable(f"[l:c] [{PARSER}] unknown field [jobtype] did you mean [job_type]?"),
        ),
        ({"id": "c1", "status": "pending"}, unreadable(f"[l:c] [{PARSER}] unknown field [status]")),
    ],
    ids=str,
)
def test_invalid_body_is_refused(
    http: Http, connectors: Stored, jobs: Stored, body: object, response: object
) -> None:
    connectors.put("c1", a_connector())
    assert error_body(http.post(JOBS, json=body)) == response
    assert jobs.ids() == set()


def test_unknown_parameters_are_reported_after_body_errors_and_before_validation(http: Http) -> None:
    unknown = illegal(f"request [{JOBS}] contains unrecognized parameters: [refresh], [timeout]")
    assert error_body(http.post(f"{JOBS}?timeout=1s&refresh=true", json={"id": ""})) == unknown
    assert error_body(http.post(f"{JOBS}?timeout=1s", json={})) == illegal("Required [id]")


@pytest.mark.parametrize(
    "connector", ["a/b", "ü €", "a+b", "%25", "c" * 512, "c" * 513, "c" * 5000, "'quoted'"]
)
def test_connector_may_have_any_id(http: Http, connectors: Stored, jobs: Stored, connector: str) -> None:
    reason = f"Connector with id '{connector}' does not exist."
    assert error_body(http.post(JOBS, json={"id": connector})) == not_found(reason)
    if len(connector) <= 512:
        connectors.put(connector, a_connector())
        assert created(http, jobs, connector)["connector"]["id"] == connector
