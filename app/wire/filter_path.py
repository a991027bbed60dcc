"""The `filter_path` parameter: which parts of a response are wanted.

A path names keys from the outside in, separated by dots; `*` stands for any characters of one key, `**` for one or more
whole keys, a leading `-` takes away. Arrays are looked through: they add no step.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# For each key the texts between its wildcards, None for `**`. Not a regular expression: callers could make one take forever.
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
            kept = _keep(kept, _Steps(self.included, {}))
        if self.excluded and kept is not _NOTHING:
            kept = _leave_out(kept, _Steps(self.excluded, {}))
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


class _Steps:
    """The effect of one key on some paths, computed once for each key: responses repeat keys in every document.

    `met` has all sets of paths that came up so far.
    """

    def __init__(self, paths: tuple[_Path, ...], met: dict[tuple[_Path, ...], _Steps]) -> None:
        met[paths] = self
        self._met = met
        self._known: dict[str, _Step] = {}
        # What is left whatever the key is; then what each key adds, and what each pattern, beside its longest text.
        self._always: list[_Path] = []
        self._keys: dict[str, list[_Path]] = {}
        self._patterns: list[tuple[str, tuple[str, ...], _Path]] = []
        for path in paths:
            first, rest = path[0], path[1:]
            if first is None:
                # `**` may end here or take the next key as well.
                self._always += (path, rest)
            elif len(first) == 1:
                self._keys.setdefault(first[0], []).append(rest)
            elif any(first):
                self._patterns.append((max(first, key=len), first, rest))
            else:
                self._always.append(rest)

    def through(self, key: str) -> _Step:
        """Whether a path ends at `key`, and the paths that continue below it, if any."""
        if key not in self._known:
            matched = [rest for text, first, rest in self._patterns if text in key and _matches(first, key)]
            added = [*self._keys.get(key, ()), *matched]
            self._known[key] = self._joined(added) if added else self._otherwise
        return self._known[key]

    @cached_property
    def _otherwise(self) -> _Step:
        return self._joined([])

    def _joined(self, added: list[_Path]) -> _Step:
        rests = dict.fromkeys([*self._always, *added])
        left = tuple(rest for rest in rests if rest)
        return () in rests, (self._met.get(left) or _Steps(left, self._met)) if left else None


_Step = tuple[bool, _Steps | None]


def _keep(value: Any, steps: _Steps) -> Any:
    kept: Any
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            ended, left = steps.through(key)
            part = inner if ended else _keep(inner, left) if left else _NOTHING
            if part is not _NOTHING:
                kept[key] = part
    elif isinstance(value, list | tuple):
        kept = []
        for inner in value:  # no comprehension: its frames would halve the depth that can be looked at
            part = _keep(inner, steps)
            if part is not _NOTHING:
                kept.append(part)
    else:
        return _NOTHING
    return kept or _NOTHING


def _leave_out(value: Any, steps: _Steps) -> Any:
    kept: Any
    if isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            ended, left = steps.through(key)
            part = _NOTHING if ended else _leave_out(inner, left) if left else inner
            if part is not _NOTHING:
                kept[key] = part
    elif isinstance(value, list | tuple):
        kept = []
        for inner in value:  # no comprehension: its frames would halve the depth that can be looked at
            part = _leave_out(inner, steps)
            if part is not _NOTHING:
                kept.append(part)
    else:
        return value
    return kept if kept or not value else _NOTHING
