"""Elasticsearch's time values, `30s` or `10m`: a whole number and a unit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

ZERO: Final = timedelta(0)

# In nanoseconds.
_UNITS = {
    "nanos": 1,
    "micros": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_BLANKS = "".join(map(chr, range(ord(" ") + 1)))
_VALUE = re.compile(rf"(?P<number>.*?)(?P<unit>{'|'.join(_UNITS)})", re.DOTALL)
_LONG = re.compile(r"([+-]?)0*(\d{1,19})")
_FLOAT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?[df]?", re.ASCII)
_LONGEST = timedelta.max // timedelta(microseconds=1)


class InvalidTimeValue(ValueError):
    """A text that is no time value: the reason, and that of the cause below it, if there is one."""

    def __init__(self, reason: str, inner_reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.inner_reason = inner_reason


def parse(name: str, text: str, *, minimum: timedelta = ZERO, maximum: timedelta | None = None) -> timedelta:
    """The duration that `text`, the value of `name`, stands for; the longest that there is for one that is longer.

    Raises:
        InvalidTimeValue: in Elasticsearch's words, for any other text, and for a duration out of the range.
    """
    duration = _parse(name, text)
    out_of_range = f"failed to parse value [{text}] for setting [{name}], must be"
    if duration < minimum:
        raise InvalidTimeValue(f"{out_of_range} >= [{to_text(minimum)}]")
    if maximum is not None and duration > maximum:
        raise InvalidTimeValue(f"{out_of_range} <= [{to_text(maximum)}]")
    return duration


def to_text(duration: timedelta) -> str:
    """The duration as a time value, in the largest unit of which it is a whole number."""
    if duration == ZERO:
        return "0s"
    nanos = duration // timedelta(microseconds=1) * 1_000
    unit = next(unit for unit in reversed(_UNITS) if nanos % _UNITS[unit] == 0)
    return f"{nanos // _UNITS[unit]}{unit}"


def _parse(name: str, text: str) -> timedelta:
    value = text.strip(_BLANKS).lower()
    match = _VALUE.fullmatch(value)
    # Elasticsearch takes capital letters and blanks behind all units but minutes.
    if match is None or (match["unit"] == "m" and not text.endswith("m")):
        if re.fullmatch("0+", value):
            return ZERO
        if re.fullmatch("-0*1", value):
            return -timedelta(milliseconds=1)
        raise _unreadable(name, text, "unit is missing or unrecognized")
    number = match["number"].strip(_BLANKS)
    digits = _LONG.fullmatch(number)
    count = int("".join(digits.groups())) if digits else 0
    if digits is None or not -(2**63) <= count < 2**63:
        hint = ", fractional time values are not supported" if _FLOAT.fullmatch(number) else ""
        raise InvalidTimeValue(f"failed to parse [{text}]{hint}", f'For input string: "{number}"')
    if count < -1:
        raise _unreadable(name, text, "negative durations are not supported")
    return timedelta(microseconds=min(count * _UNITS[match["unit"]] // 1_000, _LONGEST))


def _unreadable(name: str, text: str, why: str) -> InvalidTimeValue:
    return InvalidTimeValue(f"failed to parse setting [{name}] with value [{text}] as a time value: {why}")
