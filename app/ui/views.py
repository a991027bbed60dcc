"""The parts of the page that show something. Those that change something are in `app.ui.action_views`."""

from __future__ import annotations

from typing import Final

from flask import Response, request
from werkzeug.exceptions import NotFound

from app.context import store
from app.sync_jobs.browsing import browse
from app.ui import job_filters
from app.ui.assets import ASSETS, FOLDER
from app.ui.jobs import ShownJob
from app.ui.pages import new_blueprint, page, shared, show
from app.wire.pages import file_response

blueprint = new_blueprint("ui")

_JOBS: Final = 50
_NAMES: Final = ",".join(f'"{name}"' for name in ASSETS)
_YEAR: Final = 365 * 86_400


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


@blueprint.get(f"/static/<any({_NAMES}):asset>")
def asset(asset: str) -> Response:
    """A file of the page."""
    return file_response(FOLDER, asset, ASSETS[asset], max_age=_YEAR)


@blueprint.get("/<path:_part>")
def unknown(_part: str) -> Response:
    """What the page does not have."""
    raise NotFound
