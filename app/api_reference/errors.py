"""Error responses as examples. The tests provoke each of them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from app.api_reference.example_values import CLAIMED_AT, CONNECTOR_ID, JOB_ID, SECRET_ID, WORKER
from app.errors import (
    ApiError,
    Cause,
    PlainError,
    illegal_argument,
    not_found,
    status_error,
    unavailable,
    validation_failed,
)
from app.protocol import SyncStatus
from app.store.failures import UNREACHABLE
from app.sync_jobs import errors as sync_jobs
from app.wire.rendering import envelope


class ErrorExample(NamedTuple):
    """An error response."""

    summary: str
    error: ApiError | PlainError

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the response."""
        return envelope(self.error)


def _plain(status: int, message: str, *, show_status: bool = True) -> PlainError:
    return PlainError(status, message, show_status=show_status)


def _security(status: int, reason: str, **details: Any) -> ApiError:
    return ApiError(status, Cause("security_exception", reason, details=details))


def _transition(current: str, target: str) -> ApiError:
    reason = (
        f"Invalid transition attempt from [{current}] to [{target}]. "
        "Such a status transition is not supported by the Connector Protocol."
    )
    cause = Cause("connector_invalid_status_transition_exception", reason)
    return status_error(400, reason, cause)


_HELD = {"status": "in_progress", **WORKER, "claimed_at": CLAIMED_AT}
_NO_JOB = sync_jobs.missing_error(JOB_ID)

OF_ALL: Final = {
    "unknown_parameter": ErrorExample(
        "A parameter that the endpoint does not have",
        illegal_argument(
            "request [/_connector/my-connector] contains unrecognized parameter: "
            "[include_delete] -> did you mean [include_deleted]?"
        ),
    ),
    "no_credentials": ErrorExample(
        "Credentials are missing on a secured cluster",
        _security(
            401,
            "missing authentication credentials for REST request [/_connector/my-connector]",
            header={"WWW-Authenticate": ['Basic realm="security", charset="UTF-8"', "ApiKey"]},
        ),
    ),
    "no_privilege": ErrorExample(
        "The caller lacks the privilege",
        _security(
            403,
            "action [cluster:admin/xpack/connector/get] is unauthorized for user [nothing] with effective roles "
            "[nothing], this action is granted by the cluster privileges "
            "[monitor_connector,manage_connector,manage,all]",
        ),
    ),
    "format": ErrorExample(
        "A response format that is not supported", _plain(406, "format parameter [yaml] is not supported")
    ),
    "busy": ErrorExample(
        "Elasticsearch is busy; the request can be sent again",
        ApiError(429, Cause("es_rejected_execution_exception", "rejected execution")),
    ),
    "unavailable": ErrorExample(
        "Elasticsearch cannot be reached; the request can be sent again", unavailable(UNREACHABLE)
    ),
}
"""What every endpoint of the API can respond with."""

OF_BODIES: Final = {
    "unknown_field": ErrorExample(
        "A field that the body does not have",
        ApiError(
            400,
            Cause(
                "x_content_parse_exception",
                "[1:2] [connector_update_name_request] unknown field [descripton] did you mean [description]?",
            ),
        ),
    ),
    "content_type": ErrorExample(
        "A body that is not JSON", _plain(406, "Content-Type header [text/plain] is not supported")
    ),
    "stalled": ErrorExample(
        "The body stopped to arrive", status_error(408, "the request body did not arrive in time")
    ),
    "too_large": ErrorExample(
        "The body is larger than MAX_BODY_BYTES",
        ApiError(413, Cause("too_long_http_content_exception", "Content length exceeded [104857600] bytes.")),
    ),
}
"""What every endpoint that takes a body can respond with, too."""

WITHOUT_ENDPOINT: Final = {
    "wrong_method": ErrorExample(
        "A method that the path does not have; the header `Allow` lists the others",
        _plain(
            405,
            "Incorrect HTTP method for uri [/_connector/_sync_job] and method [DELETE], allowed: [GET, POST]",
        ),
    ),
    "unknown_path": ErrorExample(
        "A path that is none of this API",
        _plain(
            400,
            "no handler found for uri [/_connector/my-connector/_nmae] and method [PUT]",
            show_status=False,
        ),
    ),
}
"""Responses to requests that reach no endpoint."""

OF_SOME: Final = {
    "no_job": ErrorExample("There is no such job", not_found(JOB_ID)),
    "no_job_to_report": ErrorExample("There is no such job", _NO_JOB),
    "job_status": ErrorExample(
        "The job's status does not allow it",
        sync_jobs.transition_error(SyncStatus.CANCELING, {"status": "completed"}),
    ),
    "claimed": ErrorExample(
        "The job is another worker's",
        sync_jobs.claim_error(JOB_ID, _HELD),
    ),
    "finished": ErrorExample(
        "The job is finished", sync_jobs.finished_error(JOB_ID, {"status": "completed"})
    ),
    "not_held": ErrorExample(
        "Another worker holds the job", sync_jobs.not_held_error(JOB_ID, "worker-2", _HELD)
    ),
    "active": ErrorExample(
        "The connector has an active job of the type, and `if_active` is `refuse`",
        sync_jobs.active_error(CONNECTOR_ID, JOB_ID, "full", "in_progress"),
    ),
    "key_used": ErrorExample(
        "The key came with another request before",
        status_error(422, "Idempotency-Key was used for another request."),
    ),
    "no_connector_to_sync": ErrorExample(
        "There is no such connector", not_found(f"Connector with id '{CONNECTOR_ID}' does not exist.")
    ),
    "no_filter": ErrorExample(
        "No filter was sent",
        validation_failed(["one of [connector_id], [job_types] and [statuses] is required."]),
    ),
    "no_connector": ErrorExample(
        "There is no such connector", not_found(f"connector [{CONNECTOR_ID}] not found")
    ),
    "connector_status": ErrorExample(
        "The connector's status does not lead there", _transition("created", "connected")
    ),
    "index_used": ErrorExample(
        "Another connector has the index",
        status_error(400, "Index name [search-customers] is used by another connector."),
    ),
    "unknown_item": ErrorExample(
        "A value for an item that the configuration does not have",
        status_error(
            400,
            "Unknown [configuration] fields in the request payload: [hots]. "
            "Remove them from request or register their schema first.",
        ),
    ),
    "draft_not_valid": ErrorExample(
        "The draft was edited since its last validation",
        status_error(
            400,
            "Filtering draft needs to be validated by the connector service before activation. "
            "Current filtering draft validation state [edited] is not equal to [valid].",
        ),
    ),
    "no_secret": ErrorExample("There is no such secret", not_found(f"No secret with id [{SECRET_ID}]")),
    "foreign_secret": ErrorExample(
        "The secret cannot be decrypted",
        status_error(
            500,
            f"The secret [{SECRET_ID}] cannot be decrypted: its document was not written by this service.",
        ),
    ),
    "no_secrets_key": ErrorExample(
        "The service has no key for secrets",
        status_error(
            501,
            "Secrets are stored encrypted, and this service has no key: its setting SECRETS_KEYS is empty.",
        ),
    ),
}
"""What single endpoints can respond with."""

ERRORS: Final = {**OF_ALL, **OF_BODIES, **WITHOUT_ENDPOINT, **OF_SOME}
