"""What differs between this service as documented and Elasticsearch's own behaviour, which some clients rely on.

This is the only place that knows the modes: the rest of the code gets one as a value and looks at its fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Compatibility:
    """A mode.

    `job_order` is the order of the job list by `created_at`, `asc` or `desc`, unless a request names one. Lists count up to
    `count_limit` documents, all where it is None; `from + size` reaches `page_limit`. `finished_is_final` says whether a
    finished job refuses heartbeats and claims. `refresh` is who refreshes, `search` or `write`, unless a setting says.
    """

    name: str
    job_order: str
    count_limit: int | None
    page_limit: int
    finished_is_final: bool
    refresh: str


DOCUMENTED: Final = Compatibility(
    name="documented",
    job_order="asc",
    count_limit=None,
    page_limit=100_000,
    finished_is_final=True,
    refresh="search",
)
ELASTICSEARCH: Final = Compatibility(
    name="elasticsearch",
    job_order="desc",
    count_limit=10_000,
    page_limit=10_000,
    finished_is_final=False,
    refresh="write",
)
MODES: Final = {mode.name: mode for mode in (DOCUMENTED, ELASTICSEARCH)}
