"""Structured log lines: JSON in production, readable in a terminal, one request id from end to end."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

import structlog

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request under way. The store sends it to Elasticsearch as `X-Opaque-Id`."""

TRACE_ID = "logs.trace_id"
"""Where, in the WSGI environment, the id of the request's trace stands; only with tracing."""


def configure(level: str, fmt: str) -> None:
    """Send every line, ours and the libraries', to standard error in one format.

    `level` is `debug`, `info`, `warning` or `error`; `fmt` is `json`, `console` or `auto` (console in a terminal).
    """
    console = fmt == "console" or (fmt == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        # A plain traceback: others show local variables, and so secrets.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    exceptions = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The client logs a line per request at INFO; ours has the same facts and the request id.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
