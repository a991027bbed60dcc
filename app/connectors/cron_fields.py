"""The fields of a cron expression: what each may hold, item by item, and Elasticsearch's words for what it may not.

The order of the checks is part of the contract, since the first that fails is what the caller reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_YEARS_AHEAD = 50
_INT_MAX = 2**31 - 1
_LAST_DAY = re.compile(r"L-[0-9]*W?")
# Any digit that Unicode knows, as in Java; more of them make no number of Java's.
_INTEGER = re.compile(r"([+-]?)0*(\d{1,10})")
_ILLEGAL_ARGUMENT = "java.lang.IllegalArgumentException"


class Refused(Exception):
    """The text names the class of the Java exception that Elasticsearch shows here."""

    def __init__(self, text: str | None, exception: str = _ILLEGAL_ARGUMENT) -> None:
        super().__init__(exception if text is None else f"{exception}: {text}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the seven fields: the range of its values, what it says beyond, and the largest step behind `*`."""

    name: str
    low: int
    high: int
    out_of_range: str
    largest_step: int = _INT_MAX
    step_refusal: str = ""
    names: tuple[str, ...] = ()


_SIXTIETHS = "Minute and Second values must be between 0 and 59"
KINDS = (
    Kind("second", 0, 59, _SIXTIETHS, 59, "increment [{}] > 60 at pos [{}]"),
    Kind("minute", 0, 59, _SIXTIETHS, 59, "increment [{}] > 60 at pos [{}]"),
    Kind("hour", 0, 23, "Hour values must be between 0 and 23", 23, "increment [{}] > 24 at pos [{}]"),
    Kind(
        "day", 1, 31, "Day of month values must be between 1 and 31", 31, "increment [{}] > 31 at pos [{}] "
    ),
    Kind(
        "month",
        1,
        12,
        "Month values must be between 1 and 12",
        12,
        "increment [{}] > 12 at pos [{}]",
        _MONTHS,
    ),
    Kind(
        "weekday",
        1,
        7,
        "Day-of-Week values must be between 1 and 7",
        7,
        "increment [{}] > 7 at pos [{}] ",
        _WEEKDAYS,
    ),
    Kind("year", 0, _INT_MAX, ""),
)


@dataclass(slots=True)
class Days:
    """What the rules between the two day fields look at: which of them said what."""

    open: bool = False  # the `?`
    every: bool = False
    some: bool = False
    last: bool = False


