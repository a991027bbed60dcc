"""The connector id in the path."""

from __future__ import annotations

from app.wire.ids import too_long


def existing_connector_id(connector_id: str) -> list[str]:
    """What is wrong with the id of a connector that is read."""
    return [] if connector_id else ["connector_id missing"]


def deleted_connector_id(connector_id: str) -> list[str]:
    """What is wrong with the id of a connector that is deleted."""
    return existing_connector_id(connector_id) or too_long(connector_id)


def written_connector_id(connector_id: str) -> list[str]:
    """What is wrong with the id of a connector that is written."""
    return too_long(connector_id) if connector_id else ['[connector_id] cannot be [null] or [""].']
