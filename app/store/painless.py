"""Painless scripts: one file each, sent as constant source so that Elasticsearch compiles each of them once.

A script either changes the document, or leaves it alone *and says why*: it calls `verdict(ctx, [...])`, which stores nothing
(`ctx.op = 'none'`) and travels back in the answer. A script that leaves the document alone without a verdict has a bug: any
`ctx.op` that Elasticsearch does not know is a silent no-op.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

VERDICT_FIELD = "verdict"


@dataclass(frozen=True, slots=True)
class Script:
    """A named script: its constant source. Values travel beside it, in `params`."""

    name: str
    source: str


def load(package: str, name: str, *, uses: tuple[str, ...] = ()) -> Script:
    """The script `painless/<name>.painless` of `package`, behind the shared functions that it `uses`.

    Shared functions stand in `app/store/painless_functions/<function>.painless`; `verdict` is always there.
    """
    shared = files("app.store").joinpath("painless_functions")
    parts = [shared.joinpath(f"{function}.painless") for function in ("verdict", *uses)]
    parts.append(files(package).joinpath("painless", f"{name}.painless"))
    return Script(name, "\n".join(_without_comments(part.read_text("utf-8")) for part in parts))


def _without_comments(source: str) -> str:
    """Comments are for readers of the files; every request would carry them."""
    lines = (line.rstrip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("//"))
