"""What responses hold."""

from __future__ import annotations

from marshmallow import Schema, fields

from app.api_reference.stored_documents import Connector, SyncJob, about, always, nullable
from app.protocol import SyncStatus
from app.sync_jobs.states import TRANSITIONS
from app.wire.fields import Boolean, EnumString, Integer, JsonObject, Long, String


def _results(*words: str) -> EnumString:
    return EnumString(words, enum="Result", **always("What the request did; `noop`: nothing had to change."))


# --- Errors ---


class ErrorCause(Schema):
    """An error, or the one behind it."""

    type = String(**always("The kind of error."))
    reason = String(**nullable("What is wrong, in a sentence."))
    caused_by = fields.Nested(lambda: ErrorCause(), **about("The error behind it."))


class ErrorDetails(ErrorCause):
    """An error with its root cause."""

    root_cause = fields.List(
        fields.Nested(ErrorCause), **always("The innermost error that says what is wrong.")
    )


class Error(Schema):
    """Elasticsearch's error envelope. What is refused before any endpoint is reached has a plain text as `error`."""

    error = fields.Raw(
        required=True,
        metadata={
            "description": "What is wrong.",
            "anyOf": [{"$ref": "#/components/schemas/ErrorDetails"}, {"type": "string"}],
        },
    )
    status = Integer(**about("The status code again; absent where there is no such path."))


# --- Short responses ---


class Result(Schema):
    """What a change did."""

    result = _results("updated", "noop")


class SecretResult(Schema):
    """What a change of a secret did."""

    result = _results("created", "updated")


class ConnectorResult(Schema):
    """What a request made of a connector."""

    id = String(**always("The connector."))
    result = _results("created", "updated")


class Id(Schema):
    """The id of a document."""

    id = String(**always("The id."))


class Secret(Schema):
    """A secret in clear."""

    id = String(**always("The secret's id."))
    value = String(**always("The secret."))


class Acknowledged(Schema):
    """The document is gone, or marked as deleted."""

    acknowledged = Boolean(**always("Always true."))


class Deleted(Schema):
    """The secret is gone."""

    deleted = Boolean(**always("Always true."))


class Status(Schema):
    """How the service is."""

    status = String(**always("`ok` or `ready`."))


# --- Sync jobs ---


class SyncJobs(Schema):
    """A page of sync jobs."""

    count = Long(**always("How many jobs meet the filters."))
    results = fields.List(fields.Nested(SyncJob), **always("The jobs of this page."))
    search_after = String(**about("Extension. The token of the next page of a walk; absent at its end."))


class ClaimedJobs(Schema):
    """The jobs that were claimed, oldest first; none where none came in time."""

    results = fields.List(fields.Nested(SyncJob), **always("The jobs."))


class Heartbeat(Schema):
    """The heartbeat of one job: a result and a status, or an error and its status code."""

    id = String(**always("The job."))
    result = EnumString(("updated",), enum="", **about("Sent where the heartbeat was recorded."))
    status = EnumString(SyncStatus, enum="", **about("The job's status; `canceling`: stop it."))
    error = fields.Nested(ErrorCause, **about("Why it was not recorded."))
    status_code = Integer(**about("404, 409 or 503."))


class Heartbeats(Schema):
    """The heartbeats, in the order of the ids."""

    items = fields.List(fields.Nested(Heartbeat), **always("One for each id."))


class CanceledJobs(Schema):
    """How many jobs were canceled."""

    canceled = Long(**always("Waiting jobs, which are canceled now."))
    canceling = Long(**always("Running jobs, whose workers are to stop."))
    conflicts = Long(**always("Jobs that changed meanwhile and met the filters no longer."))


class RescuedJob(Schema):
    """A job as it was before it was ended."""

    id = String(**always("The job."))
    connector_id = String(**nullable("Its connector."))
    worker_hostname = String(**nullable("The worker that held it."))
    status = EnumString(SyncStatus, enum="", **nullable("Its status before."))
    last_seen = String(**nullable("The last sign of life of its worker, as it is stored."))


class RescuedJobs(Schema):
    """The jobs that were ended, or would be."""

    rescued = fields.List(
        fields.Nested(RescuedJob), **always("Those that had been silent for longest first.")
    )
    truncated = Boolean(**always("Whether there are more: send the request again."))


class PrunedJobs(Schema):
    """How many jobs were deleted, or would be: one of the two."""

    deleted = Long(**about("Jobs that were deleted."))
    would_delete = Long(**about("Jobs that would be deleted: this was a dry run."))


StatusCounts = Schema.from_dict({status: Long(required=True) for status in TRANSITIONS}, name="StatusCounts")


class ConnectorCounts(Schema):
    """The jobs of one connector."""

    connector_id = String(**always("The connector."))
    by_status = fields.Nested(StatusCounts, **always("Its jobs by status."))


class PendingJob(Schema):
    """A job that waits."""

    id = String(**always("The job."))
    created_at = String(**nullable("When it was created."))


class RunningJob(Schema):
    """A job that runs."""

    id = String(**always("The job."))
    worker_hostname = String(**nullable("The worker that holds it."))
    last_seen = String(**nullable("The last sign of life of its worker."))


class Summary(Schema):
    """How the sync jobs are doing."""

    by_status = fields.Nested(StatusCounts, **always("All jobs by status."))
    by_connector = fields.List(fields.Nested(ConnectorCounts), **always("The 100 busiest connectors."))
    oldest_pending = fields.Nested(PendingJob, allow_none=True, **always("The job that waits for longest."))
    longest_idle = fields.Nested(
        RunningJob, allow_none=True, **always("The job with the most silent worker.")
    )
    unclaimed = Long(**always("Pending jobs older than `unclaimed_for`."))
    idle = Long(**always("Running jobs whose workers are silent for longer than `idle_for`."))
    locked_without_job = Long(**always("Connectors that are marked as syncing though no job runs."))
    leader = JsonObject(
        allow_none=True, **always("The process that does periodic work; null where none does.")
    )


class Connectors(Schema):
    """A page of connectors."""

    count = Long(**always("How many connectors meet the filters."))
    results = fields.List(fields.Nested(Connector), **always("The connectors of this page."))


class OpenApi(Schema):
    """An OpenAPI document."""

    openapi = String(**always("The version of OpenAPI that it follows."))
