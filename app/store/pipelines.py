"""The ingest pipeline that connectors send their documents through, put in place where the cluster has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch, NotFoundError

from app.store.leases import Leases

log = structlog.get_logger(__name__)

DEFAULT_PIPELINE = "search-default-ingestion"
# Not every cluster has it; the others prepare documents without the text of their attachments.
OPTIONAL_PROCESSOR = "attachment"

_FOLDER = Path(__file__).resolve().parents[2] / "mappings" / "pipelines"


class Pipelines:
    """The one pipeline, as its file in `mappings/pipelines/` describes it. One that exists is never overwritten."""

    def __init__(self, client: Elasticsearch, leases: Leases) -> None:
        self._client = client
        self._leases = leases
        self._definition: dict[str, Any] = json.loads(
            (_FOLDER / f"{DEFAULT_PIPELINE}.json").read_text("utf-8")
        )

    def ensure(self, is_first: Callable[[], bool]) -> None:
        """Put the pipeline where there is none, and warn where ours extracts no text from attachments.

        Of several processes one puts it, and the one in which `is_first()` warns. A user without the privilege is not an
        error. Raises `ApiError` and the client's exceptions.
        """
        try:
            pipeline = self._existing() or self._put_once()
        except AuthorizationException as refusal:
            log.info("pipeline_not_managed", pipeline=DEFAULT_PIPELINE, reason=str(refusal))
        except BadRequestError as refusal:
            if is_first():
                log.warning("pipeline_refused", pipeline=DEFAULT_PIPELINE, reason=str(refusal))
        else:
            ours = pipeline.get("_meta", {}).get("managed_by") == self._definition["_meta"]["managed_by"]
            if ours and not _extracts_attachments(pipeline) and is_first():
                log.warning(
                    "attachments_not_extracted",
                    pipeline=DEFAULT_PIPELINE,
                    reason=f"the pipeline was put where the cluster had no processor [{OPTIONAL_PROCESSOR}]",
                    outcome="documents are indexed without the text of their files",
                    remedy="once the cluster has it, delete the pipeline and restart the service",
                )

    def _existing(self) -> dict[str, Any] | None:
        try:
            response = self._client.ingest.get_pipeline(id=DEFAULT_PIPELINE)
        except NotFoundError:
            return None
        return dict(response[DEFAULT_PIPELINE])

    def _put_once(self) -> dict[str, Any]:
        """What is there when one process after the other has looked again, and put it where there still is none."""
        with self._leases.hold(f"pipeline:{DEFAULT_PIPELINE}"):
            return self._existing() or self._put()

    def _put(self) -> dict[str, Any]:
        """Returns what was put. Raises the refusal of the pipeline without the optional processor, too."""
        pipeline = self._definition
        try:
            self._client.ingest.put_pipeline(id=DEFAULT_PIPELINE, body=pipeline)
        except BadRequestError:
            pipeline = {**pipeline, "processors": [_everywhere(each) for each in pipeline["processors"]]}
            self._client.ingest.put_pipeline(id=DEFAULT_PIPELINE, body=pipeline)
        log.info("pipeline_created", pipeline=DEFAULT_PIPELINE, attachments=_extracts_attachments(pipeline))
        return pipeline


def _extracts_attachments(pipeline: dict[str, Any]) -> bool:
    return any(OPTIONAL_PROCESSOR in processor for processor in pipeline["processors"])


def _everywhere(processor: dict[str, Any]) -> dict[str, Any]:
    """The processor, or for the optional one a note of its failure in the documents that it would have read."""
    if OPTIONAL_PROCESSOR not in processor:
        return processor
    optional = processor[OPTIONAL_PROCESSOR]
    [on_failure] = optional["on_failure"]
    note = {
        "if": f"{optional['if']} && ctx.{optional['field']} != null",
        "value": f"Processor [{OPTIONAL_PROCESSOR}] in pipeline [{DEFAULT_PIPELINE}] failed: "
        "the cluster does not have it",
    }
    return {"append": on_failure["append"] | note}
