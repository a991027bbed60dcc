"""Where this service follows its documentation and where, if the operator wants it, what Elasticsearch does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Compatibility:
    """One mode. `page_limit` is what `from + size` of a list may reach."""

    page_limit: int


DOCUMENTED: Final = Compatibility(page_limit=100_000)
