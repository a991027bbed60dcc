"""The keys in app/protocol.py are the ones that the endpoints accept."""

from __future__ import annotations

from app import protocol
from app.connectors.schemas.configuration import ConfigurationItem
from app.connectors.schemas.filtering import FilteringState
from app.connectors.schemas.syncing import Pipeline


def test_snapshot_keys_are_those_that_connectors_accept() -> None:
    assert sorted(ConfigurationItem().fields) == sorted(protocol.CONFIGURATION_ITEM_KEYS)
    assert sorted(Pipeline().fields) == sorted(protocol.PIPELINE_KEYS)
    assert sorted(FilteringState().fields) == sorted(protocol.FILTERING_KEYS)
