"""Values that are not for everybody: what errors may quote, and what callers see who may read but not change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.errors import ApiError, Cause
from app.wire.schema import ParsedBody, RequestBody

MASK = "********"

# Parts of a body that a syntax error quotes: a bare word, or a number.
_QUOTED = re.compile(r"(?<=Unrecognized token )'[^']*'|(?<=Numeric value )\([^)]*\)")


class DiscreetBody(RequestBody):
    """A body that no error may quote from: answers with errors end up in the logs of clients."""

    @classmethod
    def parse(cls, data: bytes) -> ParsedBody:
        """As its parent; syntax errors name the place only."""
        try:
            return super().parse(data)
        except ApiError as error:
            raise ApiError(error.status, _unquoted(error.cause), _unquoted(error.root_cause)) from None


def masked_connector(connector: Mapping[str, Any]) -> dict[str, Any]:
    """A connector, or its snapshot in a job, with a mask for each value of its configuration that is `sensitive`."""
    configuration = connector.get("configuration")
    if not isinstance(configuration, Mapping):
        return dict(connector)
    return {**connector, "configuration": {name: _masked_item(item) for name, item in configuration.items()}}


def masked_sync_job(sync_job: Mapping[str, Any]) -> dict[str, Any]:
    """A job whose connector's sensitive values are masked."""
    connector = sync_job.get("connector")
    if not isinstance(connector, Mapping):
        return dict(sync_job)
    return {**sync_job, "connector": masked_connector(connector)}


def _masked_item(item: Any) -> Any:
    # Other programs write these documents too: a flag as text counts, and no value at all needs no mask.
    if (
        not isinstance(item, Mapping)
        or item.get("sensitive") not in (True, "true")
        or item.get("value") is None
    ):
        return item
    return {**item, "value": MASK}


def _unquoted(cause: Cause) -> Cause:
    return replace(
        cause,
        reason=None if cause.reason is None else _QUOTED.sub("[not shown]", cause.reason),
        caused_by=None if cause.caused_by is None else _unquoted(cause.caused_by),
    )
