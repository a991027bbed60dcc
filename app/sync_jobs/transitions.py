"""What all changes of a job share: one scripted update each, and the errors that any of them may end in.

A missing job is worded in two ways, as the original does: `_check_in` and `_stats` in a sentence, the others with just the
id, unless the index itself is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from app.errors import ApiError, not_found
from app.store import Store
from app.store.failures import IndexMissing
from app.store.scripts import Outcome, Responses, Script, Verdict
from app.sync_jobs.errors import missing_error, not_held_error


def transition(
    store: Store,
    sync_job_id: str,
    script: Script,
    params: Mapping[str, Any],
    responses: Responses,
    *,
    missing: Callable[[str], ApiError] = not_found,
) -> str:
    """The result of a script: `updated` where it did its work, else what `responses` say; `missing` makes the 404."""
    outcome = send(store, sync_job_id, script, params, missing=missing)
    return respond(outcome, sync_job_id, params, responses)


def send(
    store: Store,
    sync_job_id: str,
    script: Script,
    params: Mapping[str, Any],
    *,
    returns: Sequence[str] = (),
    missing: Callable[[str], ApiError] = not_found,
) -> Outcome:
    """What the script did. `returns` as in `Documents.transition`; `missing` makes the 404."""
    try:
        outcome = store.sync_jobs.transition(sync_job_id, script, params, returns)
    except IndexMissing:
        raise missing_error(sync_job_id) from None
    if outcome is None:
        raise missing(sync_job_id)
    return outcome


def respond(outcome: Outcome, sync_job_id: str, params: Mapping[str, Any], responses: Responses) -> str:
    """The result of a script that was sent with `params`, as `transition` says."""
    return outcome.respond(
        {
            Verdict.UPDATED: "updated",
            Verdict.DONE: "updated",
            Verdict.NOT_HELD: partial(not_held_error, sync_job_id, params.get("worker_hostname")),
            **responses,
        }
    )
