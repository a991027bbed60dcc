"""The indices as the files in `mappings/` describe them: names, settings, mapping and templates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

META_KEY = "connector_sync_service"
"""Our own key in `_meta`; every other key there belongs to somebody else."""

_FOLDER = Path(__file__).resolve().parents[2] / "mappings"


@dataclass(frozen=True)
class IndexDefinition:
    """How one index should be. Requests always go to `alias`; `name` is the index behind it.

    `queried` are the dotted names of the fields that searches filter or sort by. `setting` is the setting that asks for
    the index, None where it is always needed. An index that nobody else makes has no templates.
    """

    file: str
    alias: str
    name: str
    alias_options: dict[str, Any]
    setting: str | None
    template: str | None
    template_priority: int | None
    settings_component: str | None
    mappings_component: str | None
    queried: tuple[str, ...]
    settings: dict[str, Any]
    mappings: dict[str, Any]

    @classmethod
    def load(cls, file: str) -> IndexDefinition:
        """Read one file of `mappings/`. Raises `OSError`, `ValueError` or `KeyError` on an incomplete file."""
        content = json.loads((_FOLDER / file).read_text("utf-8"))
        template: dict[str, Any] = content.get("template", {})
        return cls(
            file=f"mappings/{file}",
            alias=content["alias"],
            name=content["index"],
            alias_options=content.get("alias_options", {}),
            setting=content.get("setting"),
            template=template.get("name"),
            template_priority=template.get("priority"),
            settings_component=template.get("settings_component"),
            mappings_component=template.get("mappings_component"),
            queried=tuple(content["queried"]),
            settings=content["settings"],
            mappings=content["mappings"],
        )

    @property
    def own_meta(self) -> dict[str, Any]:
        """Our part of `_meta`: the version of our mapping, which rises with each change of the file."""
        return {META_KEY: self.mappings["_meta"][META_KEY]}

    @cached_property
    def component_templates(self) -> dict[str, dict[str, Any]]:
        """The bodies of the component templates, by name."""
        parts = {
            self.settings_component: {"settings": self.settings},
            self.mappings_component: {"mappings": self.mappings},
        }
        return {name: body for name, body in parts.items() if name is not None}

    def type_of(self, field: str) -> str:
        """The type that our mapping gives to the field of that dotted name. Raises `KeyError` if it gives none."""
        mapping: dict[str, Any] = self.mappings
        for part in field.split("."):
            mapping = mapping["properties"][part]
        return str(mapping.get("type", "object"))


CONNECTORS = IndexDefinition.load("connectors.json")
SYNC_JOBS = IndexDefinition.load("sync_jobs.json")
LEASES = IndexDefinition.load("leases.json")
SECRETS = IndexDefinition.load("secrets.json")
DEFINITIONS = (CONNECTORS, SYNC_JOBS, LEASES)
"""The indices that every service needs."""
