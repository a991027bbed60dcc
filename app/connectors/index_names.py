"""The rules for the name of the index that a connector writes to."""

from __future__ import annotations

MANAGED_PREFIX = "content-"
"""What the index name of an Elastic-managed connector starts with."""

INDEX_NAME = r'^(?![_+-])(?!\.\.?$)[^ "*,/<>?\\|#:]{1,255}$'
"""The rules below as a regular expression, for documentation; the length counts characters."""

_FORBIDDEN = ' "*,/<>?\\|'
_LONGEST_NAME_BYTES = 255


def violation(name: str) -> str | None:
    """The first rule of Elasticsearch's index-name syntax that the name breaks; None for a valid name."""
    rule = _broken_rule(name)
    if rule is None:
        return None
    return (
        f"[{name}] org.elasticsearch.indices.InvalidIndexNameException: Invalid index name [{name}], {rule}"
    )


def unmanageable(name: str) -> str:
    """The error message for an Elastic-managed connector whose index lacks the prefix."""
    return (
        f"Index [{name}] is invalid. "
        f"Index attached to an Elastic-managed connector must start with the prefix: [{MANAGED_PREFIX}]"
    )


def _broken_rule(name: str) -> str | None:
    if any(character in _FORBIDDEN for character in name):
        return "must not contain the following characters [" + ",".join(f"'{c}'" for c in _FORBIDDEN) + "]"
    if not name:
        return "must not be empty"
    for character in "#:":
        if character in name:
            return f"must not contain '{character}'"
    if name[0] in "_-+":
        return "must not start with '_', '-', or '+'"
    length = len(name.encode())
    if length > _LONGEST_NAME_BYTES:
        return f"index name is too long, ({length} > {_LONGEST_NAME_BYTES})"
    if name in (".", ".."):
        return "must not be '.' or '..'"
    return None
