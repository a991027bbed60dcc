"""What keeps an index from being used, read from one `_field_caps` response; the privilege `read` is enough for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.store.index_definitions import IndexDefinition

# Types that work for the same queries as ours.
COMPATIBLE_TYPES = {"keyword": {"keyword", "constant_keyword", "wildcard"}, "date": {"date", "date_nanos"}}


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence for the operator that says how to fix it; `fixable` if creating what is missing may fix it."""

    text: str
    fixable: bool = False


def absent(definition: IndexDefinition) -> Problem:
    """There is neither an index nor an alias of that name."""
    asked = f", which the setting {definition.setting} asks for" if definition.setting else ""
    return Problem(
        f"There is no index behind the alias [{definition.alias}]{asked}: {_how_to_fix(definition)}.",
        fixable=True,
    )


def closed(definition: IndexDefinition) -> Problem:
    """The index is closed."""
    return Problem(
        f"The index behind [{definition.alias}] is closed: open it (POST /{definition.alias}/_open)."
    )


def find(definition: IndexDefinition, capabilities: Mapping[str, Any]) -> list[Problem]:
    """The problems that a `_field_caps` response for the alias shows.

    The request must have asked for `definition.queried`; objects above those fields come along unasked.
    """
    indices: list[str] = sorted(capabilities["indices"])
    if indices == [definition.alias]:
        return [
            Problem(
                f"[{definition.alias}] is an index, but must be an alias: move its documents to [{definition.name}] "
                "and delete it, or only delete it if they can be spared; then the service makes the alias."
            )
        ]
    if len(indices) != 1:
        names = ", ".join(f"[{index}]" for index in indices)
        return [
            Problem(
                f"The alias [{definition.alias}] stands for {len(indices)} indices ({names}), but documents are read "
                "and changed by id, which needs exactly one: take the alias off the others."
            )
        ]
    return list(_fields(definition, indices[0], capabilities["fields"]))


def _fields(definition: IndexDefinition, index: str, fields: Mapping[str, Any]) -> Iterator[Problem]:
    for name in definition.queried:
        wanted = definition.type_of(name)
        for parent in _parents(name):
            if parent in fields and "object" not in fields[parent]:
                yield _unusable(definition, index, parent, f"of type {_types(fields[parent])}", "object")
                break
        else:
            if name not in fields:
                yield Problem(
                    f"The field [{name}] of [{index}] is not mapped, but must be [{wanted}]: {_how_to_fix(definition)}.",
                    fixable=True,
                )
            elif not fields[name].keys() <= COMPATIBLE_TYPES.get(wanted, {wanted}):
                yield _unusable(definition, index, name, f"of type {_types(fields[name])}", wanted)
            elif not all(kind["searchable"] and kind["aggregatable"] for kind in fields[name].values()):
                yield _unusable(definition, index, name, "not searchable and sortable", wanted)


def _parents(field: str) -> list[str]:
    parts = field.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _types(kinds: Mapping[str, Any]) -> str:
    return ", ".join(f"[{kind}]" for kind in sorted(kinds))


def _unusable(definition: IndexDefinition, index: str, field: str, found: str, wanted: str) -> Problem:
    template = definition.mappings_component
    described = f"the component template [{template}]" if template else f"[{definition.file}]"
    return Problem(
        f"The field [{field}] of [{index}] is {found}, but must be [{wanted}]: reindex it into an index with the mapping "
        f"of {described} and move the alias [{definition.alias}] there, or delete it if its documents can be spared."
    )


def _how_to_fix(definition: IndexDefinition) -> str:
    return (
        "the service sees to it at its start and at each readiness check, "
        f"if its Elasticsearch user has the privilege [manage] on [{definition.alias}*]"
    )
