"""Which additions an existing mapping needs; no node is used."""

from __future__ import annotations

from typing import Any

import pytest

from app.store.index_definitions import CONNECTORS, DEFINITIONS, META_KEY, SYNC_JOBS, IndexDefinition
from app.store.mapping_changes import missing

WANTED: dict[str, Any] = {
    "dynamic": False,
    "_meta": {META_KEY: {"version": 2}, "pipeline": {"name": "p"}},
    "properties": {
        "error": {"type": "keyword", "ignore_above": 10},
        "count": {"type": "long"},
        "inner": {"properties": {"a": {"type": "keyword"}, "b": {"properties": {"c": {"type": "date"}}}}},
    },
}


def with_field(name: str, field: dict[str, Any]) -> dict[str, Any]:
    return WANTED | {"properties": WANTED["properties"] | {name: field}}


def test_complete_mapping_needs_no_changes() -> None:
    assert missing(WANTED, WANTED) == {}


def test_empty_mapping_needs_everything() -> None:
    assert missing({}, WANTED) == {
        "dynamic": False,
        "meta": WANTED["_meta"],
        "properties": WANTED["properties"],
    }


@pytest.mark.parametrize("dynamic", ["true", "false", "strict", "runtime"])
def test_existing_value_of_dynamic_is_kept(dynamic: str) -> None:
    assert "dynamic" not in missing({"dynamic": dynamic}, WANTED)


def test_missing_fields_are_added_at_every_depth() -> None:
    existing = with_field("inner", {"properties": {"a": {"type": "keyword"}, "b": {"properties": {}}}})

    assert missing(existing, WANTED) == {
        "properties": {"inner": {"properties": {"b": {"properties": {"c": {"type": "date"}}}}}}
    }


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("count", {"type": "integer"}),
        ("error", {"type": "text"}),
        ("error", {"properties": {"x": {"type": "text"}}}),
        ("inner", {"type": "keyword"}),
        ("inner", {"type": "nested", "properties": {}}),
        ("inner", {"type": "object", "enabled": False}),
    ],
)
def test_field_of_another_type_is_kept(name: str, field: dict[str, Any]) -> None:
    assert missing(with_field(name, field), WANTED) == {}


@pytest.mark.parametrize(
    "options", [{}, {"ignore_above": 256}, {"index": False, "fields": {"x": {"type": "text"}}}]
)
def test_ignore_above_is_set_and_other_options_of_the_field_are_kept(options: dict[str, Any]) -> None:
    changes = missing(with_field("error", {"type": "keyword", **options}), WANTED)

    assert changes == {"properties": {"error": {"type": "keyword", **options, "ignore_above": 10}}}


@pytest.mark.parametrize("ours", [{}, {META_KEY: {"version": 1}}, {META_KEY: "broken"}])
def test_meta_is_merged_and_foreign_keys_are_kept(ours: dict[str, Any]) -> None:
    existing = WANTED | {"_meta": {"version": 9, "pipeline": {"name": "theirs"}, **ours}}

    assert missing(existing, WANTED) == {
        "meta": {"version": 9, "pipeline": {"name": "theirs"}, META_KEY: {"version": 2}}
    }


def test_newer_version_in_meta_is_kept() -> None:
    newer = WANTED | {"_meta": WANTED["_meta"] | {META_KEY: {"version": 3}}}

    assert missing(newer, WANTED) == {}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_every_queried_field_has_a_type(definition: IndexDefinition) -> None:
    types = {definition.type_of(field) for field in definition.queried}

    assert types <= {"keyword", "date", "boolean", "long"}


def test_settings_that_the_templates_share_are_equal() -> None:
    assert CONNECTORS.settings_component == SYNC_JOBS.settings_component
    assert CONNECTORS.settings == SYNC_JOBS.settings
