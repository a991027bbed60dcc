"""The query parameters of the connector endpoints."""

from __future__ import annotations

from typing import Any

from app.connectors.index_names import violation
from app.errors import illegal_argument
from app.wire import parameters

LONGEST_QUERY = 256


class GetParameters(parameters.QueryParameters):
    """`GET /_connector/{id}`."""

    include_deleted = parameters.Boolean(
        load_default=False, metadata={"description": "Whether a soft-deleted connector is shown."}
    )


class DeleteParameters(parameters.QueryParameters):
    """`DELETE /_connector/{id}`."""

    hard = parameters.Boolean(
        load_default=False, metadata={"description": "Whether the document itself is deleted."}
    )
    delete_sync_jobs = parameters.Boolean(
        load_default=False, metadata={"description": "Whether the connector's sync jobs are deleted, too."}
    )


class ListParameters(parameters.QueryParameters):
    """`GET /_connector`. Read in this order; ranges are looked at last."""

    offset = parameters.Integer(
        data_key="from",
        load_default=0,
        metadata={"description": "How many connectors are left out in front.", "minimum": 0},
    )
    size = parameters.Integer(
        load_default=100,
        metadata={"description": "How many connectors are shown at most.", "minimum": 0, "maximum": 10_000},
    )
    index_names = parameters.CommaList(
        data_key="index_name", load_default=(), metadata={"description": "Only connectors of these indices."}
    )
    connector_names = parameters.CommaList(
        data_key="connector_name",
        load_default=(),
        metadata={"description": "Only connectors of these names."},
    )
    service_types = parameters.CommaList(
        data_key="service_type", load_default=(), metadata={"description": "Only connectors of these types."}
    )
    query = parameters.String(
        load_default="",
        metadata={
            "description": "A text to look for in names, descriptions and indices; `*` and `?` are wildcards.",
            "maxLength": LONGEST_QUERY,
        },
    )
    include_deleted = parameters.Boolean(
        load_default=False, metadata={"description": "Whether soft-deleted connectors are shown."}
    )

    def check(self, values: dict[str, Any]) -> None:
        """The ranges of numbers and the length of the query."""
        for name, value in (("from", values["offset"]), ("size", values["size"])):
            if value < 0:
                raise illegal_argument(f"Parameter [{name}] cannot be < 0")
        if len(values["query"]) > LONGEST_QUERY:
            raise illegal_argument(f"Parameter [query] cannot be longer than [{LONGEST_QUERY}] characters")

    def violations(self, values: dict[str, Any]) -> list[str]:
        """The syntax of index names."""
        return [found for name in values["index_names"] if (found := violation(name))]
