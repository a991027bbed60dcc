"""`PUT` of a connector that exists has the consequences that the endpoints of its fields have, in the same write."""

from __future__ import annotations

import pytest

from tests.endpoints import ROOT

STATUSES = [
    "created",
    "needs_configuration",
    "configured",
    "connected",
    "error",
    "CONNECTED",
    "resting",
    None,
]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("path", "body"),
    [("_service_type", {"service_type": "postgresql"}), ("_native", {"is_native": True})],
    ids=["service type", "native"],
)
def test_decision_21_put_sets_the_status_as_the_endpoint_of_the_field_does(
    http, write, stored, status, path, body
) -> None:
    document = {"service_type": "mysql", "is_native": False, "name": "n"}
    document |= {} if status is None else {"status": status}
    write(document, "by-endpoint")
    write(document, "by-put")
    assert http.put(f"{ROOT}/by-endpoint/{path}", json=body).status_code == 200
    assert http.put(f"{ROOT}/by-put", json=body).json()["result"] == "updated"
    assert stored("by-put") == stored("by-endpoint")


def test_decision_21_put_of_both_fields_needs_a_configuration(http, write, stored) -> None:
    write({"service_type": "mysql", "is_native": False, "status": "connected"})
    assert http.put(f"{ROOT}/c1", json={"service_type": "s3", "is_native": True}).status_code == 200
    assert stored()["status"] == "needs_configuration"


@pytest.mark.parametrize("flag", [False, "false", None])
def test_decision_21_put_of_the_same_values_leaves_the_status(http, write, stored, flag) -> None:
    document = {"service_type": "mysql", "is_native": flag, "status": "connected"}
    write(document)
    assert http.put(f"{ROOT}/c1", json={"service_type": "mysql", "is_native": False}).status_code == 200
    assert stored()["status"] == "connected"
