"""`_status` from every status of a connector and from invalid ones; the table of transitions says what is legal."""

from __future__ import annotations

import pytest

from app.connectors.states import TRANSITIONS
from tests.responses import error

INVALID_STATUSES = {
    "absent": {},
    "null": {"status": None},
    "unknown": {"status": "idle"},
    "a number": {"status": 7},
}


def test_table_of_transitions_is_that_of_the_protocol() -> None:
    """As in the Connector Protocol: rows are from, columns to."""
    states = ["created", "needs_configuration", "configured", "connected", "error"]
    assert list(TRANSITIONS) == states
    rows = ["".join("x" if to in TRANSITIONS[start] else "." for to in states) for start in states]
    assert rows == [".x..x", "..x.x", ".xxxx", "..xxx", "..xxx"]


@pytest.mark.parametrize("start", TRANSITIONS)
def test_only_transitions_of_the_table_are_accepted(put, write, stored, start) -> None:
    for target in TRANSITIONS:
        before = {"status": start, "error": "kept", "configuration": {}}
        write(before)
        response = put("_status", {"status": target.upper()})
        if target in TRANSITIONS[start]:
            result = "noop" if start == target else "updated"
            assert (response.status_code, response.json()) == (200, {"result": result})
            assert stored() == before | {"status": target}
        else:
            message = (
                f"Invalid transition attempt from [{start}] to [{target}]. "
                "Such a status transition is not supported by the Connector Protocol."
            )
            assert error(response) == (400, "status_exception", message)
            assert response.json()["error"]["caused_by"] == {
                "type": "connector_invalid_status_transition_exception",
                "reason": message,
            }
            assert stored() == before


def test_stored_status_in_upper_case_is_understood(put, write, stored) -> None:
    write({"status": "CONNECTED"})
    reason = error(put("_status", {"status": "created"}))[2]
    assert reason.startswith("Invalid transition attempt from [connected] to [created].")
    assert stored() == {"status": "CONNECTED"}
    for result in ("updated", "noop"):
        assert put("_status", {"status": "connected"}).json() == {"result": result}
        assert stored() == {"status": "connected"}
    write({"status": "Connected"})
    assert put("_status", {"status": "error"}).json() == {"result": "updated"}
    assert stored() == {"status": "error"}


@pytest.mark.parametrize("document", INVALID_STATUSES.values(), ids=INVALID_STATUSES.keys())
def test_transition_from_an_invalid_status_is_refused(put, write, stored, document) -> None:
    write(document)
    for target in TRANSITIONS:
        assert error(put("_status", {"status": target}))[:2] == (400, "illegal_argument_exception")
    assert stored() == document


@pytest.mark.parametrize("start", TRANSITIONS)
def test_configuration_and_error_set_the_status_from_any_status(put, write, stored, start) -> None:
    for path, body, target in [
        ("_configuration", {"configuration": {}}, "configured"),
        ("_configuration", {"values": {}}, "configured"),
        ("_error", {"error": "x"}, "error"),
        ("_error", {"error": None}, "connected"),
    ]:
        write({"status": start, "configuration": {}})
        assert put(path, body).status_code == 200
        assert stored()["status"] == target
