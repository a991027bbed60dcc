"""Painless scripts: one file each, sent as constant source so that Elasticsearch compiles each of them once.

A script either changes the document, or leaves it alone *and says why*: it calls `verdict(ctx, name, details)`, which stores
nothing (`ctx.op = 'none'`) and is part of the response. A script that leaves the document alone without a verdict has a
bug: any `ctx.op` that Elasticsearch does not know is a silent no-op.

Functions that several scripts share stand in `app/store/painless/functions/`, one file each, named for the function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from app.errors import ApiError
from app.metrics.definitions import TRANSITIONS

VERDICT_FIELD = "verdict"

_FUNCTIONS = files("app.store").joinpath("painless", "functions")
_CALL = re.compile(r"(?<![.\w])([A-Za-z]\w*)\(")


class Verdict(StrEnum):
    """What became of a document that a script was sent to.

    The first three are Elasticsearch's own results; the others are a script's reasons for leaving the document alone.
    """

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"

    DONE = "done"
    """It is as the request wants it already: the work of the same request sent before, or a later heartbeat."""
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    """The winner's claim, or the end of a job, sent again by its worker."""
    REFUSED = "refused"
    """The stored state does not allow it."""
    FINISHED = "finished"
    MISSING = "missing"
    """Soft-deleted; or there was no document, and the script made none."""
    UNKNOWN_FIELDS = "unknown_fields"
    UNMANAGEABLE = "unmanageable"
    """Elastic-managed, with an index whose name lacks the prefix."""
    UNREADABLE = "unreadable"
    NOT_HELD = "not_held"
    """The job is another worker's than the request names, or nobody's."""
    DRY_RUN = "dry_run"
    """It would be changed, if the request were not a dry run."""
    OVERTAKEN = "overtaken"
    """Somebody else has written the document since it was read."""
    HELD = "held"
    """The lease has another holder."""
    LEASE_EXPIRED = "lease_expired"


class UnexpectedVerdict(RuntimeError):
    """A script and the code that sent it disagree about what it may say: a defect of this service."""


Responses = Mapping[Verdict, str | Callable[[Mapping[str, Any]], ApiError]]
"""What to do with each verdict: the result to return, or a function that makes an error of the verdict's details."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the script `script` did. `details` are the returned fields of the document, and what comes with the verdict."""

    script: str
    verdict: Verdict
    details: Mapping[str, Any] = field(default_factory=dict)

    def respond(self, responses: Responses) -> str:
        """The result for this verdict. Raises its `ApiError`; `UnexpectedVerdict` where `responses` has nothing for it."""
        response = responses.get(self.verdict)
        if response is None:
            raise UnexpectedVerdict(f"nobody expects the verdict [{self.verdict}] of script [{self.script}]")
        if isinstance(response, str):
            return response
        raise response(self.details)


@dataclass(frozen=True, slots=True)
class Script:
    """A named script of one area of the service: its constant source. Values travel beside it, in `params`."""

    area: str
    name: str
    source: str

    def request(self, params: Mapping[str, Any], *, is_retry: bool) -> dict[str, Any]:
        """The script with its parameters, as an update request has it."""
        return {"lang": "painless", "source": self.source, "params": {**params, "is_retry": is_retry}}

    def outcome(self, result: str, source: Any) -> Outcome:
        """Read an update response: Elasticsearch's `result`, and the returned part of the document, None if there is none.

        Raises `UnexpectedVerdict` for a document left alone without a verdict that `Verdict` knows.
        """
        outcome = self._outcome(result, source)
        TRANSITIONS.labels(self.area, self.name, outcome.verdict.value).inc()
        return outcome

    def _outcome(self, result: str, source: Any) -> Outcome:
        returned = source if isinstance(source, Mapping) else {}
        if result != "noop":
            return Outcome(self.name, Verdict(result), returned)
        if source is None:
            return Outcome(self.name, Verdict.MISSING)
        said = returned.get(VERDICT_FIELD)
        if not isinstance(said, Mapping):
            raise UnexpectedVerdict(f"script [{self.name}] left the document alone without a verdict")
        try:
            verdict = Verdict(said["name"])
        except ValueError:
            raise UnexpectedVerdict(f"script [{self.name}] has an unknown verdict [{said['name']}]") from None
        fields = {name: value for name, value in returned.items() if name != VERDICT_FIELD}
        return Outcome(self.name, verdict, fields | said["details"])


def load(package: str, file: str, *, name: str = "") -> Script:
    """The script `painless/<file>.painless` of `package`, behind the shared functions that it calls.

    It is named for the file unless its parameters make several transitions of it.
    """
    source = _compact(files(package).joinpath("painless", f"{file}.painless").read_text("utf-8"))
    whole = "\n".join([*(_functions()[called] for called in _called(source)), source])
    return Script(package.rpartition(".")[2], name or file, whole)


def _called(source: str) -> list[str]:
    """The shared functions that the source calls, and those that these call in turn, in alphabetical order."""
    found: set[str] = set()
    unread = [source]
    while unread:
        called = set(_CALL.findall(unread.pop())) & _functions().keys() - found
        found |= called
        unread += [_functions()[each] for each in called]
    return sorted(found)


@cache
def _functions() -> Mapping[str, str]:
    """The source of each shared function, by its name."""
    return {
        file.name.removesuffix(".painless"): _compact(file.read_text("utf-8"))
        for file in _FUNCTIONS.iterdir()
        if file.name.endswith(".painless")
    }


def _compact(source: str) -> str:
    """Without comments and indentation: those are for readers of the files, and every request would carry them."""
    lines = (re.sub(r"(^|\s)// .*$", "", line).strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line)
