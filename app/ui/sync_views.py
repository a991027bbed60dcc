"""Sync now: the question what is meant, and the creation of a job."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from app.connectors import operations
from app.context import store
from app.errors import ApiError, illegal_argument
from app.protocol import JobType, TriggerMethod
from app.sync_jobs import creating
from app.sync_jobs.connector_activity import Activity
from app.ui.actions import Form, action, ask, confirmation, one, tell
from app.ui.connectors import ShownConnector
from app.ui.pages import new_blueprint
from app.ui.texts import address, ago, words

blueprint = new_blueprint("ui_sync")

_NEVER: Final = "No worker has been heard of for this connector"


@blueprint.get("/connector/sync")
@confirmation("sync_job/post")
def confirm_sync() -> Response:
    """Create a job of this type for the connector?"""
    wanted = _wanted(request.args.get("id", ""), request.args.get("type", JobType.FULL))
    source = operations.get(store(), wanted.connector_id)
    connector = ShownConnector(wanted.connector_id, source, Activity())
    name = connector.name or connector.id
    kind = words(wanted.job_type)
    back = address("/connector", id=connector.id)
    fields = [("id", connector.id), ("type", wanted.job_type)]
    try:
        creating.new_document(store(), wanted)
    except ApiError as error:
        if error.status != 400:
            raise
        return ask(f"{name} cannot be synced", [_reason(error)], None, fields=fields, back=back)
    active = creating.active_job(store(), wanted)
    if active is not None:
        heading, button = f"{_article(kind).capitalize()} sync job of {name} is active already", "Continue"
        sentences = [
            f"The job {active.id} is {words(active.source.get('status'))}, so nothing will be created, and that job is shown.",
            "If it has ended by then, one job is created.",
        ]
    else:
        heading, button = f"Sync {name} now?", f"Start {_article(kind)} sync"
        sentences = [f"One {kind} sync job of {name} will be created; it waits until a worker takes it."]
    if not connector.is_heard_of:
        sentences.append(_silence(source.get("last_seen")))
    return ask(heading, sentences, button, fields=fields, back=back)


@blueprint.post("/connector/sync")
@action("sync_job/post")
def sync(form: Form) -> Response:
    """Create the job, unless one of its type is active."""
    wanted = _wanted(one(form, "id"), one(form, "type"))
    made = creating.create(store(), wanted)
    kind = words(wanted.job_type)
    sentence = (
        f"One {kind} sync job was created. It waits until a worker takes it."
        if made.status == 201
        else f"Nothing was created: {_article(kind)} sync job is active already."
    )
    return tell(
        "Created" if made.status == 201 else "Active already",
        [sentence],
        back=address("/connector", id=wanted.connector_id),
        link=("Show the job", address("/job", id=made.id)),
    )


def _wanted(connector_id: str, job_type: str) -> creating.JobRequest:
    if job_type not in tuple(JobType):
        raise illegal_argument(f"[type] is one of {', '.join(JobType)}, not [{job_type}].")
    return creating.JobRequest(connector_id, job_type, TriggerMethod.ON_DEMAND, if_active="return")


def _reason(error: ApiError) -> str:
    """The API's own sentence; that of the cause where the error itself only names the place."""
    cause = error.cause.caused_by or error.cause
    return cause.reason or "The connector cannot be read."


def _silence(last_seen: Any) -> str:
    heard = ago(last_seen)
    known = f"A worker was last heard of for this connector {heard}" if heard.endswith(" ago") else _NEVER
    return f"{known}. See whether one for its service type runs, or the job waits for long."


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'ai' else 'a'} {kind}"
