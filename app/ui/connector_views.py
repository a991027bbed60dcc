"""The parts of the page about connectors and workers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from flask import Response, request

from app import time_values
from app.connectors import operations
from app.connectors.schemas.queries import LONGEST_QUERY
from app.context import settings, store
from app.errors import illegal_argument
from app.protocol import ConnectorStatus, JobType
from app.redaction import masked_connector
from app.sync_jobs.connector_activity import Activity, activities
from app.sync_jobs.connector_pages import connector_page
from app.sync_jobs.workers import MOST, workers
from app.ui.connectors import LARGE_CHART, SMALL_CHART, ShownConnector
from app.ui.jobs import ShownJob
from app.ui.pages import new_blueprint, page, shared, show, silent_after
from app.ui.stored import configuration_rows, stored_document

blueprint = new_blueprint("ui_connectors")

_CONNECTORS: Final = 50
_LOCKED: Final = ("without_job",)
_PAGE: Final = re.compile("[1-9][0-9]{0,6}")


@blueprint.get("/connectors")
@page("list")
def connectors() -> Response:
    """The connectors that meet the filters, a page at a time."""
    number, query = _page_number(), request.args.get("q", "")
    if len(query) > LONGEST_QUERY:
        raise illegal_argument(f"[q] has at most {LONGEST_QUERY} characters.")
    status, locked = _one_of("status", tuple(ConnectorStatus)), _one_of("locked", _LOCKED)
    found = shared(
        lambda: connector_page(
            store(),
            compatibility=settings().compatibility,
            query=query,
            status=status,
            locked_without_job=bool(locked),
            offset=(number - 1) * _CONNECTORS,
            size=_CONNECTORS,
            runs=SMALL_CHART["most"],
        ),
        query,
        status,
        locked,
        number,
    )
    listed = found.value
    return show(
        "connectors.html",
        found_at=found.found_at,
        filters={"q": query, "status": status, "locked": locked},
        statuses=tuple(ConnectorStatus),
        connectors=[ShownConnector(*connector) for connector in listed.connectors],
        total=listed.total,
        number=number,
        pages=max(-(-listed.total // _CONNECTORS), 1),
    )


@blueprint.get("/connector")
@page("get")
def connector() -> Response:
    """One connector."""
    connector_id = request.args.get("id", "")
    found = shared(lambda: _connector(connector_id), connector_id)
    document, activity = found.value
    shown = ShownConnector(connector_id, document, activity)
    return show(
        "connector.html",
        found_at=found.found_at,
        connector=shown,
        configuration_rows=configuration_rows(document.get("configuration")),
        job_types=JobType,
        stored=stored_document(document, "/_connector"),
    )


@blueprint.get("/workers")
@page("sync_job/list")
def list_workers() -> Response:
    """Who works."""
    found = shared(lambda: workers(store(), silent_after()))
    return show(
        "workers.html",
        found_at=found.found_at,
        workers=[(each, [ShownJob(*job) for job in each.jobs]) for each in found.value.workers],
        others=found.value.others,
        most=MOST,
        ended_from=found.value.ended_from,
        silent_after=silent_after(),
        silent_for=time_values.to_text(silent_after()),
    )


def _connector(connector_id: str) -> tuple[dict[str, object], Activity]:
    document = masked_connector(operations.get(store(), connector_id))
    found = activities(store(), [connector_id], runs=LARGE_CHART["most"])
    return document, found.get(connector_id, Activity())


def _one_of(name: str, known: Sequence[str]) -> str | None:
    value = request.args.get(name) or None
    if value is not None and value not in known:
        raise illegal_argument(f"[{name}] is one of {', '.join(known)}, not [{value}].")
    return value


def _page_number() -> int:
    text = request.args.get("page") or "1"
    if not _PAGE.fullmatch(text):
        raise illegal_argument(f"[page] is a number from 1, not [{text}].")
    return int(text)