class Item:
    """One item of a field's list, read from left to right."""

    def __init__(self, kind: Kind, text: str, days: dict[str, Days]) -> None:
        self.kind = kind
        self.text = text
        self.days = days

    def check(self) -> None:
        """Raise `Refused` for an item that isn't one. What follows a whole item is ignored, as Elasticsearch does."""
        first = self.text[0]
        if "A" <= first <= "Z" and self.text not in ("L", "LW") and not _LAST_DAY.fullmatch(self.text):
            self._check_name()
        elif first == "?":
            self._check_open()
        elif first in "*/":
            self._check_every()
        elif first == "L":
            self._check_last()
        elif "0" <= first <= "9":
            value, position = self._number(0)
            self._check_value(value, position)
        else:
            raise Refused(f"Unexpected character [{first}] at pos [0] ")

    def _check_name(self) -> None:
        value = self._named(0)
        following = self.text[3:4]
        if following == "-":
            self._add(value, self._named(4), 1)
            return
        if self.kind.name == "weekday" and following == "#":
            self._check_nth(4)
        self._add(value)

    def _named(self, position: int) -> int:
        end = position + 3
        if end > len(self.text):
            raise _out_of_bounds(f"Range [{position}, {end})", self.text)
        name = self.text[position:end]
        if not self.kind.names:
            raise Refused(f"illegal characters [{name}] at pos [{position}] '")
        if name not in self.kind.names:
            label = "Month" if self.kind.name == "month" else "Day-of-Week"
            raise Refused(f"invalid {label} value [{name}] at pos [{position}]")
        return self.kind.names.index(name) + 1

    def _check_open(self) -> None:
        if len(self.text) > 2:
            raise Refused(f"illegal character [{self.text[1]}] after '?' at pos [1]")
        if self.kind.name not in self.days:
            raise Refused("'?' can only be specified for Day-of-Month or Day-of-Week. at pos [1]")
        month_days = self.days["day"]
        if self.kind.name == "weekday" and not month_days.last:
            if not (month_days.open or month_days.every or month_days.some):
                raise Refused(None, "java.util.NoSuchElementException")
            if month_days.open and not month_days.every:
                raise Refused("'?' can only be specified for Day-of-Month -OR- Day-of-Week. at pos [1]")
        self.days[self.kind.name].open = True

    def _check_every(self) -> None:
        if self.text == "/":
            raise Refused("'/' must be followed by an integer. at pos [0]")
        position = 1 if self.text[0] == "*" else 0
        step = 0 if self.text == "*" else 1
        if self.text[position : position + 1] == "/":
            position += 1
            if position >= len(self.text):
                raise Refused(f"Unexpected end of string. at pos [{position}]")
            step = _integer(self.text[position:])
            position += 2 if step > 10 else 1
            if step > self.kind.largest_step:
                raise Refused(self.kind.step_refusal.format(step, position))
        if self.kind.name in self.days:
            marks = self.days[self.kind.name]
            marks.some, marks.every = True, marks.every or step <= 0

    def _check_last(self) -> None:
        if self.kind.name != "day":
            return
        self.days["day"].last = True
        if self.text[1:2] == "-":
            offset, _ = self._digits(2, "0")
            if offset > 30:
                raise Refused("offset from last day must be <= 30 at pos [2]")

    def _check_value(self, value: int, position: int) -> None:
        match self.text[position : position + 1]:
            case "L":
                if self.kind.name != "weekday":
                    raise Refused(f"'L' option is not valid here. at pos [{position}]")
                self._add(value)
            case "W":
                self._check_nearest(value, position)
            case "#":
                if self.kind.name != "weekday":
                    raise Refused(f"'#' option is not valid here. at pos [{position}]")
                self._check_nth(position + 1)
            case "-":
                self._check_range(value, position + 1)
            case "/":
                self._add(value, step=self._step(position + 1))
            case _:
                self._add(value)

    def _check_nearest(self, value: int, position: int) -> None:
        if self.kind.name != "day":
            raise Refused(f"'W' option is not valid here. at pos [{position}]")
        if value > 31:
            raise Refused(
                "the 'W' option does not make sense with values larger than 31 "
                f"(max number of days in a month) at pos [{position}]"
            )
        self.days["day"].some = True

    def _check_nth(self, position: int) -> None:
        nth = _INTEGER.fullmatch(self.text, position)
        if nth is None or not 1 <= int(nth[1] + nth[2]) <= 5:
            raise Refused(f"a numeric value between 1 and 5 must follow the '#' option at pos [{position}]")

    def _check_range(self, start: int, position: int) -> None:
        end, position = self._number(position)
        step = 1
        if self.text[position : position + 1] == "/":
            step, _ = self._number(position + 1)
        self._add(start, end, step)

    def _step(self, position: int) -> int:
        step, end = self._number(position)
        if end == position + 1 and end < len(self.text):
            raise Refused(f"Unexpected character [{self.text[end]}] after '/' at pos [{end}]")
        return step

    def _number(self, position: int) -> tuple[int, int]:
        """The number that starts here, and where it ends."""
        if position >= len(self.text):
            raise _out_of_bounds(f"Index {position}", self.text)
        return self._digits(position + 1, str(_integer(self.text[position])))

    def _digits(self, position: int, read: str) -> tuple[int, int]:
        if position >= len(self.text) and read == "0" and self.text[0] == "L":
            raise _out_of_bounds(f"Index {position}", self.text)
        end = position
        while end < len(self.text) and "0" <= self.text[end] <= "9":
            end += 1
        return _integer(read + self.text[position:end]), end

    def _add(self, value: int, end: int = -1, step: int = 0) -> None:
        kind = self.kind
        if kind.name == "year":
            if step and value > (_last_year() if end == -1 else end):
                raise Refused("Start year must be less than stop year")
            return
        if value < kind.low or value > kind.high or end > kind.high:
            raise Refused(kind.out_of_range)
        if kind.name in self.days:
            self.days[kind.name].some = True


def _last_year() -> int:
    return datetime.now(UTC).year + _YEARS_AHEAD


def _integer(text: str) -> int:
    match = _INTEGER.fullmatch(text)
    if match is None or not -_INT_MAX - 1 <= (number := int(match[1] + match[2])) <= _INT_MAX:
        raise Refused(f'For input string: "{text}"', "java.lang.NumberFormatException")
    return number


def _out_of_bounds(what: str, text: str) -> Refused:
    return Refused(
        f"{what} out of bounds for length {len(text)}", "java.lang.StringIndexOutOfBoundsException"
    )
