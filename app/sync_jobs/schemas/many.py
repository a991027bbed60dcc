"""What the endpoints for many jobs accept. All of them are ours: Elasticsearch has none of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from marshmallow import validate

from app.protocol import JobType, SyncStatus
from app.wire import parameters
from app.wire.fields import Boolean, Integer, String
from app.wire.ids import too_long
from app.wire.nested_fields import EnumStringList, StringList
from app.wire.schema import RequestBody
from app.wire.time_values import TimeValue, TimeValueParameter

_MAX_HEARTBEATS = 1_000
_MAX_RESCUED = 10_000


class CheckInManyBody(RequestBody):
    """`POST /_connector/_sync_job/_check_in`."""

    parser_name = "connector_sync_job_check_in_many"

    worker_hostname = String(
        required=True,
        validate=validate.Length(min=1, error="[worker_hostname] cannot be empty."),
        metadata={"description": "The worker that holds the jobs."},
    )
    ids = StringList(
        required=True,
        validate=validate.Length(
            min=1, max=_MAX_HEARTBEATS, error=f"[ids] must have 1 to {_MAX_HEARTBEATS} entries."
        ),
        metadata={"description": "The jobs that it is at work on."},
    )


class CancelManyBody(RequestBody):
    """`POST /_connector/_sync_job/_cancel`."""

    parser_name = "connector_sync_job_cancel_many"
    json_schema: ClassVar = {"minProperties": 1}

    connector_id = String(
        validate=validate.Length(min=1, error="[connector_id] cannot be empty."),
        metadata={"description": "Only jobs of this connector."},
    )
    job_types = EnumStringList(
        JobType,
        enum="ConnectorSyncJobType",
        validate=validate.Length(min=1, error="[job_types] cannot be empty."),
        metadata={"description": "Only jobs of these types."},
    )
    statuses = EnumStringList(
        SyncStatus,
        enum="ConnectorSyncStatus",
        validate=validate.Length(min=1, error="[statuses] cannot be empty."),
        metadata={"description": "Only jobs with one of these statuses."},
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """Nobody cancels all jobs by mistake."""
        if not values:
            return ["one of [connector_id], [job_types] and [statuses] is required."]
        return too_long(values.get("connector_id", ""))


class RescueBody(RequestBody):
    """`POST /_connector/_sync_job/_rescue`."""

    parser_name = "connector_sync_job_rescue"

    idle_for = TimeValue(
        load_default=timedelta(minutes=10),
        metadata={"description": "How long a worker may be silent."},
    )
    dry_run = Boolean(load_default=False, metadata={"description": "Only say which jobs would be ended."})
    limit = Integer(
        load_default=1_000,
        validate=validate.Range(
            min=1, max=_MAX_RESCUED, error=f"[limit] must be between 1 and {_MAX_RESCUED}."
        ),
        metadata={"description": "How many jobs are ended at most."},
    )


class PruneBody(RequestBody):
    """`POST /_connector/_sync_job/_prune`."""

    parser_name = "connector_sync_job_prune"

    finished_for = TimeValue(
        load_default=timedelta(days=30),
        metadata={"description": "How long ago a job must have ended."},
    )
    keep_last = Integer(
        load_default=10,
        validate=validate.Range(min=0, error="[keep_last] cannot be negative."),
        metadata={"description": "How many finished jobs of each connector and job type stay in any case."},
    )
    dry_run = Boolean(load_default=True, metadata={"description": "Only count what would be deleted."})


class SummaryParameters(parameters.QueryParameters):
    """`GET /_connector/_sync_job/_summary`."""

    unclaimed_for = TimeValueParameter(
        load_default=timedelta(minutes=5),
        metadata={"description": "How long a job may wait for a worker."},
    )
    idle_for = TimeValueParameter(
        load_default=timedelta(minutes=10),
        metadata={"description": "How long a worker may be silent."},
    )
