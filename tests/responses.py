"""Error responses in forms that tests compare: whole bodies, or their type and reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import requests

from tests.documents import ID

OWN_ID = re.compile(r"[A-Za-z0-9_-]{20}")

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z")
_LOCATION = re.compile(r"^\[(?:\d+:\d+|-1:-1)] ")


# --- Whole errors ---


def error_body(response: requests.Response) -> dict[str, Any]:
    """The body of an error response, with `[l:c]` instead of the position in the request body."""
    body = response.json()
    assert body.get("status") == response.status_code
    return dict(_without_locations(body))


def envelope(
    status: int,
    kind: str,
    reason: str,
    *causes: tuple[str, str],
    root: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The whole error envelope; `causes` from outer to inner, `root` if the root cause is not the outer error."""
    described = {"type": kind, "reason": reason}
    caused_by: dict[str, Any] | None = None
    for cause_type, cause_reason in reversed(causes):
        nested = {"caused_by": caused_by} if caused_by else {}
        caused_by = {"type": cause_type, "reason": cause_reason, **nested}
    error = {
        "root_cause": [dict(zip(("type", "reason"), root, strict=True)) if root else described],
        **described,
    }
    return {"error": error | ({"caused_by": caused_by} if caused_by else {}), "status": status}


def illegal(reason: str, *causes: tuple[str, str]) -> dict[str, Any]:
    return envelope(400, "illegal_argument_exception", reason, *causes)


def unreadable(reason: str, *causes: tuple[str, str], root: tuple[str, str] | None = None) -> dict[str, Any]:
    return envelope(400, "x_content_parse_exception", reason, *causes, root=root)


def invalid(*messages: str) -> dict[str, Any]:
    numbered = "".join(f"{number}: {message};" for number, message in enumerate(messages, 1))
    return envelope(400, "action_request_validation_exception", f"Validation Failed: {numbered}")


def not_found(reason: str) -> dict[str, Any]:
    return envelope(404, "resource_not_found_exception", reason)


def bad_transition(status: str, target: str) -> str:
    return (
        f"Invalid transition attempt from [{status}] to [{target}]. "
        "Such a ConnectorSyncStatus transition is not supported by the Connector Protocol."
    )


def no_such_transition(status: str, target: str) -> dict[str, Any]:
    reason = bad_transition(status, target)
    cause = "connector_sync_job_invalid_status_transition_exception"
    return envelope(400, "status_exception", reason, (cause, reason))


def _without_locations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_locations(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_locations(inner) for inner in value]
    return _LOCATION.sub("[l:c] ", value) if isinstance(value, str) else value


# --- Status, type and reason ---


Error = tuple[int, str, str]


def error(response: requests.Response) -> Error:
    """Status, type and reason."""
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["error"]["type"], body["error"]["reason"]


def unplaced_error(response: requests.Response) -> Error:
    """Status, type and reason, without the position in the request body."""
    status, kind, reason = error(response)
    return status, kind, _LOCATION.sub("", reason)


def chain(response: requests.Response) -> list[tuple[str, str | None]]:
    """Types and reasons from the outermost to the innermost cause, without positions in the request body."""
    links = []
    link = response.json()["error"]
    while link:
        links.append((link["type"], link["reason"] and _LOCATION.sub("", link["reason"])))
        link = link.get("caused_by")
    return links


def invalid_request(message: str) -> Error:
    return 400, "action_request_validation_exception", f"Validation Failed: 1: {message};"


def no_connector(connector_id: str = ID) -> Error:
    return 404, "resource_not_found_exception", f"connector [{connector_id}] not found"


def no_secret(secret_id: str) -> Error:
    return 404, "resource_not_found_exception", f"No secret with id [{secret_id}]"


# --- Successful responses ---


def is_now(text: Any, since: datetime) -> bool:
    """Whether `text` is a timestamp as the service writes them, between `since` and now."""
    assert isinstance(text, str)
    assert _TIMESTAMP.fullmatch(text), text
    return since <= datetime.fromisoformat(text) <= datetime.now(UTC)


def ids_of(response: requests.Response) -> list[str]:
    """The ids in the response of a list."""
    assert response.status_code == 200, response.text
    return [job["id"] for job in response.json()["results"]]
