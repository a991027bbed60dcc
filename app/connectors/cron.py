"""Schedules in Quartz's cron syntax: whether Elasticsearch would take a text for one, and what it says if not.

Six or seven fields, separated by blanks: second, minute, hour, day of month, month, day of week and, optionally, year. Case
doesn't matter. Exactly one of the two days is `?`.
"""

from __future__ import annotations

import re

from app.connectors.cron_fields import KINDS, Days, Item, Kind, Refused

# Far more than all values there are. Elasticsearch knows no limit, but each item of a list takes time.
_LONGEST = 65_536
# What Java trims.
_BLANKS = "".join(map(chr, range(0x21)))


def violation(expression: str) -> str | None:
    """What is wrong with the expression, in Elasticsearch's words; None for a good one."""
    try:
        _check(expression.upper())
    except Refused as refused:
        return f"illegal cron expression format [{refused}]"
    return None


def _check(expression: str) -> None:
    if len(expression) > _LONGEST:
        raise Refused(f"longer than [{_LONGEST}] characters")
    tokens = [token.strip(_BLANKS) for token in re.split("[ \t]", expression) if token]
    days = {"day": Days(), "weekday": Days()}
    for kind, token in zip(KINDS, tokens, strict=False):
        _check_lists(kind, token)
        for item in token.split(","):
            if item:
                Item(kind, item, days).check()
    if len(tokens) < len(KINDS) - 1:
        raise Refused(f"unexpected end of expression at pos [{len(expression)}].")
    if days["day"].open == days["weekday"].open:
        raise Refused(
            "support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
        )


def _check_lists(kind: Kind, token: str) -> None:
    """What must not stand beside others in a list."""
    if "L" in token and "," in token:
        if kind.name == "day":
            raise Refused(
                "support for specifying 'L' and 'LW' with other days of the month is not implemented"
            )
        if kind.name == "weekday":
            raise Refused("support for specifying 'L' with other days of the week is not implemented")
    if kind.name == "weekday" and token.count("#") > 1:
        raise Refused('support for specifying multiple "nth" days is not implemented.')
