"""Bodies that say how a connector syncs: its features, its ingest pipeline, and how its last syncs went."""

from __future__ import annotations

from typing import Any, ClassVar

from app.protocol import SyncStatus
from app.wire.fields import Boolean, EnumString, JsonObject, Long, String, Timestamp
from app.wire.nested_fields import ObjectOf
from app.wire.parse_failure import CannotBuild
from app.wire.schema import RequestBody


class Feature(RequestBody):
    """A feature that is on or off."""

    parser_name = "connector_feature_enabled"
    json_schema: ClassVar = {"required": ["enabled"]}
    lenient = True

    enabled = Boolean(metadata={"description": "Whether the feature is on."})

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """The feature, if it says which."""
        if "enabled" not in values:
            raise CannotBuild(None, "null_pointer_exception")
        return values


class SyncRulesFeatures(RequestBody):
    """The kinds of filtering rules that a connector knows."""

    parser_name = "sync_rules_features"
    lenient = True

    advanced = ObjectOf(Feature, metadata={"description": "Whether there is advanced filtering."})
    basic = ObjectOf(Feature, metadata={"description": "Whether there are basic rules."})


class Features(RequestBody):
    """What a connector can do; features that are not sent stay as they are."""

    parser_name = "connector_features"
    lenient = True

    document_level_security = ObjectOf(
        Feature, metadata={"description": "Whether it reads who may see a document."}
    )
    incremental_sync = ObjectOf(Feature, metadata={"description": "Whether it can go on where it stopped."})
    native_connector_api_keys = ObjectOf(
        Feature, metadata={"description": "Whether a managed connector has an API key of its own."}
    )
    sync_rules = ObjectOf(SyncRulesFeatures, metadata={"description": "Which kinds of filtering it knows."})


class FeaturesBody(RequestBody):
    """`PUT /_connector/{id}/_features`."""

    parser_name = "connector_update_features_request"

    features = ObjectOf(Features, required=True, metadata={"description": "The features to set."})


class Pipeline(RequestBody):
    """The ingest pipeline that documents go through, and what it does to them."""

    parser_name = "connector_ingest_pipeline"
    lenient = True

    extract_binary_content = Boolean(
        required=True, metadata={"description": "Whether text is extracted from files."}
    )
    name = String(
        required=True, metadata={"description": "The pipeline's name.", "example": "search-default-ingestion"}
    )
    reduce_whitespace = Boolean(required=True, metadata={"description": "Whether white space is reduced."})
    run_ml_inference = Boolean(required=True, metadata={"description": "Whether inference pipelines run."})


class PipelineBody(RequestBody):
    """`PUT /_connector/{id}/_pipeline`."""

    parser_name = "connector_update_pipeline_request"

    pipeline = ObjectOf(Pipeline, required=True, metadata={"description": "The pipeline to use."})


class LastSyncBody(RequestBody):
    """`PUT /_connector/{id}/_last_sync`. Null clears."""

    parser_name = "connector_update_last_sync_stats_request"

    last_access_control_sync_error = String(
        allow_none=True, metadata={"description": "The error of the last access-control sync."}
    )
    last_access_control_sync_scheduled_at = Timestamp(
        allow_none=True, metadata={"description": "When the last access-control sync was scheduled."}
    )
    last_access_control_sync_status = EnumString(
        SyncStatus,
        enum="ConnectorSyncStatus",
        allow_none=True,
        metadata={"description": "The status of the last access-control sync."},
    )
    last_deleted_document_count = Long(metadata={"description": "How many documents the last sync deleted."})
    last_incremental_sync_scheduled_at = Timestamp(
        allow_none=True, metadata={"description": "When the last incremental sync was scheduled."}
    )
    last_indexed_document_count = Long(metadata={"description": "How many documents the last sync indexed."})
    last_seen = Timestamp(
        allow_none=True, metadata={"description": "When the connector was last seen alive."}
    )
    last_sync_error = String(allow_none=True, metadata={"description": "The error of the last content sync."})
    last_sync_scheduled_at = Timestamp(
        allow_none=True, metadata={"description": "When the last content sync was scheduled."}
    )
    last_sync_status = EnumString(
        SyncStatus,
        enum="ConnectorSyncStatus",
        allow_none=True,
        metadata={"description": "The status of the last content sync."},
    )
    last_synced = Timestamp(allow_none=True, metadata={"description": "When the last content sync ended."})
    sync_cursor = JsonObject(allow_none=True, metadata={"description": "Where an incremental sync goes on."})
