"""Schedules that Elasticsearch takes, those it doesn't with its words for them, and a second opinion on both."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quartz_cron_checker import QuartzCronChecker

from app.connectors.cron import violation

GOOD = [
    "0 0 0 * * ?",
    "0 0 0 ? * *",
    "1 * * * * ?",
    "0 0 12 ? * WED",
    "0 0/5 14,18 * * ?",
    "0 0-5 14 * * ?",
    "0 10,44 14 ? 3 WED",
    "0 15 10 ? * MON-FRI",
    "0 15 10 15 * ?",
    "0 15 10 L * ?",
    "0 15 10 L-2 * ?",
    "0 15 10 LW * ?",
    "0 15 10 15W * ?",
    "0 15 10 ? * 6L",
    "0 15 10 ? * 6#3",
    "0 0 0 1 JAN-JUN ?",
    "0 0 0 1 1/3 ?",
    "*/59 0 0 ? * *",
    "0 15 10 * * ? 2005",
    "0 0 0 * * ? 2020-2030/2",
    "0 0 0 * * ? *",
]
# Good to Elasticsearch, though not to everybody.
ODD = [
    "\t0 \t 0 0 ? * mon  ",
    "0 0 0 L-30W * ?",
    "0 0 0 ? * MON#1",
    "0 0 0 ? * FRIL",
    "0 0 0 * * ? 2020 whatever follows",
    "50-10 0 0 * * ?",
    "0/99 0 0 * * ?",
    "1,,2 0 0 * * ?",
    "/5 0 0 * * ?",
    "1x 0 0 * * ?",
    "0 0 0 ? * MONX",
    "0 0 0 * * ? 2200/0",
    "*/٣ 0 0 * * ?",
    "\n1 0 0 * * ?",
    "\x001\x1f 0 0 * * ?\r\n",
    f"0 0 0 * * ? {'0' * 5000}2030",
]
ARGUMENT = "java.lang.IllegalArgumentException"
NUMBER = "java.lang.NumberFormatException"
BOUNDS = "java.lang.StringIndexOutOfBoundsException"
SIXTIETHS = "Minute and Second values must be between 0 and 59"
BOTH = "support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
OTHER_DAYS = "support for specifying 'L' and 'LW' with other days of the month is not implemented"
OTHER_WEEKDAYS = "support for specifying 'L' with other days of the week is not implemented"
NTH = "a numeric value between 1 and 5 must follow the '#' option at pos [2]"
YEARS = "Start year must be less than stop year"
BAD = [
    ("", ARGUMENT, "unexpected end of expression at pos [0]."),
    ("0 0 0 * *", ARGUMENT, "unexpected end of expression at pos [9]."),
    ("0 0 0 * * *", ARGUMENT, BOTH),
    ("0 0 0 1 1 1", ARGUMENT, BOTH),
    ("61 0 0 * * ?", ARGUMENT, SIXTIETHS),
    ("0 0-70 0 * * ?", ARGUMENT, SIXTIETHS),
    ("0 0 24 * * ?", ARGUMENT, "Hour values must be between 0 and 23"),
    ("0 0 0 0 * ?", ARGUMENT, "Day of month values must be between 1 and 31"),
    ("0 0 0 32 * ?", ARGUMENT, "Day of month values must be between 1 and 31"),
    ("0 0 0 1 13 ?", ARGUMENT, "Month values must be between 1 and 12"),
    ("0 0 0 ? * 8", ARGUMENT, "Day-of-Week values must be between 1 and 7"),
    ("0 0 0 ? * 0L", ARGUMENT, "Day-of-Week values must be between 1 and 7"),
    ("? 0 0 * * ?", ARGUMENT, "'?' can only be specified for Day-of-Month or Day-of-Week. at pos [1]"),
    ("0 0 0 ? * ?", ARGUMENT, "'?' can only be specified for Day-of-Month -OR- Day-of-Week. at pos [1]"),
    ("0 0 0 ?12 * *", ARGUMENT, "illegal character [1] after '?' at pos [1]"),
    ("@daily", ARGUMENT, "Unexpected character [@] at pos [0] "),
    ("-1 0 0 * * ?", ARGUMENT, "Unexpected character [-] at pos [0] "),
    ("1/2/3 0 0 * * ?", ARGUMENT, "Unexpected character [/] after '/' at pos [3]"),
    ("ABC 0 0 * * ?", ARGUMENT, "illegal characters [ABC] at pos [0] '"),
    ("0 0 0 ? FOO *", ARGUMENT, "invalid Month value [FOO] at pos [0]"),
    ("0 0 0 ? JAN-FOO *", ARGUMENT, "invalid Month value [FOO] at pos [4]"),
    ("0 0 0 ? * FOO", ARGUMENT, "invalid Day-of-Week value [FOO] at pos [0]"),
    ("*/60 0 0 * * ?", ARGUMENT, "increment [60] > 60 at pos [4]"),
    ("/60 0 0 * * ?", ARGUMENT, "increment [60] > 60 at pos [3]"),
    ("0 0 */24 * * ?", ARGUMENT, "increment [24] > 24 at pos [4]"),
    ("0 0 0 */32 * ?", ARGUMENT, "increment [32] > 31 at pos [4] "),
    ("0 0 0 ? */13 *", ARGUMENT, "increment [13] > 12 at pos [4]"),
    ("0 0 0 ? * */8", ARGUMENT, "increment [8] > 7 at pos [3] "),
    ("/ 0 0 * * ?", ARGUMENT, "'/' must be followed by an integer. at pos [0]"),
    ("*/ 0 0 * * ?", ARGUMENT, "Unexpected end of string. at pos [2]"),
    ("0 0 0 1,L * ?", ARGUMENT, OTHER_DAYS),
    ("0 0 0 ? * 3,6L", ARGUMENT, OTHER_WEEKDAYS),
    ("0 0 0 ? * 1#1,2#2", ARGUMENT, 'support for specifying multiple "nth" days is not implemented.'),
    ("0 0 0 ? * 6#6", ARGUMENT, NTH),
    ("0 0 0 ? * 6#", ARGUMENT, NTH),
    ("0 0 0 L-31 * ?", ARGUMENT, "offset from last day must be <= 30 at pos [2]"),
    ("0 0 0 1L * ?", ARGUMENT, "'L' option is not valid here. at pos [1]"),
    ("0 0 0 ? * 5W", ARGUMENT, "'W' option is not valid here. at pos [1]"),
    ("0 0 0 1#2 * ?", ARGUMENT, "'#' option is not valid here. at pos [1]"),
    (
        "0 0 0 32W * ?",
        ARGUMENT,
        "the 'W' option does not make sense with values larger than 31 (max number of days in a month) at pos [2]",
    ),
    ("0 0 0 * * ? 2020-2010", ARGUMENT, YEARS),
    ("0 0 0 * * ? 2200/2", ARGUMENT, YEARS),
    ("*/x 0 0 * * ?", NUMBER, 'For input string: "X"'),
    ("1-- 0 0 * * ?", NUMBER, 'For input string: "-"'),
    ("99999999999 0 0 * * ?", NUMBER, 'For input string: "99999999999"'),
    ("1- 0 0 * * ?", BOUNDS, "Index 2 out of bounds for length 2"),
    ("1/ 0 0 * * ?", BOUNDS, "Index 2 out of bounds for length 2"),
    ("0 0 0 L- * ?", BOUNDS, "Index 2 out of bounds for length 2"),
    ("0 0 0 ? * MO", BOUNDS, "Range [0, 3) out of bounds for length 2"),
]


NINES = "9" * 5000  # more digits than Python turns into a number
LONG = [
    (f"{NINES} 0 0 * * ?", NUMBER, f'For input string: "{NINES}"'),
    (f"*/{NINES} 0 0 * * ?", NUMBER, f'For input string: "{NINES}"'),
    (f"1/{NINES} 0 0 * * ?", NUMBER, f'For input string: "{NINES}"'),
    (f"0 0-{NINES} 0 * * ?", NUMBER, f'For input string: "{NINES}"'),
    (f"0 0 0 ? * 6#{NINES}", ARGUMENT, NTH),
    (f"0 0 0 L-{NINES} * ?", NUMBER, f'For input string: "0{NINES}"'),
    (f"0 0 0 * * ? {NINES}", NUMBER, f'For input string: "{NINES}"'),
    ("1," * 1_000_000 + "1 0 0 * * ?", ARGUMENT, "longer than [65536] characters"),
]


@pytest.mark.parametrize("expression", GOOD + ODD)
def test_good(expression) -> None:
    assert violation(expression) is None


@pytest.mark.parametrize(("expression", "exception", "text"), BAD)
def test_bad(expression, exception, text) -> None:
    assert violation(expression) == f"illegal cron expression format [{exception}: {text}]"


@pytest.mark.parametrize(("expression", "exception", "text"), LONG, ids=lambda text: text[:12])
def test_what_is_very_long_is_refused_at_once(expression, exception, text) -> None:
    before = time.process_time()
    test_bad(expression, exception, text)
    assert time.process_time() - before < 1


def test_the_longest_list_is_cheap() -> None:
    before = time.process_time()
    assert violation("1," * 32_000 + "1 0 0 * * ?") is None
    assert time.process_time() - before < 1


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\x7f"])
def test_only_what_java_trims_is_trimmed(blank) -> None:
    assert "Unexpected character" in violation(f"{blank}1 0 0 * * ?")


def test_an_exception_without_a_text() -> None:
    assert violation("0 0 0 , * ?") == "illegal cron expression format [java.util.NoSuchElementException]"


def test_steps_of_years_end_in_fifty_years() -> None:
    last = datetime.now(UTC).year + 50
    assert violation(f"0 0 0 * * ? {last}/2") is None
    assert violation(f"0 0 0 * * ? {last + 1}/2") is not None


@given(st.text(alphabet="0123456789*,-/?LW#JANMOFRI \t", max_size=40))
def test_any_text_has_an_answer(text) -> None:
    found = violation(text)
    assert found is None or found.startswith("illegal cron expression format [java.")


# What the other library takes for good although Elasticsearch does not.
LAXER = {"0 0 0 ? * 0L", "0 0 0 ? * 1#1,2#2", "0 0 0 ? * 6#6", "0 0 0 * * ? 2020-2010"}


def second_opinion(expression: str) -> bool:
    try:
        return QuartzCronChecker.validate_cron_string(expression)
    except ValueError:
        return False


@pytest.mark.parametrize("expression", GOOD)
def test_a_second_opinion_on_the_good(expression) -> None:
    assert second_opinion(expression)


@pytest.mark.parametrize("expression", [each for each, _, _ in BAD if each not in LAXER])
def test_a_second_opinion_on_the_bad(expression) -> None:
    assert not second_opinion(expression)
