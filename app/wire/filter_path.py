"""The `filter_path` parameter: which parts of an answer are wanted.

A path names keys from the outside in, separated by dots; `*` stands for any characters of one key, `**` for one or more
whole keys, a leading `-` takes away. Arrays are looked through: they add no step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# For each key the texts between its wildcards, None for `**`. Not a regular expression: callers could make one explode.
_Path = tuple[tuple[str, ...] | None, ...]
_NOTHING = object()
_DOT = re.compile(r"(?<!\\)\.")


@dataclass(frozen=True, slots=True)
class FilterPath:
    """A parsed `filter_path`: what to keep (everything when empty) and what to leave out of that."""

    included: tuple[_Path, ...]
    excluded: tuple[_Path, ...]

    @classmethod
    def parse(cls, text: str) -> FilterPath:
        """Read the parameter's value, a comma list of paths."""
        paths = [path for path in (part.strip() for part in text.split(",")) if path]
        return cls(
            included=tuple(_compile(path) for path in paths if not path.startswith("-")),
            excluded=tuple(_compile(path[1:]) for path in paths if path.startswith("-")),
        )

    def apply(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is left of the payload. Objects and arrays that lose all they had are left out themselves."""
        kept: Any = payload
        if self.included:
            kept = _keep(kept, self.included)
        if self.excluded and kept is not _NOTHING:
            kept = _leave_out(kept, self.excluded)
        return {} if kept is _NOTHING else kept


def _compile(path: str) -> _Path:
    return tuple(None if part == "**" else _key_pattern(part) for part in _DOT.split(path))


def _key_pattern(part: str) -> tuple[str, ...]:
    return tuple(re.split(r"\*+", part.replace("\\.", ".")))


def _matches(pattern: tuple[str, ...], key: str) -> bool:
    first, *between = pattern
    if not between:
        return key == first
    last = between.pop()
    if len(key) < len(first) + len(last) or not (key.startswith(first) and key.endswith(last)):
        return False
    position, end = len(first), len(key) - len(last)
    for text in between:
        position = key.find(text, position, end)
        if position < 0:
            return False
        position += len(text)
    return True


def _step(paths: tuple[_Path, ...], key: str) -> tuple[bool, tuple[_Path, ...]]:
    """Whether a path ends at `key`, and what is left of the paths that lead on through it."""
    left: list[_Path] = []
    ended = False
    for path in paths:
        first, rest = path[0], path[1:]
        if first is None:
            # `**` may end here or take the next key as well.
            left.append(path)
        elif not _matches(first, key):
            continue
        if rest:
            left.append(rest)
        else:
            ended = True
    return ended, tuple(dict.fromkeys(left))


def _keep(value: Any, paths: tuple[_Path, ...]) -> Any:
    kept: Any
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            ended, left = _step(paths, key)
            part = inner if ended else _keep(inner, left) if left else _NOTHING
            if part is not _NOTHING:
                kept[key] = part
    elif isinstance(value, list | tuple):
        kept = []
        for inner in value:  # no comprehension: its frames would halve the depth that can be looked at
            part = _keep(inner, paths)
            if part is not _NOTHING:
                kept.append(part)
    else:
        return _NOTHING
    return kept or _NOTHING


def _leave_out(value: Any, paths: tuple[_Path, ...]) -> Any:
    kept: Any
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            ended, left = _step(paths, key)
            part = _NOTHING if ended else _leave_out(inner, left) if left else inner
            if part is not _NOTHING:
                kept[key] = part
    elif isinstance(value, list | tuple):
        kept = []
        for inner in value:  # no comprehension: its frames would halve the depth that can be looked at
            part = _leave_out(inner, paths)
            if part is not _NOTHING:
                kept.append(part)
    else:
        return value
    return kept if kept or not value else _NOTHING
