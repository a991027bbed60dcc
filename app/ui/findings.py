"""What needs a look, in words: what hangs, since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from app import time_values
from app.sync_jobs.activity import Activity, ConnectorSeen
from app.ui.texts import address, duration, jobs, plain

_LONGEST_LINK: Final = 8_000
"""Longer addresses than gunicorn takes (`limit_request_line`) are not shown as links."""
_NAMES: Final = 5

Link = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Named:
    """A worker or connector of a finding. `error` is what it stored, `last_synced` when; None where that says nothing."""

    link: Link
    error: Any = None
    last_synced: Any = None


@dataclass(frozen=True, slots=True)
class Finding:
    """`counted` things (a text, and the address of exactly those) have a problem, which `text` goes on to say.

    `since` is a stored value, perhaps None. `names` say whose they are, `others` that there are more. `button`: a text, and the
    address of an action that asks first.
    """

    counted: Link
    text: str
    why: str
    todo: str
    since: Any = None
    named: str = ""
    names: Sequence[Named] = ()
    others: bool = False
    button: tuple[str, str] | None = None


def linked(text: Any, url: str) -> Link:
    """A text with its address, if that is not too long to be asked for."""
    return plain(text), url if len(url) <= _LONGEST_LINK else None


def find(
    activity: Activity, *, unclaimed_for: timedelta, idle_for: timedelta, rescues: bool, leads: bool
) -> list[Finding]:
    """All that needs a look, the most urgent first.

    `rescues`: the leader ends jobs whose workers are silent. `leads`: this process would lead if no other one did.
    """
    has_leader = activity.leader is not None
    return [
        *_silent(activity, idle_for, ends_by_itself=rescues and has_leader),
        *_unclaimed(activity, unclaimed_for),
        *_stuck(activity, has_leader=has_leader),
        *_failing(activity),
        *_leaderless(activity, leads=leads),
    ]


def _silent(activity: Activity, idle_for: timedelta, *, ends_by_itself: bool) -> Iterator[Finding]:
    found = activity.idle
    if found.jobs:
        text = "hangs: its worker was" if found.jobs == 1 else "hang: their workers were"
        silent = {"silent_for": time_values.to_text(idle_for)}
        last_seen = found.longest[1].get("last_seen") if found.longest else None
        yield Finding(
            (jobs(found.jobs), address("/jobs", silent)),
            f"{text} not heard of for more than {duration(idle_for)}",
            "The worker has died, has lost its network, or does not send heartbeats. "
            "Until the job ends, nothing else of its kind runs on its connector.",
            "The leader ends such jobs by itself within a minute or so; Rescue does it now."
            if ends_by_itself
            else "Rescue ends these jobs and frees their connectors. Then see to the workers.",
            since=last_seen,
            named="Workers",
            names=[
                Named(linked(each, address("/jobs", silent, worker=each))) for each in found.names[:_NAMES]
            ],
            others=len(found.names) > _NAMES,
            button=("Rescue…", address("/jobs/rescue")),
        )


def _unclaimed(activity: Activity, unclaimed_for: timedelta) -> Iterator[Finding]:
    found = activity.unclaimed
    if found.jobs:
        verb = "waits" if found.jobs == 1 else "wait"
        yield Finding(
            (jobs(found.jobs), address("/jobs", waiting_for=time_values.to_text(unclaimed_for))),
            f"{verb} for more than {duration(unclaimed_for)}, and no worker claims {'it' if found.jobs == 1 else 'them'}",
            "No worker serves these connectors, all of them are busy, or another job of the connector runs or hangs.",
            "See which jobs run below. If none does, start a worker, or read the log of the one that should be there.",
            since=found.longest[1].get("created_at") if found.longest else None,
            named="Connectors",
            names=[Named(linked(each, address("/connector", id=each))) for each in found.names[:_NAMES]],
            others=len(found.names) > _NAMES,
        )


def _stuck(activity: Activity, *, has_leader: bool) -> Iterator[Finding]:
    found = activity.stuck
    if found:
        known = [each.since for each in found if each.since is not None]
        yield Finding(
            (_connectors(len(found)), address("/connectors", locked="without_job")),
            f"{'is' if len(found) == 1 else 'are'} locked, and no job runs that would unlock {'it' if len(found) == 1 else 'them'}",
            "Whoever locked a connector died before its job ran, or after it ended. Workers pass it over. "
            "For a moment between a worker's lock and its claim, that is as it should be.",
            "The leader frees connectors by itself: a minute after their job ended, or after five minutes."
            if has_leader
            else "A leader would free connectors by itself, but no process leads: turn maintenance on (MAINTENANCE_INTERVAL).",
            since=min(known, default=None),
            named="Connectors",
            names=_named(found),
            others=len(found) > _NAMES,
        )


def _failing(activity: Activity) -> Iterator[Finding]:
    number = activity.failing_count
    if number:
        yield Finding(
            (_connectors(number), address("/connectors", status="error")),
            f"{'fails' if number == 1 else 'fail'}: the last thing {'its worker' if number == 1 else 'their workers'} "
            "reported was an error",
            "Most often it is the source, its credentials or the configuration.",
            "Open the connector, mend what the error says, and sync it again.",
            named="Connectors",
            names=_named(activity.failing),
            others=number > len(activity.failing[:_NAMES]),
        )


def _leaderless(activity: Activity, *, leads: bool) -> Iterator[Finding]:
    if activity.leader is None and leads:
        yield Finding(
            ("No process", None),
            "does the maintenance: silent jobs and locked connectors stay until somebody acts",
            "All processes that could lead are gone, have just started, or cannot write their lease.",
            "Wait for half a minute. If it stays like this, look for leadership_unknown and leader_failed in the log.",
        )
    report = (activity.leader or {}).get("last_run")
    failed = report.get("failed") if isinstance(report, dict) else None
    if report and isinstance(failed, list) and failed:
        yield Finding(
            ("The leader", None),
            f"failed at {', '.join(map(plain, failed))} in its last round",
            "Its log has the reason, at maintenance_failed.",
            "It tries again in each round, so a failure that passes needs nothing.",
            since=report.get("at"),
        )


def _named(connectors: Iterable[ConnectorSeen]) -> list[Named]:
    return [
        Named(
            linked(each.source.get("name") or each.id, address("/connector", id=each.id)),
            each.source.get("error"),
            each.source.get("last_synced"),
        )
        for each in islice(connectors, _NAMES)
    ]


def _connectors(number: int) -> str:
    return f"{number:,} connector" if number == 1 else f"{number:,} connectors"
