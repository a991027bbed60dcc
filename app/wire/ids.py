"""The rule that all ids of documents share."""

from __future__ import annotations

from app.store.bulk import MAX_ID_BYTES


def too_long(document_id: str) -> list[str]:
    """The error messages for an id that Elasticsearch would not write, counted in UTF-8; none when it is short enough."""
    size = len(document_id.encode("utf-8", "surrogatepass"))
    if size <= MAX_ID_BYTES:
        return []
    return [f"id [{document_id}] is too long, must be no longer than {MAX_ID_BYTES} bytes but was: {size}"]
