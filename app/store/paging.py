"""Pages of a search: one request as far as Elasticsearch's window reaches, a walk beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError as ElasticsearchError
from elasticsearch import Elasticsearch, NotFoundError

from app.errors import ApiError, Cause, unavailable
from app.store.failures import UNREACHABLE, TransientFailure
from app.store.search import WINDOW, Hit, Page, Search

# Elasticsearch forgets a point in time that nobody could close. Each request of a walk prolongs it.
_KEEP_ALIVE = "1m"


def find(client: Elasticsearch, index: str, search: Search) -> Page:
    """The page of the search. Raises `ApiError` 400 where it ends beyond the search's `limit`, or is too long.

    A page has no more documents than one request may ask for, so that it needs bounded memory.
    """
    end = search.offset + search.size
    if end <= WINDOW or search.limit <= WINDOW:  # beyond that limit, Elasticsearch says so itself
        return _page(client.search(index=index, body=search.body())["hits"])
    if end > search.limit:
        raise _too_far("from + size", search.limit, end)
    if search.size > WINDOW:
        raise _too_far("[size]", WINDOW, search.size)
    return _walk(client, index, search)


def _walk(client: Elasticsearch, index: str, search: Search) -> Page:
    """A page beyond the window: sort values alone up to where it starts, then its documents, in one point in time."""
    point = {"id": client.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)["id"]}
    try:
        return _steps(client, point, search)
    except NotFoundError:  # the node that kept the point in time has left
        raise TransientFailure(unavailable(UNREACHABLE)) from None
    finally:
        with suppress(ElasticsearchError, TransportError):  # it ends by itself, and the page matters more
            client.close_point_in_time(id=point["id"])


def _steps(client: Elasticsearch, point: dict[str, str], search: Search) -> Page:
    """The walk itself. `point` names the point in time; Elasticsearch may give it another id with each response."""
    after: Sequence[Any] | None = None
    position = total = 0
    while True:
        is_the_page = position == search.offset
        size = search.size if is_the_page else min(WINDOW, search.offset - position)
        response = client.search(
            body=search.body()
            | {"from": 0, "size": size, "_source": is_the_page}
            | ({} if after is None else {"search_after": after, "track_total_hits": False})
            | {"pit": {**point, "keep_alive": _KEEP_ALIVE}}
        )
        point["id"] = response["pit_id"]
        page = _page(response["hits"])
        total = total or page.total
        if is_the_page:
            return Page(total, page.hits)
        if len(page.hits) < size or search.offset >= total:
            return Page(total, [])
        position += size
        after = page.hits[-1].sort_values


def _page(hits: Any) -> Page:
    total = hits["total"]["value"] if "total" in hits else 0
    return Page(total, [Hit(hit["_id"], hit.get("_source", {}), hit.get("sort", [])) for hit in hits["hits"]])


def _too_far(what: str, limit: int, value: int) -> ApiError:
    """As Elasticsearch words it, with another way that leads further."""
    cause = Cause(
        "illegal_argument_exception",
        f"Result window is too large, {what} must be less than or equal to: [{limit}] but was [{value}]. "
        "See [search_after] of the list of sync jobs for a more efficient way to request large data sets.",
    )
    return ApiError(400, Cause("search_phase_execution_exception", "all shards failed", cause), cause)
