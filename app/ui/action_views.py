"""The parts of the page that change something: a question of what is meant, then the action, by the same address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request

from app.context import store
from app.errors import illegal_argument
from app.protocol import SyncStatus
from app.sync_jobs import many
from app.sync_jobs.browsing import count_by_status
from app.ui import job_filters
from app.ui.actions import Form, action, ask, confirmation, jobs, tell
from app.ui.pages import new_blueprint
from app.ui.texts import address

blueprint = new_blueprint("ui_actions")

_MOST = 1_000


@blueprint.get("/jobs/cancel")
@confirmation("sync_job/cancel_many")
def confirm_cancel() -> Response:
    """Cancel the chosen jobs, or all that meet the filters?"""
    chosen = request.args.getlist("id")
    filters = {} if chosen else _filters_of_cancel(job_filters.given(request.args))
    if chosen:
        found = store().sync_jobs.get_all(_bounded(chosen), ["status"])
        counts: dict[Any, int] = {}
        for job in found.values():
            status = str(job.get("status"))
            counts[status] = counts.get(status, 0) + 1
    else:
        counts = count_by_status(store(), job_filters.read(filters))
    at_once = counts.get(SyncStatus.PENDING, 0) + counts.get(SyncStatus.SUSPENDED, 0)
    running = counts.get(SyncStatus.IN_PROGRESS, 0)
    others = (len(chosen) if chosen else sum(counts.values())) - at_once - running
    sentences = []
    if at_once:
        sentences.append(f"{jobs(at_once)} that nobody runs will be canceled at once.")
    if running:
        sentences.append(
            f"The workers of {jobs(running)} will be asked to stop. What they have synced so far stays."
        )
    if others:
        sentences.append(
            f"{jobs(others)} will stay as they are: they have ended, or are being canceled already."
        )
    fields = [("id", each) for each in chosen] + [
        (name, each)
        for name, values in filters.items()
        for each in ([values] if isinstance(values, str) else values)
    ]
    return ask(
        f"Cancel {jobs(at_once + running)}?" if at_once + running else "There is nothing to cancel",
        sentences or ["Choose at least one job that has not ended."],
        f"Cancel {jobs(at_once + running)}" if at_once + running else None,
        fields=fields,
        back=address("/jobs", filters),
        dangerous=True,
    )


@blueprint.post("/jobs/cancel")
@action("sync_job/cancel_many")
def cancel(form: Form) -> Response:
    """Cancel the chosen jobs, or all that meet the filters."""
    if chosen := form.get("id"):
        counts, filters = many.cancel_these(store(), _bounded(chosen)), {}
    else:
        filters = _filters_of_cancel(_given(form))
        wanted = job_filters.read(filters)
        counts = many.cancel_all(
            store(),
            connector_id=wanted.connector_id,
            job_types=wanted.job_types or None,
            statuses=wanted.statuses or None,
        )
    sentences = [f"{jobs(counts['canceled'])} canceled."]
    if counts["canceling"]:
        sentences.append(f"The workers of {jobs(counts['canceling'])} were asked to stop.")
    if counts["conflicts"]:
        sentences.append(f"{jobs(counts['conflicts'])} had changed meanwhile, and stay as they are.")
    return tell("Canceled", sentences, back=address("/jobs", filters))


def _bounded(sync_job_ids: Sequence[str]) -> list[str]:
    if len(sync_job_ids) > _MOST:
        raise illegal_argument(f"Choose at most {_MOST} jobs.")
    return list(dict.fromkeys(sync_job_ids))


def _given(form: Form) -> dict[str, Any]:
    lists = {name: list(form[name]) for name in job_filters.LISTS if form.get(name)}
    return lists | {name: form[name][0] for name in job_filters.TEXTS if form.get(name)}


def _filters_of_cancel(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters by which all jobs are canceled. Nobody cancels all jobs by mistake."""
    if not filters or not job_filters.OF_CANCEL.issuperset(filters):
        raise illegal_argument("Choose jobs, or filter them by connector, type and status alone.")
    return dict(filters)
