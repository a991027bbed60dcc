"""Cron expressions that Elasticsearch accepts or refuses, with its messages; both compared with another checker."""

from __future__ import annotations

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
# Accepted by Elasticsearch, but not by every cron library.
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
    "\n1 0 0 * * ?",
    "0 0 0 * * ?\r\n",
]
SIXTIETHS = "Minute and Second values must be between 0 and 59"
BOTH = "support for specifying both a day-of-week AND a day-of-month parameter is not implemented."
OTHER_DAYS = "support for specifying 'L' and 'LW' with other days of the month is not implemented"
OTHER_WEEKDAYS = "support for specifying 'L' with other days of the week is not implemented"
NTH = "a numeric value between 1 and 5 must follow the '#' option at pos [2]"
YEARS = "Start year must be less than stop year"
BAD = [
    ("", "unexpected end of expression at pos [0]."),
    ("0 0 0 * *", "unexpected end of expression at pos [9]."),
    ("0 0 0 * * *", BOTH),
    ("0 0 0 1 1 1", BOTH),
    ("61 0 0 * * ?", SIXTIETHS),
    ("0 0-70 0 * * ?", SIXTIETHS),
    ("0 0 24 * * ?", "Hour values must be between 0 and 23"),
    ("0 0 0 0 * ?", "Day of month values must be between 1 and 31"),
    ("0 0 0 32 * ?", "Day of month values must be between 1 and 31"),
    ("0 0 0 1 13 ?", "Month values must be between 1 and 12"),
    ("0 0 0 ? * 8", "Day-of-Week values must be between 1 and 7"),
    ("0 0 0 ? * 0L", "Day-of-Week values must be between 1 and 7"),
    ("? 0 0 * * ?", "'?' can only be specified for Day-of-Month or Day-of-Week. at pos [1]"),
    ("0 0 0 ? * ?", "'?' can only be specified for Day-of-Month -OR- Day-of-Week. at pos [1]"),
    ("0 0 0 ?12 * *", "illegal character [1] after '?' at pos [1]"),
    ("@daily", "Unexpected character [@] at pos [0] "),
    ("-1 0 0 * * ?", "Unexpected character [-] at pos [0] "),
    ("1/2/3 0 0 * * ?", "Unexpected character [/] after '/' at pos [3]"),
    ("ABC 0 0 * * ?", "illegal characters [ABC] at pos [0] '"),
    ("0 0 0 ? FOO *", "invalid Month value [FOO] at pos [0]"),
    ("0 0 0 ? JAN-FOO *", "invalid Month value [FOO] at pos [4]"),
    ("0 0 0 ? * FOO", "invalid Day-of-Week value [FOO] at pos [0]"),
    ("*/60 0 0 * * ?", "increment [60] > 60 at pos [4]"),
    ("/60 0 0 * * ?", "increment [60] > 60 at pos [3]"),
    ("0 0 */24 * * ?", "increment [24] > 24 at pos [4]"),
    ("0 0 0 */32 * ?", "increment [32] > 31 at pos [4] "),
    ("0 0 0 ? */13 *", "increment [13] > 12 at pos [4]"),
    ("0 0 0 ? * */8", "increment [8] > 7 at pos [3] "),
    ("/ 0 0 * * ?", "'/' must be followed by an integer. at pos [0]"),
    ("*/ 0 0 * * ?", "Unexpected end of string. at pos [2]"),
    ("0 0 0 1,L * ?", OTHER_DAYS),
    ("0 0 0 ? * 3,6L", OTHER_WEEKDAYS),
    ("0 0 0 ? * 1#1,2#2", 'support for specifying multiple "nth" days is not implemented.'),
    ("0 0 0 ? * 6#6", NTH),
    ("0 0 0 ? * 6#", NTH),
    ("0 0 0 L-31 * ?", "offset from last day must be <= 30 at pos [2]"),
    ("0 0 0 1L * ?", "'L' option is not valid here. at pos [1]"),
    ("0 0 0 ? * 5W", "'W' option is not valid here. at pos [1]"),
    ("0 0 0 1#2 * ?", "'#' option is not valid here. at pos [1]"),
    (
        "0 0 0 32W * ?",
        "the 'W' option does not make sense with values larger than 31 (max number of days in a month) at pos [2]",
    ),
    ("0 0 0 * * ? 2020-2010", YEARS),
    ("0 0 0 * * ? 2200/2", YEARS),
    # Where Elasticsearch quotes exceptions of Java's libraries, the message here is simpler.
    ("*/x 0 0 * * ?", "invalid value [*/X]"),
    ("*/-5 0 0 * * ?", "invalid value [*/-5]"),
    ("*/٣ 0 0 * * ?", "invalid value [*/٣]"),
    ("1-- 0 0 * * ?", "invalid value [1--]"),
    ("99999999999 0 0 * * ?", "invalid value [99999999999]"),
    ("1- 0 0 * * ?", "invalid value [1-]"),
    ("1/ 0 0 * * ?", "invalid value [1/]"),
    ("0 0 0 , * ?", "invalid value [,]"),
    ("0 0 0 L- * ?", "illegal characters [L-] at pos [0] '"),
    ("0 0 0 ? * MO", "invalid Day-of-Week value [MO] at pos [0]"),
    ("0 0 0 ? * MON-5", "invalid Day-of-Week value [5] at pos [4]"),
]


