"""Connectors and sync jobs as responses show them: as they are stored. So other programs may have added fields, or left some out."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from app.connectors.schemas import configuration, filtering, scheduling, syncing
from app.protocol import ConnectorStatus, JobType, SyncStatus, TriggerMethod
from app.wire.fields import AnyJson, Boolean, EnumString, JsonObject, Long, String, Timestamp
from app.wire.nested_fields import ListOf, MapOf, ObjectOf


def about(description: str) -> dict[str, Any]:
    """Options of a field that may be absent."""
    return {"metadata": {"description": description}}


def always(description: str) -> dict[str, Any]:
    """Options of a field that is never absent."""
    return {"required": True, **about(description)}


def nullable(description: str) -> dict[str, Any]:
    """Options of a field that may be absent, or null."""
    return {"allow_none": True, **about(description)}


class StoredItem(configuration.ConfigurationItem):
    """An item of a configuration as it is stored. Callers who may only monitor get `"********"` for sensitive values."""

    value = AnyJson(**about("The value."))


class SyncJobConnector(Schema):
    """What a job keeps of its connector: as it was when the job was created."""

    id = String(**about("The connector."))
    index_name = String(**about("The index that documents are written to."))
    service_type = String(**about("The type of the source."))
    language = String(**about("The language analyzer."))
    configuration = MapOf(StoredItem, **about("The configuration, by the names of its items."))
    filtering = ObjectOf(filtering.FilteringState, **about("The active state of the filtering."))
    pipeline = ObjectOf(syncing.Pipeline, **about("The ingest pipeline."))
    sync_cursor = JsonObject(**about("Where an incremental or resumed sync goes on."))


class SyncJob(Schema):
    """A sync job as it is stored, with its id."""

    id = String(**always("The job's id."))
    connector = fields.Nested(SyncJobConnector, **about("What the job keeps of its connector."))
    status = EnumString(SyncStatus, enum="", **about("Where the job stands."))
    job_type = EnumString(JobType, enum="", **about("What is synced."))
    trigger_method = EnumString(TriggerMethod, enum="", **about("Who wanted the sync."))
    worker_hostname = String(**nullable("The worker that has claimed the job."))
    created_at = Timestamp(**about("When the job was created."))
    started_at = Timestamp(**nullable("When it was claimed first."))
    claimed_at = Timestamp(**nullable("Extension. When it was claimed last."))
    last_seen = Timestamp(**nullable("The last sign of life of its worker."))
    cancelation_requested_at = Timestamp(**nullable("When somebody wanted it canceled."))
    canceled_at = Timestamp(**nullable("When it was canceled."))
    completed_at = Timestamp(**nullable("When it ended, however it did."))
    error = String(**nullable("Why it failed."))
    indexed_document_count = Long(**nullable("Documents indexed so far."))
    deleted_document_count = Long(**nullable("Documents deleted so far."))
    indexed_document_volume = Long(**nullable("MiB indexed so far."))
    total_document_count = Long(**nullable("Documents in the index."))
    metadata = JsonObject(**nullable("What the worker has noted."))
    claim_token = String(**nullable("Extension. Marks its last claim."))


class Connector(syncing.LastSyncBody):
    """A connector as it is stored, with its id."""

    lenient = True

    id = String(**always("The connector's id."))
    name = String(**nullable("Its name."))
    description = String(**nullable("What it is for."))
    index_name = String(**nullable("The index that documents are written to."))
    service_type = String(**nullable("The type of the source."))
    language = String(**nullable("The language analyzer."))
    is_native = Boolean(**nullable("Whether Elastic manages it."))
    status = EnumString(ConnectorStatus, enum="", **nullable("Where it stands."))
    error = String(**nullable("What went wrong."))
    deleted = Boolean(**about("Whether it is soft-deleted."))
    sync_now = Boolean(**about("Not used by this API."))
    api_key_id = String(**nullable("The API key that it writes with."))
    api_key_secret_id = String(**nullable("The secret that holds this API key."))
    configuration = MapOf(StoredItem, **nullable("The configuration, by the names of its items."))
    custom_scheduling = JsonObject(**nullable("Not used by this API."))
    scheduling = ObjectOf(scheduling.Schedules, **nullable("The schedules."))
    features = ObjectOf(syncing.Features, **nullable("What it can do."))
    filtering = ListOf(filtering.Filtering, **nullable("One entry: the active state and the draft."))
    pipeline = ObjectOf(syncing.Pipeline, **nullable("The ingest pipeline."))
