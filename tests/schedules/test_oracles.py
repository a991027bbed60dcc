"""Slots of many expressions, the same as those of Elasticsearch's own class and of Quartz.

The two agree with one another but for `W`, where neither is right always, so that Quartz's documentation decides:

- Elasticsearch takes `15W` for never, or repeats a slot, or searches without an end; `LW` in February 2032 is a Saturday; and
  `L-30W` raises an exception in a shorter month. It is not asked.
- Quartz is right from the end of a month on. Later in the month it keeps the time of the day, and misses a weekday that comes
  after its day: `5W` is the 6th in February 2023, but not for a search that begins on the 6th.

Of a list with a `#` both take only its lowest day; here each item counts, as for the public worker. Neither is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random, getrandbits

from app.connectors.schedule import next_time
from tests.cron_expressions import some_expression, some_time
from tests.schedules.oracles import Question, ask

ODD = [
    "0 0/99 3 * * ?",
    "0 5-9/0 3 * * ?",
    "0 */0 23 * * ?",
    "0 L,5 3 * * ?",
    "0 L 3 * * ?",
    "0 , 3 * * ?",
    "0 0 0 L-30 * ?",
    "0 0 0 31 2 ?",
    "0 0 0 29 2 ? 2025/1",
    "0 0 0 1 L ?",
    "0 0 0 ? * L-3",
    "0 0 0 ? * 2Lx",
    "0 0 0 ? * 0#2",
    "0 0 0 ? * 8#2",
    "0 0 0 ? 2 MON#5",
    "0 0 0 ? * MON-FRI/2",
    "0 0 0 * * ? L",
    "0 0 0 * * ? 1-9999",
]
EXPRESSIONS = 3000
# Elasticsearch looks fifty years ahead, Quartz a hundred.
FAR = datetime(2075, 1, 1, tzinfo=UTC).timestamp()


def test_slots_are_those_of_elasticsearch_and_of_quartz() -> None:
    random = Random(getrandbits(64))  # repeated with the seed of the session
    expressions = ODD + [some_expression(random).text for _ in range(EXPRESSIONS)]
    questions = [each for text in expressions for _ in range(3) for each in about(text, some_time(random))]
    answers = ask(questions)
    assert len(answers) == len(questions)
    wrong = []
    for question, answer in zip(questions, answers, strict=True):
        # Quartz refuses fields after the year and large steps, which Elasticsearch accepts.
        if question.program == "quartz" and answer == "refused":
            continue
        slot = next_time(question.expression, question.after)
        ours = "never" if slot is None else f"{slot.timestamp():.0f}"
        if comparable(ours) != comparable(answer):
            wrong.append((*question, answer, slot))
    assert wrong == []
    for program in ("elasticsearch", "quartz"):
        asked = [
            answer for question, answer in zip(questions, answers, strict=True) if question.program == program
        ]
        assert sum(answer.isdecimal() for answer in asked) > EXPRESSIONS


def about(text: str, after: datetime) -> list[Question]:
    """The questions to ask; see above."""
    days, weekdays = text.upper().split()[3], text.split()[5]
    if "#" in weekdays and "," in weekdays:
        return []
    if "W" in days:
        first = datetime(after.year, after.month, 1, tzinfo=UTC)
        return [Question("quartz", text, first - timedelta(seconds=1))]
    return [Question(program, text, after) for program in ("elasticsearch", "quartz")]


def comparable(answer: str) -> str:
    """The same answer, but `never` where a field has no value, at which both fail, and for a far slot."""
    return "never" if answer == "fails" or (answer.isdecimal() and int(answer) > FAR) else answer
