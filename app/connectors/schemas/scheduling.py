"""The body that sets a connector's schedules."""

from __future__ import annotations

from typing import Any

from app.connectors import cron
from app.wire.fields import Boolean, String
from app.wire.nested_fields import ObjectOf
from app.wire.parse_failure import CannotBuild
from app.wire.schema import RequestBody


class Schedule(RequestBody):
    """When one type of job runs: `interval` in Quartz's cron syntax, stored as it was sent."""

    parser_name = "schedule_config"
    lenient = True

    enabled = Boolean(required=True, metadata={"description": "Whether jobs run by this schedule."})
    interval = String(
        required=True,
        metadata={"description": "A cron expression in Quartz's syntax.", "example": "0 0 2 * * ?"},
    )

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """The schedule, if its interval is one."""
        found = cron.violation(values["interval"])
        if found:
            raise CannotBuild(found)
        return values


class Schedules(RequestBody):
    """A schedule for each type of job; those that are not sent stay as they are."""

    parser_name = "connector_scheduling"
    lenient = True

    access_control = ObjectOf(Schedule, metadata={"description": "When access-control syncs run."})
    full = ObjectOf(Schedule, metadata={"description": "When full syncs run."})
    incremental = ObjectOf(Schedule, metadata={"description": "When incremental syncs run."})


class SchedulingBody(RequestBody):
    """`PUT /_connector/{id}/_scheduling`."""

    parser_name = "connector_update_scheduling_request"

    scheduling = ObjectOf(
        Schedules, required=True, metadata={"description": "The schedules to set.", "minProperties": 1}
    )

    def violations(self, values: dict[str, Any]) -> list[str]:
        """One schedule is needed."""
        types = "[full | incremental | access_control]"
        missing = f"[scheduling] object needs to define at least one schedule type: {types}"
        return [] if values["scheduling"] else [missing]
