"""The ingest pipeline that connectors send their documents through, put in place where the cluster has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog
from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch, NotFoundError

log = structlog.get_logger(__name__)

DEFAULT_PIPELINE = "search-default-ingestion"
# Not every cluster has it; the others prepare documents without the text of their attachments.
OPTIONAL_PROCESSOR = "attachment"

_FOLDER = Path(__file__).resolve().parents[2] / "mappings" / "pipelines"


class Pipelines:
    """The one pipeline, as its file in `mappings/pipelines/` describes it. One that exists is never overwritten."""

    def __init__(self, client: Elasticsearch) -> None:
        self._client = client
        self._definition: dict[str, Any] = json.loads(
            (_FOLDER / f"{DEFAULT_PIPELINE}.json").read_text("utf-8")
        )

    def ensure(self) -> None:
        """Put the pipeline where there is none. A user without the privilege is not an error. Raises the client's exceptions."""
        try:
            if not self._exists():
                self._put()
        except AuthorizationException as refusal:
            log.info("pipeline_not_managed", pipeline=DEFAULT_PIPELINE, reason=str(refusal))

    def _exists(self) -> bool:
        try:
            self._client.ingest.get_pipeline(id=DEFAULT_PIPELINE, summary=True)
        except NotFoundError:
            return False
        return True

    def _put(self) -> None:
        processors: list[dict[str, Any]] = self._definition["processors"]
        everywhere = [processor for processor in processors if OPTIONAL_PROCESSOR not in processor]
        refusal: BadRequestError | None = None
        for attempt in (processors, everywhere):
            try:
                self._client.ingest.put_pipeline(
                    id=DEFAULT_PIPELINE, body={**self._definition, "processors": attempt}
                )
            except BadRequestError as error:
                refusal = error
            else:
                log.info("pipeline_created", pipeline=DEFAULT_PIPELINE, attachments=refusal is None)
                return
        log.warning("pipeline_refused", pipeline=DEFAULT_PIPELINE, reason=str(refusal))
