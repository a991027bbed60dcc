"""Bodies that say how a connector syncs: its features, its ingest pipeline, and how its last syncs went."""

from __future__ import annotations

from typing import Any

from app.sync_jobs.states import TRANSITIONS
from app.wire.fields import Boolean, EnumString, JsonObject, Long, String, Timestamp
from app.wire.nested_fields import ObjectOf
from app.wire.parse_failure import CannotBuild
from app.wire.schema import RequestBody


class Feature(RequestBody):
    """A feature that is on or off."""

    parser_name = "connector_feature_enabled"
    lenient = True

    enabled = Boolean()

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """The feature, if it says which."""
        if "enabled" not in values:
            raise CannotBuild(None, "null_pointer_exception")
        return values


class SyncRulesFeatures(RequestBody):
    """The kinds of filtering rules that a connector knows."""

    parser_name = "sync_rules_features"
    lenient = True

    advanced = ObjectOf(Feature)
    basic = ObjectOf(Feature)


class Features(RequestBody):
    """What a connector can do; features that are not sent stay as they are."""

    parser_name = "connector_features"
    lenient = True

    document_level_security = ObjectOf(Feature)
    incremental_sync = ObjectOf(Feature)
    native_connector_api_keys = ObjectOf(Feature)
    sync_rules = ObjectOf(SyncRulesFeatures)


class FeaturesBody(RequestBody):
    """`PUT /_connector/{id}/_features`."""

    parser_name = "connector_update_features_request"

    features = ObjectOf(Features, required=True)


class Pipeline(RequestBody):
    """The ingest pipeline that documents go through, and what it does to them."""

    parser_name = "connector_ingest_pipeline"
    lenient = True

    extract_binary_content = Boolean(required=True)
    name = String(required=True)
    reduce_whitespace = Boolean(required=True)
    run_ml_inference = Boolean(required=True)


class PipelineBody(RequestBody):
    """`PUT /_connector/{id}/_pipeline`."""

    parser_name = "connector_update_pipeline_request"

    pipeline = ObjectOf(Pipeline, required=True)


class LastSyncBody(RequestBody):
    """`PUT /_connector/{id}/_last_sync`. Null clears."""

    parser_name = "connector_update_last_sync_stats_request"

    last_access_control_sync_error = String(allow_none=True)
    last_access_control_sync_scheduled_at = Timestamp(allow_none=True)
    last_access_control_sync_status = EnumString(TRANSITIONS, enum="ConnectorSyncStatus", allow_none=True)
    last_deleted_document_count = Long()
    last_incremental_sync_scheduled_at = Timestamp(allow_none=True)
    last_indexed_document_count = Long()
    last_seen = Timestamp(allow_none=True)
    last_sync_error = String(allow_none=True)
    last_sync_scheduled_at = Timestamp(allow_none=True)
    last_sync_status = EnumString(TRANSITIONS, enum="ConnectorSyncStatus", allow_none=True)
    last_synced = Timestamp(allow_none=True)
    sync_cursor = JsonObject(allow_none=True)
