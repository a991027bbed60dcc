"""Schemathesis makes requests from the API reference, valid and invalid ones; the service responds as the reference says."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api_reference.document import OPERATIONS
from app.api_reference.example_values import CONNECTOR_ID, SECRET_ID
from tests.reference.calls import operation_id
from tests.reference.world import World

# Not among them:
# - positive_data_acceptance: a valid request may be refused because of what is stored, or by rules between fields;
# - negative_data_rejection: the service also takes what Elasticsearch takes, such as numbers in texts;
# - unsupported_method, ignored_auth and the like: tests/api and tests/security try these for every endpoint.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, APIOperation]:
    found = (each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations())
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_responses_conform_to_the_reference(
    operations: dict[str, APIOperation], world: World, endpoint: str
) -> None:
    operation = operations[operation_id(endpoint)]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.path_parameters or operation.query or operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    there = {
        "connector_id": CONNECTOR_ID,
        "secret_id": SECRET_ID,
        "connector_sync_job_id": world.prepare(endpoint, ""),
    }

    with requests.Session() as session:
        # No files: neither Hypothesis's database nor what Schemathesis would keep.
        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=cases, exists=st.booleans())
        def conforms(case: Case, exists: bool) -> None:
            if exists:
                known = {name: there[name] for name in case.path_parameters if name in there}
                case.path_parameters.update(known)
                if isinstance(case.body, dict) and "id" in case.body:
                    case.body["id"] = CONNECTOR_ID
            # A response that is filtered lacks what the schema requires.
            case.query.pop("filter_path", None)
            if isinstance(case.body, dict) and "wait" in case.body:
                case.body["wait"] = "1ms"
            case.call_and_validate(base_url=world.http.url, session=session, checks=CHECKS)

        conforms()