NINES = "9" * 5000  # more digits than Python converts to an integer
LONG = [
    (f"{NINES} 0 0 * * ?", f"invalid value [{NINES}]"),
    (f"*/{NINES} 0 0 * * ?", f"invalid value [*/{NINES}]"),
    (f"1/{NINES} 0 0 * * ?", f"invalid value [1/{NINES}]"),
    (f"0 0-{NINES} 0 * * ?", f"invalid value [0-{NINES}]"),
    (f"0 0 0 ? * 6#{NINES}", NTH),
    (f"0 0 0 L-{NINES} * ?", "illegal characters [L-9] at pos [0] '"),
    (f"0 0 0 * * ? {NINES}", f"invalid value [{NINES}]"),
    ("1," * 1_000_000 + "1 0 0 * * ?", "longer than [65536] characters"),
]


@pytest.mark.parametrize("expression", GOOD + ODD)
def test_valid_expression_is_accepted(expression) -> None:
    assert violation(expression) is None


@pytest.mark.parametrize(("expression", "text"), BAD)
def test_invalid_expression_is_refused_with_the_message_of_elasticsearch(expression, text) -> None:
    assert (
        violation(expression)
        == f"illegal cron expression format [java.lang.IllegalArgumentException: {text}]"
    )


@pytest.mark.parametrize(("expression", "text"), LONG, ids=lambda text: text[:12])
def test_very_long_expression_is_refused(expression, text) -> None:
    test_invalid_expression_is_refused_with_the_message_of_elasticsearch(expression, text)


def test_longest_list_is_accepted() -> None:
    assert violation("1," * 32_000 + "1 0 0 * * ?") is None


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\x7f"])
def test_only_spaces_and_tabs_separate_fields(blank) -> None:
    assert "Unexpected character" in violation(f"{blank}1 0 0 * * ?")


def test_year_with_a_step_may_start_up_to_fifty_years_ahead() -> None:
    last = datetime.now(UTC).year + 50
    assert violation(f"0 0 0 * * ? {last}/2") is None
    assert violation(f"0 0 0 * * ? {last + 1}/2") is not None


@given(st.text(alphabet="0123456789*,-/?LW#JANMOFRI \t", max_size=40))
def test_any_text_is_accepted_or_refused(text) -> None:
    found = violation(text)
    assert found is None or found.startswith(
        "illegal cron expression format [java.lang.IllegalArgumentException: "
    )


# Accepted by the other checker although Elasticsearch refuses them.
ONLY_OTHER_ACCEPTS = {
    "*/٣ 0 0 * * ?",
    "0 0 0 ? * 0L",
    "0 0 0 ? * 1#1,2#2",
    "0 0 0 ? * 6#6",
    "0 0 0 * * ? 2020-2010",
}


def accepted_by_other_checker(expression: str) -> bool:
    try:
        return QuartzCronChecker.validate_cron_string(expression)
    except ValueError:
        return False


@pytest.mark.parametrize("expression", GOOD)
def test_other_checker_accepts_valid_expressions(expression) -> None:
    assert accepted_by_other_checker(expression)


@pytest.mark.parametrize("expression", [each for each, _ in BAD if each not in ONLY_OTHER_ACCEPTS])
def test_other_checker_refuses_invalid_expressions(expression) -> None:
    assert not accepted_by_other_checker(expression)
