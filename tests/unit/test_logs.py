"""Log lines say what happened and never contain the values of variables."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from app import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("fmt", "terminal", "as_json"),
    [("auto", False, True), ("auto", True, False), ("json", True, True), ("console", False, False)],
)
def test_log_lines_are_json_unless_written_to_a_terminal(capsys, monkeypatch, fmt, terminal, as_json) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    logs.configure("info", fmt)
    structlog.get_logger("ours").info("happened", number=1)
    logging.getLogger("theirs").warning("told %s", "so")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    if as_json:
        assert [json.loads(line)["event"] for line in lines] == ["happened", "told so"]
    else:
        assert not any(line.startswith("{") for line in lines)


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_log_of_an_unexpected_exception_has_no_variables(capsys, fmt) -> None:
    logs.configure("info", fmt)

    secret = "-".join(["the", "secret"])  # so that it is in no source line

    def fail(value: str) -> None:
        raise RuntimeError("it broke")

    try:
        fail(secret)
    except RuntimeError:
        structlog.get_logger("test").exception("failed")
    written = capsys.readouterr().err
    assert "it broke" in written
    assert secret not in written
