"""The parts of the page that show something. Those that change something are in `app.ui.action_views`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import Response, request
from werkzeug.exceptions import NotFound

from app.context import settings, store
from app.redaction import masked_sync_job
from app.sync_jobs import operations
from app.sync_jobs.activity import activity
from app.sync_jobs.browsing import browse
from app.ui import job_filters
from app.ui.assets import ASSETS, FOLDER
from app.ui.findings import find
from app.ui.jobs import ShownJob, meaning
from app.ui.overview import DEFAULT_RANGE, RANGES, SERIES, chosen, draw, ended_address, failure_link
from app.ui.pages import new_blueprint, page, shared, show, silent_after
from app.ui.stored import configuration_rows, stored_document
from app.wire.authorization import public
from app.wire.pages import file_response

blueprint = new_blueprint("ui")

_JOBS: Final = 50
# As in `_summary`.
_UNCLAIMED_FOR: Final = timedelta(minutes=5)
_NAMES: Final = ",".join(f'"{name}"' for name in ASSETS)
_YEAR: Final = 365 * 86_400


@blueprint.get("")
@page("sync_job/summary")
def overview() -> Response:
    """Whether all is well, what goes on, and what ended when."""
    name = request.args.get("range") or DEFAULT_RANGE
    range_, period = chosen(name)
    idle_for = silent_after()
    found = shared(lambda: activity(store(), period, _UNCLAIMED_FOR, idle_for), name)
    seen = found.value
    return show(
        "overview.html",
        found_at=found.found_at,
        activity=seen,
        charts=draw(seen.history),
        ended_address=ended_address,
        failure_link=failure_link,
        findings=find(
            seen,
            unclaimed_for=_UNCLAIMED_FOR,
            idle_for=idle_for,
            rescues=bool(settings().rescue_idle_after),
            leads=bool(settings().maintenance_interval),
        ),
        leads=bool(settings().maintenance_interval),
        range=range_,
        range_name=name,
        ranges=RANGES,
        running=[ShownJob(*job) for job in seen.running],
        series=SERIES,
    )


@blueprint.get("/jobs")
@page("sync_job/list")
def jobs() -> Response:
    """The jobs that meet the filters, newest first."""
    filters = job_filters.given(request.args)
    older_than, newer_than = request.args.get("older_than"), request.args.get("newer_than")
    found = shared(
        lambda: browse(
            store(), job_filters.read(filters), size=_JOBS, older_than=older_than, newer_than=newer_than
        ),
        repr(filters),
        older_than,
        newer_than,
    )
    listed = found.value
    return show(
        "jobs.html",
        found_at=found.found_at,
        filters=filters,
        lists=job_filters.LISTS,
        may_cancel_all=bool(filters) and job_filters.OF_CANCEL.issuperset(filters),
        jobs=[ShownJob(*job) for job in listed.jobs],
        total=listed.total,
        newer=listed.newer,
        older=listed.older,
    )


@blueprint.get("/job")
@page("sync_job/get")
def job() -> Response:
    """One job."""
    sync_job_id = request.args.get("id", "")
    found = shared(lambda: masked_sync_job(operations.get(store(), sync_job_id)), sync_job_id)
    document = found.value
    shown = ShownJob(sync_job_id, document)
    return show(
        "job.html",
        found_at=found.found_at,
        job=shown,
        is_silent=shown.silent_for(silent_after()) is not None,
        meaning=meaning(shown, silent_after()),
        configuration_rows=configuration_rows(shown.connector.get("configuration")),
        stored=stored_document(document, "/_connector/_sync_job"),
    )


@blueprint.get(f"/static/<any({_NAMES}):asset>")
@public
def asset(asset: str) -> Response:
    """A file of the page."""
    return file_response(FOLDER, asset, ASSETS[asset], max_age=_YEAR)


@blueprint.get("/<path:_part>")
def unknown(_part: str) -> Response:
    """What the page does not have."""
    raise NotFound
