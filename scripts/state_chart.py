"""python -m scripts.state_chart: prints the chart of a sync job's states for the README."""

from __future__ import annotations

from app.protocol import SyncStatus
from app.sync_jobs.states import FINISHED, TRANSITIONS


def mermaid() -> str:
    """Return the chart as Mermaid text, made from the table that the painless scripts use."""
    arrows = [f"    {start} --> {target}" for start, targets in TRANSITIONS.items() for target in targets]
    ends = [f"    {status} --> [*]" for status in FINISHED]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {SyncStatus.PENDING}", *arrows, *ends])


if __name__ == "__main__":
    print(mermaid())
