"""What the sync-job endpoints accept: each field's rule, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow.validate import Validator

from app.errors import illegal_argument
from app.protocol import JobType, SyncStatus, TriggerMethod
from app.wire import parameters
from app.wire.fields import EnumString, Integer, JsonObject, Long, String, Timestamp
from app.wire.ids import too_long
from app.wire.nested_fields import StringList
from app.wire.schema import RequestBody
from app.wire.time_values import TimeValue


def existing_sync_job_id(connector_sync_job_id: str) -> list[str]:
    """What is wrong with the id of a job that is read."""
    if not connector_sync_job_id:
        return ["[connector_sync_job_id] of the connector sync job cannot be null or empty."]
    return []


def written_sync_job_id(connector_sync_job_id: str) -> list[str]:
    """What is wrong with the id of a job that is written. Elasticsearch writes no id of over 512 bytes, but looks for it."""
    return existing_sync_job_id(connector_sync_job_id) or too_long(connector_sync_job_id)


class CreateBody(RequestBody):
    """`POST /_connector/_sync_job`."""

    parser_name = "connector_sync_job_post_request"

    id = String(
        required=True,
        validate=validate.Length(min=1, error="[id] of the connector cannot be null or empty"),
        metadata={"description": "The connector whose sync is to run."},
    )
    job_type = EnumString(
        JobType,
        enum="ConnectorSyncJobType",
        late=True,
        load_default="full",
        metadata={"description": "What is synced."},
    )
    trigger_method = EnumString(
        TriggerMethod,
        enum="ConnectorSyncJobTriggerMethod",
        late=True,
        load_default="on_demand",
        metadata={"description": "Who wants the sync."},
    )


class CreateParameters(parameters.QueryParameters):
    """`POST /_connector/_sync_job`."""

    if_active = parameters.Enum(
        ("create", "refuse", "return"),
        load_default="create",
        metadata={"description": "What to do where the connector has an active job of the same type."},
    )


class ClaimBody(RequestBody):
    """`PUT /_connector/_sync_job/{id}/_claim`."""

    parser_name = "claim_connector_sync_job"

    worker_hostname = String(
        required=True, metadata={"description": "The name of the worker, on the job from now on."}
    )
    sync_cursor = JsonObject(
        metadata={"description": "Where an incremental sync goes on; replaces the job's."}
    )


class ErrorBody(RequestBody):
    """`PUT /_connector/_sync_job/{id}/_error`."""

    parser_name = "connector_sync_job_error_request"
    replaces_surrogates = True

    error = String(
        required=True,
        validate=validate.Length(min=1, error="[error] of the connector sync job cannot be null or empty"),
        metadata={"description": "What went wrong."},
    )


def _counter(name: str, **options: Any) -> Long:
    return Long(validate=validate.Range(min=0, error=f"[{name}] cannot be negative."), **options)


class StatsBody(RequestBody):
    """`PUT /_connector/_sync_job/{id}/_stats`. Counters are absolute; `indexed_document_volume` counts MiB."""

    parser_name = "connector_sync_job_update_ingestion_stats"

    deleted_document_count = _counter(
        "deleted_document_count", required=True, metadata={"description": "Documents deleted so far."}
    )
    indexed_document_count = _counter(
        "indexed_document_count", required=True, metadata={"description": "Documents indexed so far."}
    )
    indexed_document_volume = _counter(
        "indexed_document_volume", required=True, metadata={"description": "MiB indexed so far."}
    )
    total_document_count = _counter(
        "total_document_count", metadata={"description": "Documents in the index."}
    )
    last_seen = Timestamp(
        reads_objects=True,
        metadata={"description": "When the worker was last at work; now, if it isn't sent."},
    )
    metadata = JsonObject(metadata={"description": "Merged into the job's metadata."})


def _wanted(name: str, description: str, *validators: Validator) -> StringList:
    """All who claim at the same time share a search. Elasticsearch would refuse it to all of them for one list that is too long."""

    def reject_long(texts: list[str]) -> None:
        if max(map(len, texts), default=0) > 512:
            raise ValidationError(f"[{name}] has an entry of more than 512 characters.")

    number = validate.Length(1, 1000, error=f"[{name}] must have 1 to 1000 entries.")
    return StringList(validate=[number, reject_long, *validators], metadata={"description": description})


class ReportBody(RequestBody):
    """`PUT …/_confirm_cancel`: the worker's last report."""

    parser_name = "connector_sync_job_report"

    deleted_document_count = _counter(
        "deleted_document_count", metadata={"description": "Documents deleted."}
    )
    indexed_document_count = _counter(
        "indexed_document_count", metadata={"description": "Documents indexed."}
    )
    indexed_document_volume = _counter("indexed_document_volume", metadata={"description": "MiB indexed."})
    total_document_count = _counter(
        "total_document_count", metadata={"description": "Documents in the index."}
    )
    metadata = JsonObject(metadata={"description": "Merged into the job's metadata."})


