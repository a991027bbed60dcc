"""The parts of the page that change something: a question of what is meant, then the action, by the same address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request

from app.context import store
from app.errors import illegal_argument
from app.protocol import SyncStatus
from app.sync_jobs import many, operations, rescue
from app.sync_jobs.browsing import count_by_status
from app.ui import job_filters
from app.ui.actions import Form, action, ask, confirmation, one, tell
from app.ui.jobs import ShownJob
from app.ui.pages import new_blueprint, silent_after
from app.ui.texts import address, ago, duration, jobs, plain, words

blueprint = new_blueprint("ui_actions")

_MOST = 1_000
_SHOWN = 20


@blueprint.get("/jobs/cancel")
@confirmation("sync_job/cancel_many")
def confirm_cancel() -> Response:
    """Cancel the chosen jobs, or all that meet the filters?"""
    chosen, given = _bounded(request.args.getlist("id")), job_filters.given(request.args)
    filters = _filters_of_cancel(given) if given and not chosen else {}
    counts: Mapping[str, int] = {}
    if chosen:
        found = store().sync_jobs.get_all(chosen, ["status"]).values()
        counts = Counter(plain(job.get("status")) for job in found)
    elif filters:
        counts = count_by_status(store(), job_filters.read(filters))
    at_once = counts.get(SyncStatus.PENDING, 0) + counts.get(SyncStatus.SUSPENDED, 0)
    running = counts.get(SyncStatus.IN_PROGRESS, 0)
    others = (len(chosen) or sum(counts.values())) - at_once - running
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
    values = {name: [each] if isinstance(each, str) else each for name, each in filters.items()}
    return ask(
        f"Cancel {jobs(at_once + running)}?" if at_once + running else "There is nothing to cancel",
        sentences or ["Choose at least one job that has not ended."],
        f"Cancel {jobs(at_once + running)}" if at_once + running else None,
        fields=[(name, each) for name, texts in ({"id": chosen} | values).items() for each in texts],
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


@blueprint.get("/job/delete")
@confirmation("sync_job/delete")
def confirm_delete() -> Response:
    """Delete the job?"""
    sync_job_id = request.args.get("id", "")
    job = ShownJob(sync_job_id, operations.get(store(), sync_job_id))
    sentences = [
        "The job is removed for good, with its counters and its error. What it has synced stays in the index."
    ]
    if job.is_running:
        sentences.insert(
            0, "A worker is at work on it. It goes on until its next report, which will be refused."
        )
    return ask(
        f"Delete the job {sync_job_id}?",
        sentences,
        "Delete 1 job",
        fields=[("id", sync_job_id)],
        back=address("/job", id=sync_job_id),
        dangerous=True,
    )


@blueprint.post("/job/delete")
@action("sync_job/delete")
def delete(form: Form) -> Response:
    """Delete the job."""
    sync_job_id = one(form, "id")
    operations.delete(store(), sync_job_id)
    return tell(
        "Deleted",
        [f"The job {sync_job_id} is gone."],
        back=address("/jobs"),
        link=("All jobs", address("/jobs")),
    )


@blueprint.get("/jobs/rescue")
@confirmation("sync_job/rescue")
def confirm_rescue() -> Response:
    """End the jobs that no worker will end?"""
    idle_for = silent_after()
    found = rescue.rescue(store(), idle_for, dry_run=True, limit=_MOST)
    number = f"{jobs(len(found.jobs))}{' and more' if found.truncated else ''}"
    items = [
        f"{job['id']}, {words(job['status'])}, of connector {plain(job['connector_id'])}: worker "
        f"{plain(job['worker_hostname'])}, last heard of {ago(job['last_seen'])}"
        for job in found.jobs[:_SHOWN]
    ]
    if len(found.jobs) > _SHOWN:
        items.append(f"and {jobs(len(found.jobs) - _SHOWN)} more")
    return ask(
        f"Rescue {number}?" if found.jobs else "Nothing has to be rescued",
        [
            f"No worker will end these: theirs were silent for more than {duration(idle_for)}, or their connector is gone. "
            "They end as error, or as canceled, and their connectors are free for the next job."
            if found.jobs
            else f"No worker has been silent for more than {duration(idle_for)}."
        ],
        f"Rescue {number}" if found.jobs else None,
        fields=[],
        items=items,
        back=address(""),
        dangerous=True,
    )


@blueprint.post("/jobs/rescue")
@action("sync_job/rescue")
def do_rescue(_form: Form) -> Response:
    """End the jobs that no worker will end."""
    found = rescue.rescue(store(), silent_after(), dry_run=False, limit=_MOST)
    sentences = [f"{jobs(len(found.jobs))} ended. Their connectors are free for the next one."]
    if found.truncated:
        sentences.append("There are more: rescue again.")
    return tell("Rescued", sentences, back=address("/jobs"))


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
