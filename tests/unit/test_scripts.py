"""Painless scripts are sent with the functions that they call, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.store import scripts
from app.store.scripts import Outcome, Script, UnexpectedVerdict, Verdict, load

APP = Path(scripts.__file__).resolve().parents[1]
FILES = sorted(APP.glob("*/painless/*.painless"))
FUNCTIONS = {file.stem for file in APP.glob("store/painless/functions/*.painless")}


def loaded(file: Path) -> Script:
    return load(f"app.{file.parts[-3]}", file.stem)


def defined(source: str) -> list[str]:
    return re.findall(r"^\w+ (\w+)\(.*\) \{$", source, re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_script_is_sent_with_the_functions_that_it_calls(file: Path) -> None:
    """Each function once, including those that only another function calls, and no unused ones."""
    source = loaded(file).source
    functions = defined(source)
    assert len(functions) == len(set(functions))
    called = {name for name in FUNCTIONS if len(re.findall(rf"(?<![.\w]){name}\(", source)) > 1}
    assert set(functions) == called


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_script_is_sent_without_comments_and_indentation(file: Path) -> None:
    lines = loaded(file).source.splitlines()
    assert all(line == line.strip() and "//" not in line for line in lines)


def test_function_is_named_as_its_file() -> None:
    for file in APP.glob("store/painless/functions/*.painless"):
        assert defined(file.read_text("utf-8")) == [file.stem]


def test_functions_called_by_functions_are_included() -> None:
    assert set(defined(load("app.sync_jobs", "check_in").source)) == {
        "describe",
        "heartbeat",
        "heldByOther",
        "text",
        "timestamp",
        "verdict",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_text_that_may_be_null_is_compared_from_the_right(file: Path) -> None:
    """Elasticsearch sometimes fails on `text == value`, where the text is null and the value's type is not known."""
    source = loaded(file).source
    for name in re.findall(r"String (\w+) = text\(", source):
        assert not re.search(rf"\b{name} [!=]= (?!'|null)", source)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_every_verdict_of_a_script_is_known(file: Path) -> None:
    calls = re.findall(r"verdict\(ctx, (.*)$", loaded(file).source, re.MULTILINE)
    names = {name for call in calls for name in re.findall(r"(?:^|\? |: )'(\w+)'", call.partition(", [")[0])}
    assert names <= {verdict.value for verdict in Verdict}


def test_unknown_verdict_is_an_error() -> None:
    script = Script("sync_jobs", "claim", "")
    with pytest.raises(UnexpectedVerdict, match=r"script \[claim\] has an unknown verdict \[refuzed\]"):
        script.outcome("noop", {"verdict": {"name": "refuzed", "details": {}}})


def test_unexpected_verdict_is_an_error() -> None:
    outcome = Outcome("claim", Verdict.HELD)
    with pytest.raises(UnexpectedVerdict, match=r"nobody expects the verdict \[held\] of script \[claim\]"):
        outcome.respond({Verdict.UPDATED: "updated", Verdict.DONE: "updated"})