class CursorReportBody(ReportBody):
    """`PUT …/_complete` and `PUT …/_suspend`: with where the next sync goes on."""

    sync_cursor = JsonObject(metadata={"description": "Where the next sync goes on; replaces the job's."})


class ClaimNextBody(RequestBody):
    """`POST /_connector/_sync_job/_claim`."""

    parser_name = "claim_next_connector_sync_job"

    worker_hostname = String(
        required=True,
        # Elasticsearch indexes, and looks for, 32,766 bytes.
        validate=validate.Length(1, 8191, error="[worker_hostname] must have 1 to 8191 characters."),
        metadata={"description": "The name of the worker, on the jobs from now on."},
    )
    connector_ids = _wanted("connector_ids", "Only jobs of these connectors.")
    service_types = _wanted("service_types", "Only jobs of connectors of these service types.")
    job_types = _wanted(
        "job_types",
        "Only jobs of these types.",
        validate.ContainsOnly(list(JobType), error="[job_types] has an unknown ConnectorSyncJobType."),
    )
    limit = Integer(
        load_default=1,
        validate=validate.Range(1, 100, error="[limit] must be between 1 and 100."),
        metadata={"description": "How many jobs are claimed at most."},
    )
    wait = TimeValue(
        maximum=timedelta(seconds=60),
        load_default=timedelta(0),
        metadata={"description": "How long to wait for a first job."},
    )
    request_id = String(
        validate=validate.Length(1, 128, error="[request_id] must have 1 to 128 characters."),
        metadata={"description": "A repeat with the same id gets the same jobs."},
    )


class WorkerParameters(parameters.QueryParameters):
    """Who asks: the request is refused unless this worker holds the job."""

    worker_hostname = parameters.String(
        load_default=None, metadata={"description": "The worker that must hold the job."}
    )


class ListParameters(parameters.QueryParameters):
    """`GET /_connector/_sync_job`. Read in this order; ranges are looked at last."""

    offset = parameters.Integer(
        data_key="from",
        load_default=0,
        metadata={"description": "How many jobs are left out in front.", "minimum": 0},
    )
    size = parameters.Integer(
        load_default=100,
        metadata={"description": "How many jobs are shown at most.", "minimum": 0, "maximum": 10_000},
    )
    connector_id = parameters.String(
        load_default=None, metadata={"description": "Only jobs of this connector."}
    )
    statuses = parameters.EnumList(
        SyncStatus,
        enum="ConnectorSyncStatus",
        empty_is_none=False,
        data_key="status",
        load_default=(),
        metadata={"description": "Only jobs with one of these statuses.", "minItems": 1},
    )
    job_types = parameters.EnumList(
        JobType,
        enum="ConnectorSyncJobType",
        data_key="job_type",
        load_default=(),
        metadata={"description": "Only jobs of one of these types."},
    )
    order = parameters.Enum(
        ("asc", "desc"),
        load_default=None,
        metadata={"description": "Oldest first (`asc`) or newest first; unless sent, as COMPATIBILITY says."},
    )
    search_after = parameters.String(
        load_default=None,
        metadata={"description": "Empty to begin a walk through all jobs, then the token of the last page."},
    )

    def check(self, values: dict[str, Any]) -> None:
        """The rules that hold between values, and their ranges."""
        for name, value in (("from", values["offset"]), ("size", values["size"])):
            if value < 0:
                raise illegal_argument(f"Parameter [{name}] cannot be < 0")
        if values["search_after"] is not None and values["offset"] > 0:
            raise illegal_argument("Parameter [from] must be 0 when [search_after] is given")
        if values["search_after"] is not None and values["size"] == 0:
            raise illegal_argument("Parameter [size] must be > 0 when [search_after] is given")
